# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a request: pre chain, upload and submit, watch, fetch, post chain, place. For OSC and terminal alike.

Each step starts from what the journal says and ends by writing the next stage, so a run can stop anywhere and be taken
up by another process. Blocking work runs in threads; one request's error ends that request and no other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge import stages
from bridge.journal import Entry, Journal, Stage
from bridge.progress import Progress
from server.errors import AthanorError, JobCancelled, RequestRefused, ServerUnreachable, StorageError, from_wire
from server.protocol import JobRequest, JobStatus

if TYPE_CHECKING:
    from server.client import AsyncClient

_log = logging.getLogger("athanor.bridge")
_PLUGIN_RUNS = 2
_WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0)  # longer than a server's drain
_AS_ASKED = "cancelled as asked."
_GONE = ("shutting_down", "server_unreachable")
T = TypeVar("T")
OnProgress = Callable[[Entry, Progress], None]


class Session:
    """Runs requests. Use it in one event loop.

    Args:
        journal: where their way is written.
        connect: gives a connected client; starts a server where there is none.
        work: folder for working files, one subfolder per job.
        on_progress: called in the loop's thread, as often as there is news.
    """

    def __init__(self, journal: Journal, connect: Callable[[], Awaitable[AsyncClient]], work: Path,
                 on_progress: OnProgress) -> None:
        self._journal, self._connect, self._work, self._on_progress = journal, connect, work, on_progress
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._plugins = asyncio.Semaphore(_PLUGIN_RUNS)
        self._stops: dict[str, threading.Event] = {}
        self._steps = {Stage.PRE: self._submit, Stage.SUBMITTED: self._watch, Stage.RENDERED: self._fetch,
                       Stage.POST: self._place}

    async def run(self, job_id: str) -> Entry:
        """Bring a request to its end, from whatever stage it is at. Its error, if any, is in the entry."""
        entry = self._journal.entry(job_id)
        self._stops[job_id] = threading.Event()
        if entry.cancel_requested:
            self._stops[job_id].set()
        try:
            while not entry.stage.is_terminal:
                entry = await self._steps[entry.stage](entry)
        except Exception as error:  # one request's fault, whatever it is, ends that request only
            entry = self._ended(job_id, error)
        finally:
            self._stops.pop(job_id).set()  # a chain that still runs in a thread ends, too
        stages.clear(self._work / job_id)
        return entry

    async def cancel(self, job_id: str) -> None:
        """Ask for the end of a request; `run` then ends it as cancelled. Nothing happens if it has ended."""
        entry = self._journal.entry(job_id)
        if entry.stage.is_terminal:
            return
        self._journal.request_cancel(job_id)
        if job_id in self._stops:
            self._stops[job_id].set()
        elif entry.stage is Stage.PRE and entry.source is None:  # not begun, here or anywhere
            self._ended(job_id, JobCancelled(_AS_ASKED))
        if entry.stage is Stage.SUBMITTED:
            await self.ask(lambda client: client.cancel(job_id))

    async def ask(self, question: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """The answer of the server, which is started or waited for where it is away; every question may be repeated."""
        for wait_s in _WAITS_S:
            client = None
            try:
                client = await self._connected()
                return await question(client)
            except AthanorError as error:
                if error.code not in _GONE:
                    raise
            await self._forget(client)
            await asyncio.sleep(wait_s)
        return await question(await self._connected())

    async def close(self) -> None:
        """Close the connection. Running requests must have ended or been cancelled."""
        await self._forget(self._client)

    async def _submit(self, entry: Entry) -> Entry:
        """pre -> submitted."""
        if entry.source is not None and await self._is_known(entry.job_id):
            return self._journal.advance(entry.job_id, Stage.SUBMITTED)
        self._check_stop(entry.job_id)
        self._on_progress(entry, Progress(entry.job_id, "reading"))
        folder = self._work / entry.job_id
        async with self._plugins:
            files, source = await asyncio.to_thread(stages.take_in, entry.request, folder, self._reporter(entry))
        digests = {}
        for role, path in files.items():
            self._check_stop(entry.job_id)
            digests[role] = await self.ask(lambda client, path=path: client.upload(path))
        request = JobRequest(job_id=entry.job_id, kind=entry.request.kind, options=entry.request.options, inputs=digests,
                             origin=entry.request.origin)
        self._journal.describe(entry.job_id, source)
        self._check_stop(entry.job_id)
        await self.ask(lambda client: client.submit(request))
        return self._journal.advance(entry.job_id, Stage.SUBMITTED)

    async def _watch(self, entry: Entry) -> Entry:
        """submitted -> rendered."""
        if self._stops[entry.job_id].is_set():
            await self.ask(lambda client: client.cancel(entry.job_id))
        try:
            status = await self.ask(lambda client: self._last_status(client, entry))
        except RequestRefused as error:
            if error.code != "unknown_job":
                raise
            return self._journal.advance(entry.job_id, Stage.PRE)
        if status.state == "cancelled":
            raise JobCancelled(_AS_ASKED)
        if status.state == "failed":
            assert status.error is not None
            raise from_wire(asdict(status.error))
        results = [result.model_dump(mode="json") for result in status.results]
        return self._journal.advance(entry.job_id, Stage.RENDERED, results=results)

    async def _fetch(self, entry: Entry) -> Entry:
        """rendered -> post."""
        for index, _ in enumerate(stages.audio_results(entry)):
            await self._finished(entry, index)
        return self._journal.advance(entry.job_id, Stage.POST)

    async def _place(self, entry: Entry) -> Entry:
        """post -> placed."""
        for path, reference in stages.data_results(entry):
            await asyncio.to_thread(stages.make_folder, path.parent)
            await self.ask(lambda client, path=path, digest=reference["digest"]: client.fetch(digest, path))
        placed = []
        for index, (name, reference) in enumerate(stages.audio_results(entry)):
            finished = await self._finished(entry, index)
            placed.append(await asyncio.to_thread(stages.put_in_place, entry, reference, finished, name))
        entry = self._journal.advance(entry.job_id, Stage.PLACED, placed=placed)
        try:
            await self.ask(lambda client: client.fetched(entry.job_id))
        except AthanorError as error:  # the result is in place; the server only keeps its copy longer
            _log.warning("%s: the server was not told that its results were fetched: %s", entry.job_id, error.message)
        return entry

    async def _finished(self, entry: Entry, index: int) -> Path:
        """One result, fetched and through the post chain; its working file."""
        folder = self._work / entry.job_id
        stages.make_folder(folder)
        name, reference = stages.audio_results(entry)[index]
        raw, finished = folder / f"raw-{index}.wav", folder / f"finished-{index}.wav"
        if not finished.exists():
            self._check_stop(entry.job_id)
            self._on_progress(entry, Progress(entry.job_id, "fetching", index, len(entry.results)))
            await self.ask(lambda client: client.fetch(reference["digest"], raw))
            async with self._plugins:
                await asyncio.to_thread(stages.finish, entry.request.post, raw, finished, self._reporter(entry))
        return finished

    async def _last_status(self, client: AsyncClient, entry: Entry) -> JobStatus:
        """Tell the job's progress until it has ended; while it waits for another job, that one's."""
        needed: asyncio.Task[None] | None = None
        try:
            async with aclosing(client.watch(entry.job_id)) as statuses:
                async for status in statuses:
                    if status.waiting_for and needed is None:
                        needed = asyncio.create_task(self._follow_needed(client, entry, status.waiting_for[0]))
                    elif needed is not None and not status.waiting_for:
                        needed.cancel()
                    if status.is_terminal:
                        return status
                    self._tell(entry, status)
        finally:
            if needed is not None:
                needed.cancel()
        raise ServerUnreachable("the server stopped telling how the job goes.")

    async def _follow_needed(self, client: AsyncClient, entry: Entry, needed_id: str) -> None:
        with suppress(AthanorError):  # what becomes of it is told by the job that needs it
            async with aclosing(client.watch(needed_id)) as statuses:
                async for status in statuses:
                    if not status.is_terminal:
                        self._tell(entry, status)

    def _tell(self, entry: Entry, status: JobStatus) -> None:
        self._on_progress(entry, Progress(entry.job_id, status.phase or status.state, status.step, status.n_steps,
                                          status.eta_s, status.queue_position, status.attempt))

    async def _is_known(self, job_id: str) -> bool:
        try:
            await self.ask(lambda client: client.status(job_id))
        except RequestRefused as error:
            if error.code == "unknown_job":
                return False
            raise
        return True

    def _reporter(self, entry: Entry) -> stages.OnPlugin:
        """A callback for chains in a thread: tells the loop how far it is, and stops when asked to."""
        loop, stop = asyncio.get_running_loop(), self._stops[entry.job_id]

        def report(done: int, total: int, name: str) -> None:
            if stop.is_set():
                raise JobCancelled(_AS_ASKED)
            loop.call_soon_threadsafe(self._on_progress, entry, Progress(entry.job_id, "plugins", done, total))

        return report

    def _check_stop(self, job_id: str) -> None:
        if self._stops[job_id].is_set():
            raise JobCancelled(_AS_ASKED)

    def _ended(self, job_id: str, error: Exception) -> Entry:
        if not isinstance(error, AthanorError):
            _log.error("%s: %s", job_id, error, exc_info=error)
        entry = self._journal.entry(job_id)
        if entry.stage.is_terminal:
            return entry
        stage = Stage.CANCELLED if isinstance(error, JobCancelled) else Stage.FAILED
        fields = stages.described(error).to_wire()
        try:
            return self._journal.advance(job_id, stage, error=fields)
        except StorageError as full:  # the client must hear of it all the same; a restart takes the request up again
            _log.error("%s: %s", job_id, full.message)
            return replace(entry, stage=stage, error=fields)

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _forget(self, client: AsyncClient | None) -> None:
        """Close a connection that is of no use, unless another request has replaced it already."""
        if client is not None and client is self._client:
            self._client = None
            await client.close()
