# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: submit, watch, fetch, cancel. `AsyncClient` does the work, `Client` is the same for code without a loop.

A restart of the server goes unnoticed: requests that got no answer are sent again to the new one (each may be, by the
protocol), and watched jobs are watched there. Needs no torch.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from server import protocol, transfer
from server.client_link import News, ServerLink, running_instance
from server.errors import RequestRefused, ServerUnreachable
from server.jobs import State
from server.protocol import JobRequest, JobStatus
from server.settings import Paths, default_home

PATIENCE_S = 30.0
_GREETING_S = 8.0
_SILENCE_S = 5.0
_Result = TypeVar("_Result")


class AsyncClient:
    """A connection to the server of one data folder; make it with `connect`. Use from one loop; close it when done."""

    def __init__(self, paths: Paths, link: ServerLink) -> None:
        self._paths, self._link = paths, link

    @classmethod
    async def connect(cls, home: Path | None = None, *, start: bool = False, patience_s: float = PATIENCE_S) -> Self:
        """A client that has been greeted by the server of `home` (else ATHANOR_HOME, else the platform's folder).

        Args:
            start: start a server, detached, if none is running and this machine is paired with none.
            patience_s: how long, later on, a silent or restarting server is waited for, seconds.

        Raises:
            ServerUnreachable: none is running, it does not answer, or (with `start`) it could not start.
        """
        paths = Paths(home or default_home())
        if start and not paths.paired.exists():
            from server.launch import ensure_server

            await asyncio.to_thread(ensure_server, home)
        client = cls(paths, ServerLink(paths, patience_s))
        try:
            client._link.open()
            await client._link.ask("hello", protocol.Hello(), patience_s=min(patience_s, _GREETING_S))
        except BaseException:
            await client.close()
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        self._link.close()

    async def hello(self) -> dict[str, Any]:
        """What the server says of itself: protocol, version, instance, limits, kinds, debug."""
        return (await self._link.ask("hello", protocol.Hello()))[0]

    async def submit(self, request: JobRequest) -> JobStatus:
        """Submit a job. Sending the same request again is safe and returns the job as it is.

        Raises:
            AthanorError: as the server refused it; nothing was accepted.
        """
        return await self._status_of("job.submit", protocol.Submit(job=request))

    async def status(self, job_id: str) -> JobStatus:
        """Everything about a job, with results and their provenance. RequestRefused `unknown_job`."""
        return await self._status_of("job.status", protocol.OneJob(job_id=job_id))

    async def jobs(
        self, *, states: Sequence[State | str] | None = None, origin: str | None = None, limit: int = 50,
        before: int | None = None,
    ) -> list[JobStatus]:
        """Jobs, newest first, without results; `before` is the `number` of the last one seen, to go on from there."""
        wanted = None if states is None else [State(state) for state in states]
        message = protocol.ListJobs(states=wanted, origin=origin, limit=limit, before=before)
        fields, _ = await self._link.ask("job.list", message)
        return [JobStatus.model_validate(one) for one in fields["jobs"]]

    async def cancel(self, job_id: str) -> tuple[JobStatus, str]:
        """Ask for a job's end; returns it and the outcome: cancelled, cancelling or already_finished."""
        fields, _ = await self._link.ask("job.cancel", protocol.OneJob(job_id=job_id))
        return JobStatus.model_validate(fields["status"]), fields["outcome"]

    async def fetched(self, job_id: str) -> JobStatus:
        """Acknowledge: the results of this job are in safe hands, the server may evict them when it needs the room."""
        return await self._status_of("job.fetched", protocol.OneJob(job_id=job_id))

    async def models(self) -> dict[str, Any]:
        """`backbones` (name, source, revision, resident, bytes, pinned, title, card, vocabulary) and the worker's `device`.

        revision is None where the model is not on the server's machine; card (`catalogue.Card` as fields) where it is not
        of the catalogue; vocabulary is a list of group, name and example, empty where the model's words are not known.
        """
        return (await self._link.ask("models", protocol.Plain()))[0]

    async def model(self, action: str, name: str) -> None:
        """`load`, `unload`, `pin` or `unpin` a model, and wait until it is done: a running job comes first.

        Raises:
            InvalidOption, ModelUnavailable: there is no such model, or it cannot be had, or must stay.
        """
        message = protocol.OneModel(name=name)
        while not (await self._link.ask(f"models.{action}", message))[0]["done"]:
            pass

    async def stats(self) -> dict[str, Any]:
        """Jobs by state, the worker, counters, storage."""
        return (await self._link.ask("server.stats", protocol.Plain()))[0]

    async def drain(self) -> None:
        """Let the server take nothing new and begin nothing more."""
        await self._link.ask("server.drain", protocol.Plain())

    async def shutdown(self, *, wait_s: float = 60.0) -> None:
        """Stop the server and wait until it has gone. ServerUnreachable if it is still there after `wait_s`.

        RequestRefused if it is another machine's.
        """
        if self._paths.paired.exists():
            raise RequestRefused("the server that this machine is paired with is stopped on its own machine.",
                                 code="not_yours", retryable=False)
        await self._link.ask("server.stop", protocol.Plain())
        instance, deadline = self._link.instance, time.monotonic() + wait_s
        while running_instance(self._paths.connection) == instance:
            if time.monotonic() > deadline:
                raise ServerUnreachable(f"the server has not ended within {wait_s:g} s.")
            await asyncio.sleep(0.05)

    async def palette_list(self) -> list[dict[str, Any]]:
        """Palette entries: name, bytes, card."""
        return (await self._link.ask("palette.list", protocol.Plain()))[0]["entries"]

    async def palette_export(self, name: str, path: Path) -> Path:
        """Write an entry's file to `path`. RequestRefused `unknown_entry`."""
        fields, _ = await self._link.ask("palette.export", protocol.PaletteName(name=name))
        return await self.fetch(fields["digest"], path)

    async def palette_import(self, name: str, path: Path, *, replace: bool = False) -> dict[str, Any]:
        """Bring a file into the palette under `name`; returns the entry. RequestRefused `conflict`, InvalidInput."""
        message = protocol.PaletteImport(name=name, digest=await self.upload(path), replace=replace)
        return (await self._link.ask("palette.import", message))[0]["entry"]

    async def palette_remove(self, name: str) -> None:
        """Remove an entry. RequestRefused `unknown_entry`."""
        await self._link.ask("palette.remove", protocol.PaletteName(name=name))

    async def upload(self, source: Path | str | bytes) -> str:
        """Bring a file (or bytes) to the server and return its SHA-256; see `transfer.upload`."""
        return await transfer.upload(self._link, source)

    async def read(self, digest: str) -> bytes:
        """A blob's content, verified; see `transfer.read`."""
        return await transfer.read(self._link, digest)

    async def fetch(self, digest: str, path: Path) -> Path:
        """Bring a blob to `path`, whole and verified or not at all; see `transfer.fetch`."""
        return await transfer.fetch(self._link, digest, path)

    async def watch(self, job_id: str) -> AsyncIterator[JobStatus]:
        """The job as it changes, from now until it has ended; the last one carries the results.

        Within an attempt, progress never goes back. Survives restarts of the server.

        Raises:
            RequestRefused: `unknown_job`.
            ServerUnreachable: the server has been gone for longer than `patience_s`.
        """
        news = self._link.listen(job_id)
        try:
            async for status in self._changes(news, await self.status(job_id)):
                yield status
        finally:
            self._link.unlisten(job_id, news)

    async def run(self, request: JobRequest) -> AsyncIterator[JobStatus]:
        """Submit and watch, missing no event: the server has confirmed the subscription before it gets the job."""
        news = self._link.listen(request.job_id)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SILENCE_S):
                    await news.get()
            async for status in self._changes(news, await self.submit(request)):
                yield status
        finally:
            self._link.unlisten(request.job_id, news)

    async def _changes(self, news: News, latest: JobStatus) -> AsyncIterator[JobStatus]:
        yield latest
        while not latest.is_terminal:
            try:
                async with asyncio.timeout(_SILENCE_S):  # before Python 3.12, `wait_for` can lose a cancel
                    status = await news.get()
            except TimeoutError:
                status = None
            if status is None or status.is_terminal or status.seq > latest.seq + 1:
                status = await self.status(latest.job_id)
            if status.is_terminal or status.seq > latest.seq:
                latest = status
                yield latest

    async def wait(self, job_id: str) -> JobStatus:
        """The job once it has ended."""
        return [status async for status in self.watch(job_id)][-1]

    async def _status_of(self, type: str, message: protocol.Message) -> JobStatus:
        fields, _ = await self._link.ask(type, message)
        return JobStatus.model_validate(fields["status"])


