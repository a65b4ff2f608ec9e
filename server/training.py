# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of a composer's own labelled sounds: from a folder to a name that renders. The process behind `athanor train`.

Pack the folder, make a corpus of it, fine-tune the embedded model on that, export a model folder with a card that says
what it was made of, and give it its name. Each step is kept, so that a training that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from server.errors import InvalidOption
from server.models.catalogue import find, folder_revision
from server.models.own_models import check_name, model_folder, register, training_folder
from server.models.vocabularies import write_vocabulary
from server.telling import Tell, told

LEAST_S = 20.0
CLIPS, FEWEST, MOST = 600, 8, 120
"""Clips of a corpus in all, and at least and at most of one label: a clip is 0.4 MB."""
STATE = "training.json"
_TELL_EVERY_S = 5.0


@dataclass(frozen=True)
class Asked:
    """What to train: a folder of sounds (None to go on), a name, for how long, from which model, on which device."""

    folder: Path | None
    name: str
    minutes: float = 60.0
    base: str = "embedded"
    scratch: bool = False
    resume: bool = False
    seed: int = 1
    device: str = "auto"


@dataclass(frozen=True)
class State:
    """What a training is of; kept beside its checkpoint. seconds: of all sounds; minutes: trained so far."""

    folder: str
    base: str
    base_revision: str
    scratch: bool
    seed: int
    labels: list[str]
    files: list[str]
    seconds: float
    minutes: float = 0.0


def train_own(asked: Asked, home: Path, tell: Tell, lessons: Mapping[str, Any] | None = None) -> Path:
    """Train and export; gives the model's folder. `lessons` replaces arguments of `finetune.Lessons` by name.

    Raises:
        InvalidOption: the name is taken, there is nothing to go on with, no sound in the folder, or a base that cannot be
            trained on.
        KeyboardInterrupt: after the checkpoint was kept and the person was told how to go on.
    """
    check_name(home, asked.name)
    base = Path(find(asked.base, home).source)
    from server.models.embedded.finetune import check_base

    check_base(base)
    work = training_folder(home, asked.name)
    state = _resumed(work, asked) if asked.resume else _begin(work, asked, base, tell)
    base = Path(find(state.base, home).source)
    state = _learn(work, base, state, asked, tell, lessons or {})
    out = model_folder(home, asked.name)
    _export(work, base, out, state, asked)
    register(home, asked.name)
    return out


