# SPDX-License-Identifier: GPL-3.0-or-later
"""Run job kinds in this process, without a server: what a composer would get, for who measures it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from server.audio import Clip, wav_bytes
from server.kinds import parse_options
from server.methods import run
from server.methods.cache import Cache
from server.methods.context import Context, Output, Progress
from server.models.base import Backbone


class Studio:
    """A loaded backbone, a cache and a palette folder of its own. A context manager that removes the folder at the end."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.cache = Cache()
        self._folder = tempfile.TemporaryDirectory(prefix="athanor-palette-")
        self.palette = Path(self._folder.name)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._folder.cleanup()

    def __call__(self, kind: str, clips: Mapping[str, Clip], *, files: Mapping[str, Path] | None = None,
                 **options: Any) -> list[Output]:
        """The outputs of one job; a learned entry goes into the palette. files: inputs that are not audio, by role.

        Raises:
            InvalidOption, InvalidInput: as the job kind does.
        """
        files = files or {}
        parsed = parse_options(kind, options, frozenset(clips) | frozenset(files))
        outputs = run(kind, clips, parsed, replace(self.context(clips), files=files))
        for output in outputs:
            if output.role == "adapter":
                assert output.data is not None
                (self.palette / f"{output.name}.safetensors").write_bytes(output.data)
        return outputs

    def context(self, clips: Mapping[str, Clip] | None = None) -> Context:
        """What a method is given here: this backbone whatever name it asks for, progress told to nobody."""
        digests = {role: hashlib.sha256(wav_bytes(clip)).hexdigest() for role, clip in (clips or {}).items()}
        return Context("measure", digests, self.palette, lambda name: self.backbone, _quietly, cache=self.cache)


def _quietly(progress: Progress) -> None:
    """The progress of one job is of no interest; a measurement tells its own."""
