# SPDX-License-Identifier: GPL-3.0-or-later
"""What each request does: the methods that the table of routes names, and the running jobs behind them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from bridge.announce import Announcer, Send, end_messages
from bridge.arguments import Call, as_text
from bridge.asking import ask_of
from bridge.clients import Clients
from bridge.clip_desk import ClipDesk
from bridge.fair import FairSlots
from bridge.folders import allowed
from bridge.imports import RESULTS_FOLDER
from bridge.intake import Asker, prepare
from bridge.journal import Entry, Journal
from bridge.outlets import Address, Outlet
from bridge.packets import Message, Value
from bridge.progress import Progress
from bridge.recall_desk import RecallDesk
from bridge.request import RenderRequest
from bridge.routes import JOB, PROFILE
from bridge.session import OnProgress, Session
from server import __version__
from server.errors import AthanorError, InvalidOption, RequestRefused

_log = logging.getLogger("athanor.bridge")
_JOBS_AT_ONCE = 16
_LISTED = 50
MOST_REQUEST_ID = 64


MakeSession = Callable[[OnProgress], Session]
"""Makes the session that runs requests, given where its progress goes."""


class Desk(ClipDesk, RecallDesk):
    """Answers calls and runs what they ask for. Use it in one event loop.

    Args:
        journal: every request's way.
        clients: who they are and where their answers go.
        send: how a message reaches a client.
        make_session: makes the session that runs requests.
        root: import root.
        home: data folder, for presets.
    """

    def __init__(self, journal: Journal, clients: Clients, send: Send, make_session: MakeSession, root: Path,
                 home: Path) -> None:
        self._journal, self._clients, self._send, self._root, self._home = journal, clients, send, root, home
        self._announcer = Announcer(send, root)
        self._session = make_session(self._on_progress)
        self._latest: dict[str, Progress] = {}
        self._listed = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = FairSlots(_JOBS_AT_ONCE)
        # Looked up before anything is heard: what arrives while the transports open is no former bridge's.
        journal.clear_selections_of_strangers()
        self._left = journal.unfinished()

    def resume(self) -> int:
        """Go on with what a former bridge left unfinished or unacknowledged; how many it left unfinished."""
        for entry in self._left:
            self.spawn(self._run(entry.job_id))
        for entry in self._journal.unacknowledged():
            self._announcer.end(entry)
        return len(self._left)

    async def close(self) -> None:
        """Stop; unfinished requests stay in the journal."""
        self._announcer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def hello(self, call: Call, client: str, source: Address) -> list[Value]:
        profile = call.values.get("profile", PROFILE)
        if profile != PROFILE:
            raise InvalidOption(f"profile {profile} is not spoken here; {PROFILE} is. Update Athanor or the patch.",
                                code="unsupported_version")
        self._clients.hello(call.request_id, source, int(call.values.get("reply_port", 0)),
                            as_text(call.options.get("via", "")), as_text(call.options.get("wake", "")))
        return [PROFILE, __version__, str(self._root), f"s{secrets.token_hex(4)}"]

    async def ping(self, call: Call, client: str, source: Address) -> list[Value]:
        return [PROFILE, __version__]

    async def render(self, call: Call, client: str, source: Address) -> list[Value]:
        clips = self.selection(client)
        return await self._start(call, client, lambda asker: asyncio.to_thread(
            lambda: prepare(ask_of(call, self._root, allowed(self._home), clips), asker, self._home)))

    async def again(self, call: Call, client: str, source: Address) -> list[Value]:
        async def made(asker: Asker) -> RenderRequest:
            return await asyncio.to_thread(self.again_of, call, asker, await self.named_results(call))

        return await self._start(call, client, made)

    async def _start(self, call: Call, client: str, make: Callable[[Asker], Awaitable[RenderRequest]]) -> list[Value]:
        """Start the job that a call asks for, once: a repeat gets the same answer."""
        if not 0 < len(call.request_id) <= MOST_REQUEST_ID:
            raise InvalidOption(f"a request id is 1 to {MOST_REQUEST_ID} characters, not {len(call.request_id)}.")
        known = self._journal.in_use(client, call.request_id)
        if known is not None and known.request.asked == call.asked:
            return [known.job_id]
        asker = Asker(client, call.request_id, f"osc:{client}", self._root / RESULTS_FOLDER, call.asked)
        entry, is_new = self._journal.accept(await make(asker))
        if is_new:
            self.spawn(self._run(entry.job_id))
        return [entry.job_id]

    async def preset(self, call: Call, client: str, source: Address) -> list[Value]:
        return await self.render(self.as_render(call), client, source)

    async def cancel(self, call: Call, client: str, source: Address) -> list[Value]:
        entry = self._entry(call, client)
        self.spawn(self._cancel(entry.job_id))  # the server may be away, and the answer need not wait for it
        return [entry.job_id]

    async def status(self, call: Call, client: str, source: Address) -> list[Value]:
        return self._facts(self._entry(call, client))

    async def list_jobs(self, call: Call, client: str, source: Address) -> list[Value]:
        return [len(self._journal.recent(_LISTED))]

    async def acknowledge(self, call: Call, client: str, source: Address) -> list[Value]:
        entry = self._entry(call, client)
        if not entry.stage.is_terminal:
            raise RequestRefused(f"job {entry.job_id} has not ended yet.", code="not_ended")
        self._journal.acknowledge(entry.job_id)
        self._announcer.acknowledged(entry.job_id)
        return [entry.job_id]

    async def placed(self, call: Call, client: str, source: Address) -> list[Value]:
        answer = await self.acknowledge(call, client, source)
        self._journal.tell_whereabouts(str(answer[0]), as_text(call.options.get("where", "")))
        return answer

    def follow(self, call: Call, client: str, answered: Outlet | None = None) -> None:
        """What follows an answer: ends that are told again, and the lines of a list.

        answered: where the answer went, if not where the client's messages go; an end is told at both.
        """
        def line(message: Message) -> None:
            answered.send(message) if answered else self._send(client, message)

        match call.route.handler:
            case "hello":
                for entry in self._journal.unacknowledged(call.request_id):
                    self._announcer.end(entry)
            case "status" | "render" | "preset" | "again" | "put_back":
                entry = self._entry(call, client)
                if entry.stage.is_terminal:
                    self._announcer.end(entry)
                    for message in end_messages(entry, self._root) if answered else ():
                        line(message)
            case "list_jobs":
                entries = self._journal.recent(_LISTED)
                for index, entry in enumerate(entries, 1):
                    line(Message(JOB, (call.request_id, index, len(entries), *self._facts(entry))))
            case _:
                for message in (*self.lines(call, client), *self.history_lines(call, client)):
                    line(message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on the side, until the desk is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("on the side: %s", error, exc_info=None if isinstance(error, AthanorError) else error)

    def _entry(self, call: Call, client: str) -> Entry:
        name = str(call.values.get("job", call.request_id))
        entry = self._journal.find(client, name)
        if entry is None:
            raise RequestRefused(f"no job, and no request of yours, is called {name!r}; job/list tells which there are.",
                                 code="unknown_job", retryable=False)
        return entry

    def _facts(self, entry: Entry) -> list[Value]:
        progress = self._latest.get(entry.job_id)
        now: list[Value] = [progress.phase, progress.step, progress.n_steps] if progress else ["", 0, 0]
        return [entry.job_id, entry.request.request_id, entry.request.kind, entry.stage.value, *now]

    async def _run(self, job_id: str) -> None:
        async with self._slots.slot(self._journal.entry(job_id).request.client):
            entry = await self._session.run(job_id)
        self._latest.pop(job_id, None)
        self._announcer.end(entry)

    async def _cancel(self, job_id: str) -> None:
        await self._session.cancel(job_id)
        entry = self._journal.entry(job_id)
        if entry.stage.is_terminal:
            self._announcer.end(entry)

    def _on_progress(self, entry: Entry, progress: Progress) -> None:
        self._latest[entry.job_id] = progress
        self._announcer.progress(entry, progress)
