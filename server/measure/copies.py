# SPDX-License-Identifier: GPL-3.0-or-later
"""Are generated clips copies? Each is held against every training clip of its class, and the nearest is named.

Two clips are compared by the highest correlation of their coarse log-mels (80 ms, 32 bands) over all shifts in time and
up to two bands in pitch, as training varies its clips; the distance is one less that, 0 for the same sound. The yardstick
is how near clips that the model never saw come to a training clip of their class: held-out recordings, and the corpus's
own test split, which is of the same making and so the nearer of the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.audio import Clip
from server.measure import mel_frames
from server.measure.bench import Bench, Finding
from server.measure.generated import Plan, generated
from server.measure.picture import Pair, draw
from server.measure.probes import of_row, of_sound, rows_of
from server.models.embedded.corpus import Corpus
from server.models.mel import MelSpec, log_mel

COARSE = MelSpec(32000, n_fft=4096, hop=2560, n_mels=32, f_max=16000.0)
FLOOR_NAT, BANDS, SHIFT_LENGTH = 7.0, 2, 256
UNSEEN_CLIPS = 8
PICTURE = "nearest.png"
AIM = 0.5


def measure(bench: Bench, plan: Plan | None = None, unseen_clips: int = UNSEEN_CLIPS) -> dict:
    """The nearest training clip of every generated one, with the yardsticks; the nearest pair of all is drawn.

    Raises:
        NotMeasured: there is no corpus.
    """
    plan, corpus = plan or Plan(), bench.need_corpus()
    names = [corpus.names[index] for index in sorted(corpus.classes)]
    made, rows, nearest = generated(bench, names, plan), {}, None
    trained: dict[str, list[int]] = {name: [] for name in names}
    for row in corpus.of_split("train"):
        trained[corpus.names[corpus.items[row]["class"]]].append(int(row))
    for number, name in enumerate(names):
        bench.report(number, len(names), f"training clips of {name}")
        own = trained[name]
        if not own:
            continue
        known = torch.fft.rfft(_of_rows(corpus, own), SHIFT_LENGTH, dim=1)
        found = [_nearest(known, clip) for clip in made[name]]
        sounds = [s for s in (bench.held_out.drawn(unseen_clips, bench.seed) if bench.held_out else [])
                  if s.class_name == name]
        unseen = {"recordings": [of_sound(sound).clip for sound in sounds],
                  "test": [of_row(corpus, row).clip for row in rows_of(corpus, "test", unseen_clips, bench.seed, [name])]}
        rows[name] = _row(corpus, own, found, {kind: [_nearest(known, clip)[0] for clip in clips]
                                               for kind, clips in unseen.items()})
        at = int(np.argmin([distance for distance, _ in found]))
        if nearest is None or found[at][0] < nearest[0]:
            nearest = (found[at][0], name, made[name][at], own[found[at][1]])
    figures = _overall(rows)
    if nearest is not None:
        twin = of_row(corpus, nearest[3])
        figures["nearest"] = {"class": nearest[1], "distance": nearest[0], "training_clip": twin.title, "picture": PICTURE}
        draw(bench.folder / PICTURE, [Pair(f"{nearest[1]}: generated", nearest[2],
                                           f"{twin.title}: distance {nearest[0]:.2f}", twin.clip)])
    return figures


def _row(corpus: Corpus, own: Sequence[int], found: Sequence[tuple[float, int]], unseen: dict[str, list[float]]) -> dict:
    row = {"training_clips": len(own),
           "generated": [{"distance": distance, "nearest": of_row(corpus, own[at]).title} for distance, at in found]}
    for kind, distances in unseen.items():
        if distances:
            row[kind] = {"clips": len(distances), "median": round(float(np.median(distances)), 4),
                         "nearest": min(distances)}
    return row


def _overall(rows: dict[str, dict]) -> dict:
    """Medians over all clips, and how many generated ones come nearer than any clip that the model never saw."""
    distances = [clip["distance"] for row in rows.values() for clip in row["generated"]]
    found: dict = {"clips": len(distances), "generated": round(float(np.median(distances)), 4)}
    for kind in ("recordings", "test"):
        medians = [row[kind]["median"] for row in rows.values() if kind in row]
        if medians:
            found[kind] = round(float(np.median(medians)), 4)
    yardstick = {name: min(row[kind]["nearest"] for kind in ("recordings", "test") if kind in row)
                 for name, row in rows.items() if "recordings" in row or "test" in row}
    close = [(clip["distance"] / max(yardstick[name], 1e-6), name) for name, row in rows.items() if name in yardstick
             for clip in row["generated"]]
    found["nearer_than_any_unseen"] = sum(ratio < 1 for ratio, _ in close)
    found["copies"] = sum(ratio < AIM for ratio, _ in close)
    found["copied_classes"] = sorted({name for ratio, name in close if ratio < AIM})
    return found | {"by_class": rows}


def coarse(audio: Tensor) -> Tensor:
    """Fingerprints `[clips, frames, 32]` of audio `[clips, samples]` at 32 kHz: floored, without mean, of unit length."""
    audio = F.pad(audio, (0, -audio.shape[1] % COARSE.hop))
    mel = log_mel(audio * (0.5 / (audio.abs().amax(1, keepdim=True) + 1e-6)), COARSE)
    mel = torch.maximum(mel, mel.amax((1, 2), keepdim=True) - FLOOR_NAT)
    mel = mel - mel.mean((1, 2), keepdim=True)
    return mel / (mel.square().sum((1, 2), keepdim=True).sqrt() + 1e-9)


def _of_rows(corpus: Corpus, rows: Sequence[int]) -> Tensor:
    parts = [coarse(torch.from_numpy(np.asarray(corpus.audio[rows[at:at + 64]])).float() / 32768)
             for at in range(0, len(rows), 64)]
    return torch.cat(parts)


def _nearest(known: Tensor, clip: Clip) -> tuple[float, int]:
    """Distance to, and place of, the nearest of fingerprints given as their transforms over time."""
    print_ = coarse(mel_frames.audio_of([clip], clip_samples(clip)))[0]
    turned = [F.pad(print_, (shift, -shift)) for shift in range(-BANDS, BANDS + 1)]
    best = torch.full((len(known),), -1.0)
    for one in turned:
        across = torch.fft.irfft((known * torch.fft.rfft(one, SHIFT_LENGTH, dim=0).conj()).sum(2), SHIFT_LENGTH, dim=1)
        best = torch.maximum(best, across.amax(1))
    at = int(best.argmax())
    return round(1 - float(best[at]), 4), at


def clip_samples(clip: Clip) -> int:
    """The clip's own length at 32 kHz, at most that of a training clip: it is not heard again here."""
    return min(round(clip.duration_s * COARSE.sample_rate), 6 * COARSE.sample_rate)


