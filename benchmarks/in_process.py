# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a job kind in this process, without a server."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.audio import Clip, wav_bytes
from server.kinds import parse_options
from server.methods import run
from server.methods.context import Context, Output
from server.models.base import Backbone
from server.models.loading import load


class Studio:
    """A loaded backbone and a palette folder of its own."""

    def __init__(self, backbone: str = "embedded") -> None:
        self.backbone: Backbone = load(backbone)
        self.palette = Path(tempfile.mkdtemp(prefix="athanor-palette-"))

    def __call__(self, kind: str, clips: Mapping[str, Clip], **options: Any) -> list[Output]:
        """The outputs of one job; a learned entry goes into the palette."""
        digests = {role: hashlib.sha256(wav_bytes(clip)).hexdigest() for role, clip in clips.items()}
        context = Context("benchmark", digests, self.palette, lambda name: self.backbone, lambda progress: None)
        parsed = parse_options(kind, options, frozenset(clips))
        outputs = run(kind, clips, parsed, context)
        for output in outputs:
            if output.role == "adapter":
                (self.palette / f"{output.name}.safetensors").write_bytes(output.data)
        return outputs
