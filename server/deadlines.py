# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a job may run: its kind's time for one window of the model, and in proportion more for a longer clip. No torch.

What is longer than a model's window is rendered window by window, so a limit that did not grow with the clip would end long
renders that do well. One that hangs is found otherwise, by the steps that it does not report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.audio import read_header
from server.errors import AthanorError
from server.executors.base import Task
from server.kinds import find_kind
from server.models.catalogue import CATALOGUE, find

WINDOW_S = 10.24
"""Window of a model whose card says none: the embedded model's, and those of everything trained from it."""


def limit_of(task: Task, home: Path) -> float:
    """Seconds that an attempt at `task` may take, where the server was not told otherwise (`--set deadline_s=...`)."""
    kind = find_kind(task.kind)
    audio = {spec.role for spec in kind.inputs if spec.is_audio}
    lengths = [_seconds(path) for role, path in task.inputs.items() if role in audio]
    return scaled(kind.deadline_s, max([*lengths, _asked_s(task.options)]), window_s(task.options, home))


def scaled(deadline_s: float, length_s: float, window: float) -> float:
    """`deadline_s` for what fits into one window; beyond it, in proportion to the length. All in seconds."""
    return deadline_s * max(1.0, length_s / window)


def window_s(options: Mapping[str, Any], home: Path) -> float:
    """The longest clip that the job's model renders at once, in seconds."""
    name = str(options.get("backbone", "embedded"))
    try:
        source = find(name, home).source
    except AthanorError:
        return WINDOW_S  # the job will say what is wrong with the name
    card = CATALOGUE.get(name) or next((card for card in CATALOGUE.values() if card.source == source), None)
    return card.max_s if card else WINDOW_S


def _seconds(path: Path) -> float:
    """Length of a clip; 0 where it cannot be read, which the job says better."""
    try:
        return read_header(path).duration_s
    except AthanorError:
        return 0.0


def _asked_s(options: Mapping[str, Any]) -> float:
    """The length that `generate` is asked for; options come as numbers or as text."""
    try:
        return float(options.get("seconds", 0.0))
    except (TypeError, ValueError):
        return 0.0
