# SPDX-License-Identifier: GPL-3.0-or-later
"""The real clips that a model is measured on: held-out recordings, and for classes that have none the corpus's test split.

Both are by sources that neither the model nor, where it is asked about them, the judge has learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from server.audio import Clip, fold_mono, read_clip, resample, to_channels, to_length, write_clip
from server.measure.bench import Bench
from server.measure.held_out import Sound
from server.measure.mel_frames import N_SAMPLES, SPEC, filled
from server.models.base import Backbone
from server.models.embedded.corpus import Corpus


@dataclass(frozen=True)
class Probe:
    """One clip of 5.12 s at 32 kHz, mono. `sound` is its recording, None for a clip of the corpus; `key` names it."""

    class_name: str
    clip: Clip
    key: str
    title: str
    sound: Sound | None = None


def of_sound(sound: Sound) -> Probe:
    """A held-out recording, cut or heard again to the length."""
    samples = filled(sound.clip(SPEC.sample_rate).samples[0], N_SAMPLES)
    return Probe(sound.class_name, Clip(_at_peak(samples)[None], SPEC.sample_rate), sound.sha256[:16],
                 f"{sound.source}: {sound.path.name}", sound)


def of_row(corpus: Corpus, row: int) -> Probe:
    """An item of the corpus."""
    item = corpus.items[row]
    samples = np.asarray(corpus.audio[row, :N_SAMPLES]).astype(np.float32) / 32768
    return Probe(corpus.names[item["class"]], Clip(_at_peak(samples - samples.mean())[None], SPEC.sample_rate),
                 f"corpus-{row}", f"corpus {item['split']}: {item['source']}")


def rows_of(corpus: Corpus, split: str, per_class: int, seed: int, names: list[str] | None = None) -> list[int]:
    """Up to `per_class` rows of each class in use (or of those named), evenly over its kinds, in class order."""
    rng = np.random.default_rng([seed, 95])
    pools: dict[int, dict[str, list[int]]] = {}
    for row in rng.permutation(corpus.of_split(split)):
        item = corpus.items[row]
        pools.setdefault(item["class"], {}).setdefault(item["kind"], []).append(int(row))
    chosen: list[int] = []
    for index in sorted(pools):
        if names is None or corpus.names[index] in names:
            kinds = [pools[index][kind] for kind in sorted(pools[index])]
            turns = [pool[turn] for turn in range(max(map(len, kinds))) for pool in kinds if turn < len(pool)]
            chosen += turns[:per_class]
    return chosen


def probes(bench: Bench, per_class: int) -> list[Probe]:
    """Up to `per_class` clips of every class: held-out recordings, or of the corpus where there are none.

    Raises:
        NotMeasured: there are neither held-out sounds nor a corpus.
    """
    if bench.corpus is None:
        bench.need_held_out()
    known = None if bench.corpus is None else {bench.corpus.names[index] for index in bench.corpus.classes}
    sounds = bench.held_out.drawn(per_class, bench.seed) if bench.held_out else []
    found = [of_sound(sound) for sound in sounds if known is None or sound.class_name in known]
    if bench.corpus is not None and known is not None:
        lacking = sorted(known - {probe.class_name for probe in found})
        found += [of_row(bench.corpus, row) for row in rows_of(bench.corpus, "test", per_class, bench.seed, lacking)]
        order = {name: index for index, name in enumerate(bench.corpus.names)}
        found.sort(key=lambda probe: order[probe.class_name])
    return found


def rebuilt(bench: Bench, probe: Probe) -> Clip:
    """The probe after the model's own autoencoder (and vocoder), at the model's rate; kept in the bench's folder."""
    folder = bench.folder / f"rebuilt-{model_key(bench.backbone)}"
    path = folder / f"{probe.key}.wav"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        write_clip(path, round_trip(bench.backbone, at_model(bench.backbone, probe.clip)))
    return read_clip(path)


def at_model(backbone: Backbone, clip: Clip) -> Clip:
    """A clip at the model's rate and channel count."""
    return to_channels(resample(clip, backbone.facts.sample_rate), backbone.facts.channels)


def round_trip(backbone: Backbone, clip: Clip) -> Clip:
    """Encode and decode a clip that has the model's rate and channels."""
    with torch.no_grad():
        latents = backbone.encode(torch.from_numpy(clip.samples)[None])
        made = backbone.decode(latents, clip.n_samples)
    return Clip(made[0].float().cpu().numpy(), clip.sample_rate)


def given_back(backbone: Backbone, clip: Clip) -> Clip:
    """A clip as `round_trip` gives it back, mono, at its own rate and length."""
    back = resample(fold_mono(round_trip(backbone, at_model(backbone, clip))), clip.sample_rate)
    return to_length(back, clip.n_samples)


def model_key(backbone: Backbone) -> str:
    """What tells the weights apart, fit for a file name."""
    return "".join(c if c.isalnum() else "-" for c in backbone.facts.revision)[:12] or "model"


def _at_peak(samples: np.ndarray) -> np.ndarray:
    return (samples * (0.5 / (np.abs(samples).max() + 1e-6))).astype(np.float32)