def findings(figures: dict) -> list[Finding]:
    """No generated clip may come half as near to a training clip as the nearest clip that the model never saw."""
    said = [f"{figures['copies']} of {figures['clips']} clips"]
    if figures["copied_classes"]:
        said.append(f"({', '.join(figures['copied_classes'])})")
    others = [f"{figures[kind]:.2f} for {words}" for kind, words in
              (("recordings", "held-out recordings"), ("test", "the test split")) if kind in figures]
    return [Finding("copies: generated clips that come half as near to a training clip as any unseen clip of the class",
                    "none", f"{' '.join(said)}; median distance to the nearest training clip {figures['generated']:.2f}, "
                    + ", ".join(others), figures["copies"] == 0)]


def lines(figures: dict) -> list[str]:
    """A table of the classes, and the nearest pair."""
    made = ["| class | training clips | nearest of the generated | its training clip | recordings | test split |",
            "|---|---|---|---|---|---|"]
    for name, row in figures["by_class"].items():
        best = min(row["generated"], key=lambda clip: clip["distance"])
        unseen = " | ".join(f"{row[kind]['nearest']:.2f}" if kind in row else "" for kind in ("recordings", "test"))
        made.append(f"| {name} | {row['training_clips']} | {best['distance']:.2f} | {best['nearest']} | {unseen} |")
    if "nearest" in figures:
        near = figures["nearest"]
        made += ["", f"The nearest pair of all is a clip of the class {near['class']} at {near['distance']:.2f} from "
                 f"{near['training_clip']} ({near['picture']})."]
    return made
