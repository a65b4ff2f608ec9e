# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the level where an edit begins decide? The editing paper's figure 5, in numbers and as spectrograms.

The figure shows one orchestral piece, edited with a target prompt alone from several T_start, and prints no numbers. Its
text: the later an edit begins, the more of the original is kept and the less it adheres to the words. Here held-out clips
are edited with a target's words alone from the same levels; adherence and distance are those of `server.measure.editing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from server.audio import Clip
from server.measure import judge as judges
from server.measure.bench import Bench, Finding
from server.measure.editing import clip_of, judged
from server.measure.fusion_window import pairs
from server.measure.picture import Pair, draw
from server.measure.prompts import prompt_of
from server.measure.t_start import snr_db

PICTURE = "edited_from_later_and_earlier.png"
_HEADINGS = {"adherence": "adherence, log-probability", "heard": "judged as asked", "lpaps": "LPAPS",
             "log_mel": "log-mel, nat"}


@dataclass(frozen=True)
class Plan:
    """What is edited: recordings, seconds of each, steps of the whole way, T_start (of 200, on AudioLDM 2)."""

    clips: int = 10
    seconds: float = 3.0
    steps: int = 50
    t_start: Sequence[int] = (40, 60, 80, 100, 120, 150)


def measure(bench: Bench, plan: Plan | None = None, judge: judges.Plan | None = None) -> dict:
    """Means over the clips for every T_start, rising, and a picture of the first clip.

    Raises:
        NotMeasured: there are no held-out sounds or no corpus for the judge, or the model does not render so long.
    """
    plan = plan or Plan()
    bench.need_seconds(plan.seconds)
    told = judges.judge_of(bench, judge)
    known = [sound for sound in bench.need_held_out().drawn(4, bench.seed) if sound.class_name in told.names]
    drawn, rows = list(pairs(known, plan.clips, bench.seed)), []
    starts = sorted(plan.t_start)
    for number, (sound, other) in enumerate(drawn):
        bench.report(number, len(drawn), f"{sound.class_name} to {other.class_name}")
        clip, words = clip_of(bench, sound, plan.seconds), prompt_of(other.class_name)
        made = [_edited(bench, plan, clip, words, t_start) for t_start in reversed(starts)][::-1]
        rows.append(judged(bench.hearing, told, made, clip, sound, other))
        if number == 0:
            draw(bench.folder / PICTURE, _pictures(clip, made, sound.class_name, other.class_name, starts), columns=4)
    means = [{key: round(float(np.mean([one[key] for one in same])), 4) for key in _HEADINGS}
             for same in zip(*rows, strict=True)]
    return {"plan": asdict(plan) | {"t_start": starts}, "snr_db": [round(snr_db(t), 1) for t in starts], "means": means,
            "edits": [[a.class_name, b.class_name] for a, b in drawn], "classes": len(told.names)}


def _edited(bench: Bench, plan: Plan, clip: Clip, words: str, t_start: int) -> Clip:
    made = bench.studio("edit", {"clip": clip}, to=[words], snr_db=snr_db(t_start), steps=plan.steps)[0].clip
    assert made is not None
    return made


def _pictures(clip: Clip, made: Sequence[Clip], is_: str, becomes: str, starts: Sequence[int]) -> list[Pair]:
    edited = [(f"to {becomes}, T_start {t_start}", one) for t_start, one in zip(starts, made, strict=True)]
    shown: list[tuple[str, Clip | None]] = [(f"{is_}, the original", clip), *edited]
    shown += [("", None)] * (len(shown) % 2)
    return [Pair(*upper, *lower) for upper, lower in zip(shown[::2], shown[1::2], strict=True)]


def findings(figures: dict) -> list[Finding]:
    """The text's two statements."""
    starts, means = figures["plan"]["t_start"], figures["means"]
    distance, adherence = ([one[key] for one in means] for key in ("lpaps", "adherence"))
    half = len(starts) // 2
    late, early = float(np.mean(adherence[:half])), float(np.mean(adherence[-half:]))
    n = f"{len(figures['edits'])} edits"
    return [Finding(f"editing fig. 5, {n}: distance to the clip", "grows with T_start",
                    f"LPAPS {', '.join(f'{d:.2f}' for d in distance)} from T_start {', '.join(map(str, starts))}",
                    bool(np.all(np.diff(distance) > 0.0))),
            Finding(f"editing fig. 5, {n}: adherence to the words", "higher from earlier starts",
                    f"{early:.2f} over the earlier half of the starts, {late:.2f} over the later", early > late)]


def lines(figures: dict) -> list[str]:
    """A table, one row per T_start."""
    made = ["| T_start | SNR, dB | " + " | ".join(_HEADINGS.values()) + " |", "|---" * (2 + len(_HEADINGS)) + "|"]
    for t_start, level, one in zip(figures["plan"]["t_start"], figures["snr_db"], figures["means"], strict=True):
        made.append(f"| {t_start} | {level:.1f} | {one['adherence']:.2f} | {one['heard']:.0%} | {one['lpaps']:.3f} | "
                    f"{one['log_mel']:.3f} |")
    n, seconds = len(figures["edits"]), figures["plan"]["seconds"]
    return made + ["", f"{n} edits of held-out clips of {seconds:g} s by a target's words alone, towards another of "
                   f"{figures['classes']} classes. The paper prints no numbers; its examples begin at 80 to 150 (fig. 3)."]
