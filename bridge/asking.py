# SPDX-License-Identifier: GPL-3.0-or-later
"""From a render call to what it asks for: files by name, or the client's selection. Names must stay names: a path from
another program is a hole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.arguments import Call, as_text
from bridge.imports import resolve
from bridge.intake import ASK_OPTIONS, Ask
from bridge.selection import SelectedClip, with_selection
from server.errors import InvalidOption
from server.kinds import find_kind

_TEXTS = ("key", "meter", "lane", "track")


def ask_of(call: Call, root: Path, allowed: Sequence[Path], clips: Sequence[SelectedClip]) -> Ask:
    """What a render call asks for.

    Args:
        root, allowed: where the names of files lead.
        clips: the client's selection; it holds where the call names none of the kind's clips.

    Raises:
        InvalidInput, InvalidOption: a name that leads nowhere or out, or a selection that does not fit the kind.
    """
    assert call.route.kind is not None
    inputs = find_kind(call.route.kind).inputs
    given = {spec.role: (call.options if spec.flag else call.values).get(spec.role) for spec in inputs}
    names = {role: as_text(name) for role, name in given.items() if name}
    other = {*ASK_OPTIONS, *(spec.role for spec in inputs if spec.flag)}
    options = {name: value for name, value in call.options.items() if name not in other}
    ask = Ask(call.route.kind, {role: resolve(root, name, allowed) for role, name in names.items()}, names,
              options=_as_texts(call.route.kind, options), **_shared(call))
    names_a_clip = any(spec.role in names for spec in inputs if not spec.flag)
    return ask if names_a_clip or not clips or not inputs else with_selection(ask, clips)


def preset_name(value: Any) -> str:
    """The name of a preset or chain, as another program may give it; InvalidOption for a path."""
    name = as_text(value)
    if "/" in name or "\\" in name or "." in name:
        raise InvalidOption(f"give the name of a preset, not a path: {name!r}.")
    return name


def _shared(call: Call) -> dict[str, Any]:
    """The options that every kind's render takes."""
    found = {name: call.options[name] for name in ASK_OPTIONS if name in call.options}
    for name in found:
        if name in ("preset", "chain", "pre"):
            found[name] = preset_name(found[name])
        elif name in _TEXTS:
            found[name] = as_text(found[name])
    return found


def _as_texts(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Numbers where the kind wants words: `@prompt 808` is a prompt."""
    fields = find_kind(kind).options.model_fields
    return {name: as_text(value) if name in fields and _is_text(fields[name].annotation) else value
            for name, value in options.items()}


def _is_text(annotation: Any) -> bool:
    return annotation is str or annotation == (str | None)
