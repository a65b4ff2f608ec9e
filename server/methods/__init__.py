# SPDX-License-Identifier: GPL-3.0-or-later
"""One file per method: a function of (clips, options, context) that returns outputs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from server.audio import Clip
from server.methods.context import Context, Output


def run(kind: str, clips: Mapping[str, Clip], options: Any, context: Context) -> list[Output]:
    """Run `server.methods.<kind>.run`; the module is imported here, so that a kind costs only what it needs."""
    return import_module(f"server.methods.{kind}").run(clips, options, context)
