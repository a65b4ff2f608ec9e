# SPDX-License-Identifier: GPL-3.0-or-later
"""A blind rating sheet for fusions, as the fusion paper's listening test (figure 4): a web page to fill in by ear.

For each of a few pairs the page plays two sounds, A and B, and under them four clips in an order that nobody is told: fused
near the one, between, and near the other, and a plain mix of the two at equal level, the control. Each is rated from 1 to
5: how much of A is heard, how much of B, and whether it is one new sound or two at once. The page saves the answers as a
CSV file; nothing leaves the machine. What each clip is stands in a key beside the folder, for afterwards:

    python -m server.measure.rating_sheet rating_key.json answers.csv [more answers ...]

prints the mean ratings. The paper's 48 answers are shown as bars without numbers: 0 to 5 for two likenesses of five sets.
"""

from __future__ import annotations

import csv
import html
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from server.audio import Clip, match_level, resample, to_channels, write_clip
from server.errors import InvalidInput
from server.measure.bench import Bench, Finding
from server.measure.fusion_window import pairs
from server.methods.fitting import repeat_to

FOLDER, KEY = "rating_sheet", "rating_key.json"
QUESTIONS = {"a": "How much of A do you hear?", "b": "How much of B do you hear?",
             "one": "Two sounds at once (1), or one new sound (5)?"}
KINDS = ("near the reference", "between", "near the original", "plain mix")
COLUMNS = ("clip", *QUESTIONS)


@dataclass(frozen=True)
class Plan:
    """sets: pairs of recordings, the paper's five; seconds of each clip; steps of the sampler."""

    sets: int = 5
    seconds: float = 4.0
    steps: int = 50


def measure(bench: Bench, plan: Plan | None = None) -> dict:
    """Write the page, its clips and the key into the bench's folder; how many there are.

    Raises:
        NotMeasured: there are no held-out sounds, or the model does not render clips that long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    drawn = list(pairs(bench.need_held_out().drawn(2, bench.seed), plan.sets, bench.seed))
    folder, rng = bench.folder / FOLDER, np.random.default_rng([bench.seed, 85])
    folder.mkdir(exist_ok=True)
    shown, key = [], {}
    for number, (first, second) in enumerate(drawn, 1):
        bench.report(number - 1, len(drawn), f"{first.class_name} + {second.class_name}")
        rate = bench.backbone.facts.sample_rate
        original, reference = (repeat_to(sound.clip(rate), round(plan.seconds * rate)) for sound in (first, second))
        candidates = _candidates(bench, plan, original, reference)
        order, swapped = rng.permutation(len(KINDS)), bool(rng.integers(2))
        ends = (reference, original) if swapped else (original, reference)
        for name, clip in zip("ab", ends, strict=True):
            write_clip(folder / f"{number}{name}.wav", match_level(clip, original))
        for place, k in enumerate(order, 1):
            write_clip(folder / f"{number}-{place}.wav", candidates[KINDS[k]])
            key[f"{number}-{place}"] = {"kind": KINDS[k], "original": "b" if swapped else "a"}
        shown.append([f"{number}-{place}" for place in range(1, len(KINDS) + 1)])
    (folder / "index.html").write_text(page(shown), encoding="utf-8")
    (bench.folder / KEY).write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    return {"sets": len(drawn), "clips": len(key), "page": f"{FOLDER}/index.html", "key": KEY, "plan": asdict(plan)}


def _candidates(bench: Bench, plan: Plan, original: Clip, reference: Clip) -> dict[str, Clip]:
    """The clips of one set by kind, all at the original's level."""
    window = bench.backbone.facts.fusion
    levels = tuple(float(x) for x in np.linspace(window.low_db, window.high_db, 5)[1:4])
    outputs = bench.studio("fuse", {"original": original, "reference": reference}, seed=bench.seed, steps=plan.steps,
                           snr_db=levels)
    like = match_level(to_channels(resample(reference, original.sample_rate), original.channels), original)
    made = dict(zip(KINDS[:3], (output.clip for output in outputs), strict=True))
    return {**made, KINDS[3]: match_level(Clip(0.5 * (original.samples + like.samples), original.sample_rate), original)}


