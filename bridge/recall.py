# SPDX-License-Identifier: GPL-3.0-or-later
"""A result once more: from its placement record back to the request that made it.

With the seed of then and the same weights the same sound comes back; with another seed a relative of it. A job is rendered
whole, so a sweep comes back as a sweep.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.history import Past
from bridge.imports import resolve
from bridge.intake import Ask
from bridge.placement import SourceClip, SourceFile, checksum
from bridge.regions import Region
from plugin_host import Chain
from server.errors import InvalidInput
from server.kinds import KINDS
from server.kinds.debug import DEBUG

Locate = Callable[[SourceFile], Path]
"""Where a source lies now; InvalidInput where it cannot be found or may not be read."""


def ask_again(past: Past, locate: Locate, seed: Any = None) -> Ask:
    """The request that a result came from, with another seed if one is given.

    Raises:
        InvalidInput: the record does not say how the result was made, or a clip of then is gone or has changed.
    """
    record, provenance = past.record, past.record.provenance
    kind, options = str(provenance.get("kind", "")), provenance.get("options")
    if kind not in (*KINDS, DEBUG.name) or not isinstance(options, dict):
        raise InvalidInput(f"{past.sound.name} was not rendered, or by an older Athanor: its record does not say how to "
                           "make it again.")
    used = provenance.get("seed", options.get("seed")) if seed is None else seed
    sources: Sequence[SourceFile] = (*record.sources, *record.files)
    is_requested = record.start_source == "requested"
    return Ask(
        kind, {source.role: _unchanged(source, locate) for source in sources},
        {source.role: source.file for source in sources},
        {**options, **({} if used is None else {"seed": used})},
        chain=_chain(provenance, "post", past), pre=_chain(provenance, "pre", past),
        start=str(record.start_samples) if is_requested else None,
        start_rate=record.start_rate if is_requested else None,
        start_beats=record.start_beats if is_requested else None, tempo=record.tempo_bpm, meter=record.meter or None,
        key=record.key or None, lane=record.lane, track=record.track or None,
        regions={source.role: _region(source, locate) for source in record.sources if _is_part(source)})


def anywhere(past: Past) -> Locate:
    """For a person at a terminal: sources where they lay, else beside the result or a folder above."""
    def locate(source: SourceFile) -> Path:
        results = past.sound.parent
        for path in (Path(source.path or source.file), results / source.file, results.parent / source.file):
            if path.is_file():
                return path
        raise InvalidInput(f"the {source.role} {source.file} is not at {source.path or source.file} any more. Put it back.")

    return locate


def permitted(past: Past, root: Path, allowed: Sequence[Path]) -> Locate:
    """For another program: sources where it may name files itself, or where the journal says that they lay."""
    def locate(source: SourceFile) -> Path:
        if past.is_ours and source.path and Path(source.path).is_file():
            return Path(source.path)
        return resolve(root, source.file, allowed)

    return locate


def _unchanged(source: SourceFile, locate: Locate) -> Path:
    path = locate(source)
    if checksum(path) != source.checksum:
        raise InvalidInput(f"the {source.role} {source.file} has changed since then, so the result cannot come back. "
                           "Render it anew.")
    return path


def _is_part(source: SourceClip) -> bool:
    return source.used_samples is not None


def _region(source: SourceClip, locate: Locate) -> Region:
    right = _unchanged(source.right, locate) if source.right else None
    assert source.used_samples is not None
    return Region(offset_samples=source.offset_samples, used_samples=source.used_samples, right=right,
                  playback_rate=repr(source.playback_rate).removesuffix(".0"), preserve_pitch=source.preserve_pitch,
                  right_name=source.right.file if source.right else "")


def _chain(provenance: Mapping[str, Any], key: str, past: Past) -> Chain | None:
    """The plugins of then. In a record that anybody may have written, a plugin is a name and never a file to load."""
    if key not in provenance:
        return None
    try:
        chain = Chain.model_validate_json(json.dumps(provenance[key]))  # as JSON, lists are the tuples that they were
    except ValidationError:
        raise InvalidInput(f"the record of {past.sound.name} does not say which plugins ran.") from None
    if past.is_ours:
        return chain
    return Chain(title=chain.title, links=tuple(
        link if link.builtin else link.model_copy(update={link.format: Path(link.plugin).stem}) for link in chain.links))
