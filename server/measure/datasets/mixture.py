# SPDX-License-Identifier: GPL-3.0-or-later
"""A mixture whose stems are known: what every separation set gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.audio import Clip

PEAK = 0.5


@dataclass(frozen=True)
class Mixture:
    """Attributes:
        clip: the mixture, the sum of the stems (a published one to its own rounding); all of one rate and length.
        stems: by label; a label is what to say as the stem's prompt.
        name: tells it from the others of its set.
        classes: by label, the class of sound, where the set has one that is not the label.
    """

    clip: Clip
    stems: Mapping[str, Clip]
    name: str
    classes: Mapping[str, str]


def mixed(stems: Mapping[str, np.ndarray], sample_rate: int, name: str, classes: Mapping[str, str] | None = None, *,
          levels_db: Sequence[float] | None = None) -> Mixture:
    """A mixture of stems [channels, time] of one length, at peak 0.5.

    Args:
        levels_db: of each stem's RMS relative to the others, 0 for all by default; `()` leaves the stems as they are to
            each other (a real multitrack).

    Raises:
        ValueError: a stem is silent, or they differ in shape.
    """
    if len({x.shape for x in stems.values()}) != 1 or not all(np.abs(x).max() > 0 for x in stems.values()):
        raise ValueError(f"{name}: stems must be audible and of one shape; they are "
                         f"{', '.join(f'{label} {x.shape}' for label, x in stems.items())}")
    wanted_db = [0.0] * len(stems) if levels_db is None else levels_db
    if len(wanted_db):
        stems = {label: x * (10 ** (level_db / 20) / np.sqrt(np.mean(np.square(x, dtype=np.float64))))
                 for (label, x), level_db in zip(stems.items(), wanted_db, strict=True)}
    gain = PEAK / np.abs(sum(stems.values())).max()
    clips = {label: Clip((gain * x).astype(np.float32), sample_rate) for label, x in stems.items()}
    total = np.sum([clip.samples for clip in clips.values()], axis=0, dtype=np.float32)
    return Mixture(Clip(total, sample_rate), clips, name, dict(classes or {label: label for label in stems}))