def page(sets: Sequence[Sequence[str]]) -> str:
    """The web page for sets of clips by name: players, questions, and a button that saves the answers."""
    parts = []
    for number, clips in enumerate(sets, 1):
        rows = [f"<h2>Set {number} of {len(sets)}</h2>", *(
            f'<p>{name.upper()} <audio controls preload="none" src="{number}{name}.wav"></audio></p>' for name in "ab")]
        for place, clip in enumerate(clips, 1):
            asked = "".join(f"<label>{html.escape(words)} {_scale(clip, question)}</label>"
                            for question, words in QUESTIONS.items())
            rows.append(f'<fieldset><legend>{place}</legend><audio controls preload="none" src="{html.escape(clip)}.wav">'
                        f"</audio>{asked}</fieldset>")
        parts.append("\n".join(rows))
    around = files("server.measure").joinpath("rating_sheet.html").read_text(encoding="utf-8")
    return around.replace("@COLUMNS@", json.dumps(COLUMNS)).replace("@SETS@", "\n".join(parts))


def _scale(clip: str, question: str) -> str:
    options = "".join(f"<option>{value}</option>" for value in range(1, 6))
    return f'<select data-clip="{html.escape(clip)}" data-question="{question}"><option></option>{options}</select>'


def ratings(key: Mapping[str, Mapping[str, str]], answers: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Mean ratings by kind of clip: of the original, of the reference, of being one, and how many ratings they are of.

    Raises:
        InvalidInput: a file is no answer sheet, names a clip that the key has not, or rates outside 1 to 5.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for path in answers:
        for row in _rows(path, key):
            about = key[row["clip"]]
            values = {question: float(row[question]) for question in QUESTIONS}
            other = "b" if about["original"] == "a" else "a"
            found.setdefault(about["kind"], []).append((values[about["original"]], values[other], values["one"]))
    return {kind: {**{name: round(float(np.mean(column)), 2) for name, column in
                      zip(("original", "reference", "one"), zip(*found[kind], strict=True), strict=True)},
                   "ratings": len(found[kind])} for kind in KINDS if kind in found}


def _rows(path: Path, key: Mapping[str, object]) -> list[dict[str, str]]:
    """The clips of one sheet that were rated in full."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InvalidInput(f"{path} is no answer sheet: its columns are not {', '.join(COLUMNS)}.")
        rows = [row for row in reader if all(row[question] for question in QUESTIONS)]
    for row in rows:
        if row["clip"] not in key or not all(row[question] in tuple("12345") for question in QUESTIONS):
            raise InvalidInput(f"{path}: {row} is not a rating from 1 to 5 of a clip of this key.")
    return rows


def findings(figures: dict) -> list[Finding]:
    """Nothing is measured here: a person does."""
    return []


def lines(figures: dict) -> list[str]:
    """Where the page and the key are."""
    return [f"[{figures['page']}]({figures['page']}): {figures['clips']} clips in {figures['sets']} sets to rate by ear, "
            f"blind. What they are stands in `{figures['key']}`; `python -m server.measure.rating_sheet {figures['key']} "
            "answers.csv` prints the mean ratings."]


def main(argv: Sequence[str]) -> int:
    """Print the mean ratings of answer sheets as a table of Markdown."""
    if len(argv) < 2:
        print("usage: python -m server.measure.rating_sheet rating_key.json answers.csv [...]", file=sys.stderr)
        return 2
    try:
        found = ratings(json.loads(Path(argv[0]).read_text(encoding="utf-8")), [Path(name) for name in argv[1:]])
    except (OSError, ValueError, InvalidInput) as error:
        print(f"{error} Give the key that the evaluation wrote, then the sheets that its page saved.", file=sys.stderr)
        return 2
    print("| clip | like the original | like the reference | one sound | ratings |\n|---|---|---|---|---|")
    for kind, one in found.items():
        print(f"| {kind} | {one['original']:.2f} | {one['reference']:.2f} | {one['one']:.2f} | {one['ratings']} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
