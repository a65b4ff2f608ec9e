# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests about clips, presets and places do: the part of the desk that starts no render."""

from __future__ import annotations

import asyncio
from pathlib import Path

import presets
from bridge.arguments import Call, as_text
from bridge.asking import preset_name
from bridge.folders import allowed
from bridge.journal import Journal
from bridge.outlets import Address
from bridge.packets import Message, Value
from bridge.routes import CLIP, PRESET_ENTRY, render_route
from bridge.selection import MOST_CLIPS, SelectedClip, selected_clip
from server.errors import InvalidOption, RequestRefused
from server.kinds import find_kind


class ClipDesk:
    """Answers calls about selections and presets. Use it in one event loop."""

    _journal: Journal
    _root: Path
    _home: Path

    async def add_clip(self, call: Call, client: str, source: Address) -> list[Value]:
        before = self._journal.selection(client)
        known = next((each for each in before if each.request_id == call.request_id), None)
        if known is not None and known.asked != call.asked:
            raise RequestRefused(f"request id {call.request_id!r} has selected another clip; choose a new id.",
                                 code="conflict", retryable=False)
        if known is None and len(before) == MOST_CLIPS:
            raise RequestRefused(f"{MOST_CLIPS} clips are selected, which is as many as there may be; clear the selection "
                                 "first.", code="selection_full", retryable=False)
        clip = _read(known.clip) if known else await asyncio.to_thread(self._checked_clip, call)
        place = known.place if known else self._journal.select(client, call.request_id, call.asked, clip.model_dump_json())
        return [place, clip.region.length_samples, clip.sample_rate, clip.channels]

    def _checked_clip(self, call: Call) -> SelectedClip:
        return selected_clip(as_text(call.values["file"]), call.options, self._root, allowed(self._home))

    async def clear_clips(self, call: Call, client: str, source: Address) -> list[Value]:
        self._journal.clear_selection(client)
        return [0]

    async def list_clips(self, call: Call, client: str, source: Address) -> list[Value]:
        return [len(self.selection(client))]

    async def list_presets(self, call: Call, client: str, source: Address) -> list[Value]:
        return [len(presets.listing(home=self._home))]

    def selection(self, client: str) -> list[SelectedClip]:
        """The clips that a client has selected, in their order."""
        return [_read(each.clip) for each in self._journal.selection(client)]

    def as_render(self, call: Call) -> Call:
        """A `preset` call as the `render` call of the preset's kind."""
        preset = presets.load(preset_name(call.values["preset"]), home=self._home)
        if preset.kind == "chain":
            raise InvalidOption(f"{preset.name!r} is a chain, which follows a render: give it to one with @chain.")
        options = call.options | {"preset": preset.name}
        return Call(render_route(find_kind(preset.kind)), {"request": call.request_id}, options, call.client, call.asked)

    def lines(self, call: Call, client: str) -> list[Message]:
        """The messages that follow the answer to a list."""
        match call.route.handler:
            case "list_clips":
                rows = [_clip_line(clip) for clip in self.selection(client)]
                return _numbered(CLIP, call, rows)
            case "list_presets":
                return _numbered(PRESET_ENTRY, call, [(preset.name, preset.kind, preset.title, preset.description)
                                                      for preset in presets.listing(home=self._home)])
        return []


def _numbered(address: str, call: Call, rows: list[tuple[Value, ...]]) -> list[Message]:
    return [Message(address, (call.request_id, index, len(rows), *row)) for index, row in enumerate(rows, 1)]


def _clip_line(clip: SelectedClip) -> tuple[Value, ...]:
    return (clip.role, clip.track, str(clip.region.offset_samples), clip.region.length_samples, clip.sample_rate,
            clip.channels, clip.file)


def _read(text: str) -> SelectedClip:
    return SelectedClip.model_validate_json(text)
