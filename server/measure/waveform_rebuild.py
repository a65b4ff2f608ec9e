# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a waveform model's autoencoder gives back what it is given: the wave itself, its highs, its mel spectrogram.

Clips of 5.12 s at the model's rate, each channel without its mean, the peak at 0.5, a stereo recording in stereo. Held-out
recordings stand apart from the corpus's test split. Highs are compared only where there are some: in a recording of more
than 20 kHz sample rate whose energy above 10 kHz lies less than 60 dB under the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from server.audio import Clip, fade, read_clip, resample, to_channels
from server.measure.bench import Bench, Finding
from server.measure.distances import energy_above_db, stft_distance
from server.measure.held_out import Sound, trimmed
from server.measure.mel_frames import SECONDS, filled
from server.measure.probes import at_model, of_row, round_trip, rows_of
from server.measure.si_sdr import si_sdr_db
from server.models.base import Backbone
from server.models.embedded.corpus import Corpus
from server.models.embedded.format import SPEC
from server.models.mel import log_mel

AIM_SI_SDR_DB, AIM_HIGHS_DB = 10.0, 3.0
HIGHS_HZ, FAINTEST_DB = 10000.0, -60.0
SETS = {"held_out": "held-out recordings", "corpus": "the corpus's test split"}


@dataclass(frozen=True)
class Given:
    """A clip that fits the model; `has_highs` is False where its source cannot have any. `channels` are the source's."""

    class_name: str
    title: str
    clip: Clip
    channels: int
    has_highs: bool = True


def measure(bench: Bench, per_class: int) -> dict:
    """Medians over the clips of each set (`SETS`), over those of each class, and the figures of every clip.

    Raises:
        NotMeasured: there are neither held-out sounds nor a corpus.
    """
    if bench.corpus is None:
        bench.need_held_out()
    sounds = bench.held_out.drawn(per_class, bench.seed) if bench.held_out else []
    items = rows_of(bench.corpus, "test", per_class, bench.seed) if bench.corpus else []
    waiting = {"held_out": [partial(as_recorded, sound) for sound in sounds],
               "corpus": [partial(of_item, bench.corpus, item) for item in items]}
    total, rows = len(sounds) + len(items), {}
    for name, clips in waiting.items():
        rows[name] = []
        for make in clips:
            bench.report(sum(map(len, rows.values())), total, SETS[name])
            rows[name].append(_row(bench.backbone, make(bench.backbone)))
    return {"model": "waveform", **{name: _over(found) | {"by_class": _by_class(found), "rows": found}
                                    for name, found in rows.items() if found}}


def as_recorded(sound: Sound, backbone: Backbone) -> Given:
    """A held-out recording at the model's rate and channel count, cut or heard again to 5.12 s."""
    rate = backbone.facts.sample_rate
    recorded = read_clip(sound.path, max_channels=None)
    clip = _eased(trimmed(to_channels(resample(recorded, rate), backbone.facts.channels)))
    samples = np.stack([filled(channel, round(SECONDS * rate), rate) for channel in clip.samples])
    return Given(sound.class_name, f"{sound.source}: {sound.path.name}", _centred(Clip(samples, rate)), recorded.channels,
                 sound.rate > 2 * HIGHS_HZ)


def of_item(corpus: Corpus, item: int, backbone: Backbone) -> Given:
    """A clip of the corpus, which is mono, at the model's rate and channel count."""
    probe = of_row(corpus, item)
    return Given(probe.class_name, probe.title, _centred(at_model(backbone, probe.clip)), 1)


def _centred(clip: Clip) -> Clip:
    samples = clip.samples - clip.samples.mean(axis=1, keepdims=True)
    return _eased(Clip(samples * (0.5 / (np.abs(samples).max() + 1e-6)), clip.sample_rate))


def _eased(clip: Clip) -> Clip:
    """With short fades: a clip that is cut off has highs that its sound has not."""
    return fade(clip, in_s=0.005, out_s=0.02)


