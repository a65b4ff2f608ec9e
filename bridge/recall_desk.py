# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests about the past do: render again, list, put back on the timeline."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from bridge.announce import told_name
from bridge.arguments import Call, as_text
from bridge.folders import allowed
from bridge.history import Past, find_past, matching, of_journal, past_results
from bridge.imports import resolve
from bridge.intake import Asker, prepare
from bridge.journal import Entry, Journal
from bridge.outlets import Address
from bridge.packets import Message, Value
from bridge.placement import record_path
from bridge.recall import ask_again, permitted
from bridge.request import RenderRequest
from bridge.routes import HISTORY_ENTRY
from server.errors import InvalidInput, InvalidOption

_LISTED, _MOST_LISTED = 50, 200


def placed_again(results: list[Past], client: str, request_id: str, asked: str, journal: Journal) -> Entry:
    """An entry for results of the past, of which `client` hears as if they had just been placed for it.

    Raises:
        InvalidInput: a sound file is not there any more.
    """
    first = results[0]
    gone = next((past.sound for past in results if not past.sound.is_file()), None)
    if gone is not None:
        raise InvalidInput(f"{gone} is not there any more; render it again.")
    request = RenderRequest(client=client, request_id=request_id, origin=f"again:{client}", asked=asked,
                            kind=str(first.record.provenance.get("kind", "")), out=first.sound.parent)
    entry, _ = journal.accept(request, [
        {"file": str(past.sound), "record": str(record_path(past.sound)), "placement": past.record.model_dump(mode="json")}
        for past in results])
    return entry


def new_request_id() -> str:
    """An id for a request that no client has made itself."""
    return f"again-{uuid.uuid4().hex[:12]}"


class RecallDesk:
    """Answers calls about results of the past. Use it in one event loop."""

    _journal: Journal
    _root: Path
    _home: Path
    _listed: dict[tuple[str, str], list[Past]]

    def again_of(self, call: Call, asker: Asker, results: list[Past]) -> RenderRequest:
        """The request of an `again` call. Blocking."""
        locate = permitted(results[0], self._root, allowed(self._home))
        return prepare(ask_again(results[0], locate, call.options.get("seed")), asker, self._home)

    async def named_results(self, call: Call) -> list[Past]:
        """The results that a call means by a file's name or a job's id."""
        name, known = as_text(call.values["result"]), of_journal(self._journal)
        return await asyncio.to_thread(lambda: find_past(name, self._file(name), self._root, known))

    def _file(self, name: str) -> Path | None:
        try:
            return resolve(self._root, name, allowed(self._home))
        except InvalidInput:
            if "/" in name or "." in name or "\\" in name:
                raise
            return None  # a job's id, then

    async def history(self, call: Call, client: str, source: Address) -> list[Value]:
        found = self._listed[client, call.asked] = await self._found(call)
        return [len(found)]

    async def _found(self, call: Call) -> list[Past]:
        limit = as_text(call.options.get("limit", _LISTED))
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LISTED:
            raise InvalidOption(f"limit={limit!r} is not a number from 1 to {_MOST_LISTED}.")
        words, known = as_text(call.options.get("find", "")), of_journal(self._journal)
        return (await asyncio.to_thread(lambda: matching(past_results(self._root, known), words)))[:int(limit)]

    def history_lines(self, call: Call, client: str) -> list[Message]:
        """The lines that follow the answer to `history`."""
        found = self._listed.pop((client, call.asked), [])
        return [Message(HISTORY_ENTRY, (call.request_id, index, len(found), past.record.job_id,
                                        str(past.record.provenance.get("kind", "")), past.record.role, past.record.created,
                                        told_name(self._root, str(past.sound)), past.record.name, past.where))
                for index, past in enumerate(found, 1)]

    async def put_back(self, call: Call, client: str, source: Address) -> list[Value]:
        known = self._journal.in_use(client, call.request_id)
        if known is not None and known.request.asked == call.asked:
            return [known.job_id]
        entry = placed_again(await self.named_results(call), client, call.request_id, call.asked, self._journal)
        return [entry.job_id]