class Client:
    """`AsyncClient` for code without a loop: the same methods, blocking; the loop runs in a thread of its own."""

    def __init__(self, home: Path | None = None, *, start: bool = False, patience_s: float = PATIENCE_S) -> None:
        """Connect; see `AsyncClient.connect`."""
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="athanor client", daemon=True)
        self._thread.start()
        try:
            self._client = self._do(AsyncClient.connect(home, start=start, patience_s=patience_s))
        except BaseException:
            self._end_loop()
            raise

    @classmethod
    def connect(cls, home: Path | None = None, *, start: bool = False, patience_s: float = PATIENCE_S) -> Self:
        """The same as the constructor."""
        return cls(home, start=start, patience_s=patience_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._do(self._loop.shutdown_asyncgens())
        self._do(self._client.close())
        self._end_loop()

    def hello(self) -> dict[str, Any]:
        return self._do(self._client.hello())

    def submit(self, request: JobRequest) -> JobStatus:
        return self._do(self._client.submit(request))

    def status(self, job_id: str) -> JobStatus:
        return self._do(self._client.status(job_id))

    def jobs(self, *, states: Sequence[State | str] | None = None, origin: str | None = None, limit: int = 50,
             before: int | None = None) -> list[JobStatus]:
        return self._do(self._client.jobs(states=states, origin=origin, limit=limit, before=before))

    def cancel(self, job_id: str) -> tuple[JobStatus, str]:
        return self._do(self._client.cancel(job_id))

    def fetched(self, job_id: str) -> JobStatus:
        return self._do(self._client.fetched(job_id))

    def models(self) -> dict[str, Any]:
        return self._do(self._client.models())

    def model(self, action: str, name: str) -> None:
        self._do(self._client.model(action, name))

    def stats(self) -> dict[str, Any]:
        return self._do(self._client.stats())

    def drain(self) -> None:
        self._do(self._client.drain())

    def shutdown(self, *, wait_s: float = 60.0) -> None:
        self._do(self._client.shutdown(wait_s=wait_s))

    def palette_list(self) -> list[dict[str, Any]]:
        return self._do(self._client.palette_list())

    def palette_export(self, name: str, path: Path) -> Path:
        return self._do(self._client.palette_export(name, path))

    def palette_import(self, name: str, path: Path, *, replace: bool = False) -> dict[str, Any]:
        return self._do(self._client.palette_import(name, path, replace=replace))

    def palette_remove(self, name: str) -> None:
        self._do(self._client.palette_remove(name))

    def upload(self, source: Path | str | bytes) -> str:
        return self._do(self._client.upload(source))

    def read(self, digest: str) -> bytes:
        return self._do(self._client.read(digest))

    def fetch(self, digest: str, path: Path) -> Path:
        return self._do(self._client.fetch(digest, path))

    def wait(self, job_id: str) -> JobStatus:
        return self._do(self._client.wait(job_id))

    def watch(self, job_id: str) -> Iterator[JobStatus]:
        return self._each(self._client.watch(job_id))

    def run(self, request: JobRequest) -> Iterator[JobStatus]:
        return self._each(self._client.run(request))

    def _each(self, statuses: AsyncIterator[JobStatus]) -> Iterator[JobStatus]:
        try:
            while True:
                try:
                    yield self._do(_next(statuses))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.is_closed():  # an abandoned watch may be collected after the client was closed
                self._do(_close(statuses))

    def _do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(statuses: AsyncIterator[JobStatus]) -> JobStatus:
    return await anext(statuses)


async def _close(statuses: AsyncIterator[JobStatus]) -> None:
    await statuses.aclose()  # type: ignore[attr-defined]