@torch.no_grad()
def _row(backbone: Backbone, given: Given) -> dict:
    real, made = (torch.from_numpy(clip.samples) for clip in (given.clip, round_trip(backbone, given.clip)))
    rate = given.clip.sample_rate
    figures = {"class": given.class_name, "clip": given.title, "channels": given.channels,
               # All channels as one signal: a side that is silent has no ratio of its own.
               "si_sdr_db": round(float(si_sdr_db(made.numpy().ravel(), real.numpy().ravel())), 2),
               "stft": round(float(stft_distance(made, real).mean()), 4),
               "nat": round(float((_mel(made, rate) - _mel(real, rate)).abs().mean()), 4)}
    highs = _energy_db(real, rate, HIGHS_HZ)
    if given.has_highs and rate > 2 * HIGHS_HZ and highs - _energy_db(real, rate, 0.0) > FAINTEST_DB:
        figures["highs_db"] = round(_energy_db(made, rate, HIGHS_HZ) - highs, 2)
    return figures


def _energy_db(audio: Tensor, rate: int, hz: float) -> float:
    """Energy above `hz` of a clip `[channels, samples]`, the mean of its channels, in dB."""
    return float(10 * torch.log10((10 ** (energy_above_db(audio, rate, hz) / 10)).mean()))


def _mel(audio: Tensor, rate: int) -> Tensor:
    """Log-mels `[channels, frames, 64]` as the embedded mel model has them, at 32 kHz."""
    samples = torch.from_numpy(resample(Clip(audio.numpy(), rate), SPEC.sample_rate).samples)
    return log_mel(samples[:, :samples.shape[1] // SPEC.hop * SPEC.hop], SPEC)


def _over(rows: Sequence[dict]) -> dict:
    """Medians over some clips, and how many of them reach the aims."""
    highs = [row["highs_db"] for row in rows if "highs_db" in row]
    found = {"clips": len(rows), "stereo": sum(row["channels"] > 1 for row in rows),
             **{key: round(float(np.median([row[key] for row in rows])), 3) for key in ("si_sdr_db", "stft", "nat")},
             "above_aim": sum(row["si_sdr_db"] >= AIM_SI_SDR_DB for row in rows)}
    if highs:
        found |= {"highs_db": round(float(np.median(highs)), 2), "highs_clips": len(highs),
                  "highs_within": sum(abs(one) <= AIM_HIGHS_DB for one in highs)}
    return found


def _by_class(rows: Sequence[dict]) -> dict[str, dict]:
    names = dict.fromkeys(row["class"] for row in rows)
    return {name: _over([row for row in rows if row["class"] == name]) for name in names}


def findings(figures: dict) -> list[Finding]:
    """Two rows of the table of aims for the held-out recordings; for the corpus's test split where there are none."""
    name = next(name for name in SETS if name in figures)
    found, what = figures[name], SETS[name]
    rows = [Finding(f"round trip of {what}, SI-SDR", f"{AIM_SI_SDR_DB:g} dB",
                    f"median {found['si_sdr_db']:.1f} dB; {found['above_aim']} of {found['clips']} clips reach it; "
                    f"log-mel L1 {found['nat']:.2f} nat", found["si_sdr_db"] >= AIM_SI_SDR_DB)]
    if "highs_db" in found:
        rows.append(Finding(f"energy above 10 kHz after the round trip of {what}",
                            f"within {AIM_HIGHS_DB:g} dB of the input's",
                            f"median {found['highs_db']:+.1f} dB; {found['highs_within']} of {found['highs_clips']} clips "
                            "within", 2 * found["highs_within"] >= found["highs_clips"]
                            and abs(found["highs_db"]) <= AIM_HIGHS_DB))
    return rows


def lines(figures: dict) -> list[str]:
    """A table of the classes for each set."""
    made = []
    for name in (name for name in SETS if name in figures):
        found = figures[name]
        said = f"{found['clips']} clips of {SECONDS:g} s, {found['stereo']} in stereo"
        made += ["", f"Medians over {SETS[name]}: {said}.", "",
                 "| class | clips | SI-SDR, dB | reach 10 dB | above 10 kHz, dB | within 3 dB | log-mel L1, nat "
                 "| STFT distance |", "|---|---|---|---|---|---|---|---|"]
        made += [_line(*row) for row in (*found["by_class"].items(), ("**all**", found))]
    return made[1:]


def _line(name: str, row: dict) -> str:
    highs = f"{row['highs_db']:+.1f} | {row['highs_within']} of {row['highs_clips']}" if "highs_db" in row else " | "
    return (f"| {name} | {row['clips']} | {row['si_sdr_db']:.1f} | {row['above_aim']} of {row['clips']} | {highs} | "
            f"{row['nat']:.2f} | {row['stft']:.2f} |")
