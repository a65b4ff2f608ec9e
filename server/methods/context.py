# SPDX-License-Identifier: GPL-3.0-or-later
"""What a method is given beside its clips, and what it gives back. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.audio import Clip
from server.methods.cache import Cache

if TYPE_CHECKING:
    from server.models.base import Backbone


@dataclass(frozen=True)
class Progress:
    """One step of a job. `phase` is a word for people: encoding, learning, sampling, decoding."""

    step: int
    n_steps: int
    phase: str


@dataclass(frozen=True)
class Context:
    """The world as a method sees it.

    Attributes:
        job_id: of the job, so that an unset seed can be derived from it and survives a second attempt.
        digests: SHA-256 of each input, by role.
        palette_dir: folder of the palette entries, `<name>.safetensors`.
        backbone: loads a model by name (or returns the resident one).
        on_step: called with `Progress` before each step; raises JobCancelled to stop.
        attempt: 1, or 2 after a worker was lost.
        files: the inputs that are not audio, by role.
        cache: what earlier jobs of this worker left; empty at first.
        free_memory: gives back the memory of models that no job uses, and names them.
    """

    job_id: str
    digests: Mapping[str, str]
    palette_dir: Path
    backbone: Callable[[str], Backbone]
    on_step: Callable[[Progress], None]
    attempt: int = 1
    files: Mapping[str, Path] = field(default_factory=dict)
    cache: Cache = field(default_factory=Cache)
    free_memory: Callable[[], Sequence[str]] = tuple

    def seed(self, asked: int | None) -> int:
        """The seed asked for, else one derived from the job id: the same on every attempt."""
        if asked is not None:
            return asked
        return int.from_bytes(hashlib.sha256(self.job_id.encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True)
class Output:
    """One named result: a clip, or bytes of `media`. `provenance` says how it was made, in JSON values."""

    role: str
    name: str
    clip: Clip | None = None
    data: bytes | None = None
    media: str = "audio/wav"
    provenance: Mapping[str, Any] = field(default_factory=dict)