def _resumed(work: Path, asked: Asked) -> State:
    try:
        return State(**json.loads((work / STATE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        begun = ", ".join(sorted(path.parent.name for path in work.parent.glob(f"*/{STATE}"))) or "none"
        raise InvalidOption(f"there is no training called {asked.name!r} to go on with; begun were: {begun}.") from None


def _begin(work: Path, asked: Asked, base: Path, tell: Tell) -> State:
    """Pack the folder and make the corpus; `training.json` is written last, so that it stands for a whole beginning."""
    from server.models.embedded import corpus, own

    if asked.folder is None:
        raise InvalidOption("`athanor train` needs a folder of sounds: one subfolder per label.")
    if (work / STATE).exists():
        raise InvalidOption(f"a training called {asked.name!r} was begun already. Go on with it by `athanor train --resume "
                            f"--name {asked.name}`, or give another --name.")
    shutil.rmtree(work, ignore_errors=True)
    tell("progress", phase="reading the sounds")
    try:
        labels = own.pack_folder(asked.folder, work / "pack")
        entries = json.loads((work / "pack" / "recordings.json").read_text(encoding="utf-8"))
        state = _state_of(asked, base, labels, entries)
        tell("sounds", labels=labels, files=len(state.files), seconds=state.seconds)
        if state.seconds < LEAST_S:
            tell("say", text=f"only {state.seconds:.0f} s of sound: a model of so little repeats it rather than varies it. "
                             f"{LEAST_S:.0f} s or more, in several files per label, are better.")
        tell("progress", phase="making clips")
        each = int(np.clip(CLIPS // len(labels), FEWEST, MOST))
        corpus.build(work / "pack", work / "corpus", asked.seed, corpus.Plan((0, 0, 0), (each, each, each)))
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    _keep(work, state)
    return state


def _state_of(asked: Asked, base: Path, labels: list[str], entries: list[dict]) -> State:
    from server.models.embedded.format import SAMPLE_RATE

    assert asked.folder is not None
    seconds = round(sum(entry["length"] for entry in entries) / SAMPLE_RATE, 1)
    return State(str(asked.folder.resolve()), asked.base, folder_revision(base), asked.scratch, asked.seed, labels,
                 sorted({entry["file"] for entry in entries}), seconds)  # a long file makes several takes


def _keep(work: Path, state: State) -> None:
    (work / STATE).write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")


def _learn(work: Path, base: Path, state: State, asked: Asked, tell: Tell, changes: Mapping[str, Any]) -> State:
    """Train for the minutes asked for; the state with the minutes added, also kept where the training is stopped."""
    from server.models.embedded import corpus
    from server.models.embedded.finetune import Lessons, finetune

    took_s, spoke_s, whole_s = 0.0, -_TELL_EVERY_S, 60.0 * asked.minutes

    def on_log(step: int, seconds: float, error: float) -> None:
        nonlocal took_s, spoke_s
        took_s = seconds
        if seconds - spoke_s >= _TELL_EVERY_S:
            spoke_s = seconds
            tell("progress", phase=f"training, step {step}, error {error:.2f}", step=round(min(seconds, whole_s)),
                 n_steps=round(whole_s), eta_s=max(0.0, whole_s - seconds))

    def kept() -> State:
        total = State(**{**asdict(state), "minutes": round(state.minutes + took_s / 60.0, 2)})
        _keep(work, total)
        return total

    tell("progress", phase="encoding the first clips")
    lessons = Lessons(**{"minutes": asked.minutes, "device": asked.device, "seed": state.seed, **changes})
    try:
        finetune(corpus.load(work / "corpus"), base, work, lessons, on_log, scratch=state.scratch)
    except KeyboardInterrupt:
        kept()
        tell("say", text=f"stopped; what was learned is kept. Go on with `athanor train --resume --name {asked.name} "
                         f"--minutes {max(1.0, asked.minutes - took_s / 60.0):.0f}`.")
        raise
    return kept()


def _export(work: Path, base: Path, out: Path, state: State, asked: Asked) -> None:
    from server.models.embedded.finetune import export_finetuned

    out.parent.mkdir(parents=True, exist_ok=True)
    export_finetuned(base, work, out)
    write_vocabulary(out, [{"group": "own", "name": label, "example": label} for label in state.labels])
    (out / "card.md").write_text(card(asked.name, state), encoding="utf-8")


def card(name: str, state: State) -> str:
    """The model's card: what it was trained on, from which base, for how long."""
    start = "from nothing, with the other parts of" if state.scratch else "from"
    return "\n".join([
        f"# {name}", "",
        f"A model of {len(state.files)} sounds ({state.seconds:.0f} s) under {len(state.labels)} labels, trained by "
        f"`athanor train` for {state.minutes:.0f} minutes {start} `{state.base}` ({state.base_revision}), seed "
        f"{state.seed}.",
        f"Finished {datetime.now(UTC).isoformat(timespec='minutes')}. The noise predictor was trained; autoencoder, "
        "vocoder and text tower are the base's. Whoever passes this model on passes on what it learned from these sounds: "
        "mind their licences.", "",
        "Labels: " + ", ".join(state.labels) + ".", "",
        f"Sounds, in `{state.folder}`:", "", *(f"- {file}" for file in state.files), ""])


def main(argv: list[str] | None = None) -> int:
    """Train, telling the progress as JSON lines on stdout."""
    parser = argparse.ArgumentParser(prog="python -m server.training", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--from", dest="base", default="embedded")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(argv)
    scratch = given.base == "scratch"
    asked = Asked(given.folder, given.name, given.minutes, "embedded" if scratch else given.base, scratch, given.resume,
                  given.seed, given.device)

    def work(tell: Tell) -> None:
        from server.models.embedded.loop import settle

        settle()
        tell("model", name=given.name, folder=str(train_own(asked, given.home, tell)))

    return told(work)


if __name__ == "__main__":
    raise SystemExit(main())
