# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server does when asked: one branch per request type, giving the reply's fields, and bytes if it has any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from server import __version__, protocol
from server.admission import Admission
from server.blobs import BlobStore, Upload
from server.errors import InvalidOption, ModelUnavailable, OutOfMemory, RequestRefused, StorageError
from server.events import Events
from server.executors.base import Executor
from server.jobs import Job
from server.kinds import KINDS
from server.ledger import Ledger
from server.models import catalogue
from server.models.vocabularies import vocabulary_of
from server.palette import Palette
from server.pins import Pins
from server.scheduling import Scheduler
from server.settings import Settings
from server.telemetry import Counters

Answer = tuple[dict[str, Any], bytes | None]
_ANSWER_S = 10.0  # after so long, a client is told to ask again


class Handlers:
    """The server's side of every request. `stop` ends the server; `instance` names this run of it."""

    def __init__(
        self, settings: Settings, ledger: Ledger, store: BlobStore, palette: Palette, executor: Executor, events: Events,
        scheduler: Scheduler, admission: Admission, counters: Counters, instance: str, stop: Callable[[], None],
    ) -> None:
        self._settings, self._ledger, self._store, self._palette = settings, ledger, store, palette
        self._executor, self._events, self._scheduler = executor, events, scheduler
        self._admission, self._counters, self._instance, self._stop = admission, counters, instance, stop
        self._sealing: dict[str, asyncio.Task[None]] = {}

    async def handle(self, request: protocol.Request) -> Answer:
        """Carry out one request; raises AthanorError to refuse it."""
        message: Any = request.message
        match request.type:
            case "hello":
                return self._hello(), None
            case "blob.stat":
                return asdict(self._store.stat(message.digest)), None
            case "blob.put":
                return await self._put(message, request.binary), None
            case "blob.get":
                data, total = self._store.read(message.digest, message.offset, message.length)
                return {"offset": message.offset, "total": total}, data
            case "models":
                return await self._models(), None
            case "server.stats":
                return self._stats(), None
            case "server.drain" | "server.stop":
                return self._end(request.type), None
        if request.type.startswith("models."):
            return await self._model(request.type.removeprefix("models."), message.name), None
        family = self._of_jobs if request.type.startswith("job.") else self._of_palette
        return family(request.type, message), None

    def _of_jobs(self, type: str, message: Any) -> dict[str, Any]:
        match type:
            case "job.submit":
                job, accepted = self._admission.submit(message.job)
                for one in accepted:
                    self._events.changed(one)
                self._scheduler.wake()
                return {"status": self._status(job), "created": bool(accepted)}
            case "job.status":
                return {"status": self._status(self._job(message.job_id))}
            case "job.list":
                jobs = self._ledger.select(message.states, message.origin, message.limit, message.before)
                return {"jobs": [self._status(job, with_results=False) for job in jobs]}
            case "job.cancel":
                job, outcome = self._scheduler.cancel(message.job_id)
                return {"status": self._status(job), "outcome": outcome}
            case "job.fetched":
                self._job(message.job_id)
                self._ledger.mark_fetched(message.job_id)
                return {"status": self._status(self._job(message.job_id))}
        raise AssertionError(f"{type} is listed in the protocol but not handled")

    def _of_palette(self, type: str, message: Any) -> dict[str, Any]:
        match type:
            case "palette.list":
                return {"entries": [asdict(entry) for entry in self._palette.entries()]}
            case "palette.export":
                digest, size = self._store.take_copy(self._palette.require(message.name))
                return {"digest": digest, "bytes": size}
            case "palette.import":
                if self._store.size(message.digest) is None:
                    raise RequestRefused(f"the file ({message.digest[:12]}...) is not here. Upload it first.",
                                         code="unknown_blob", retryable=False)
                source = self._store.path(message.digest)
                return {"entry": asdict(self._palette.install(message.name, source, replace=message.replace))}
            case "palette.remove":
                self._palette.remove(message.name)
                return {"removed": message.name}
        raise AssertionError(f"{type} is listed in the protocol but not handled")

    def _hello(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "protocol": [protocol.MAJOR, protocol.MINOR], "server": __version__, "instance": self._instance,
            "kinds": list(KINDS), "debug": settings.debug_jobs,
            "limits": {
                "header_bytes": protocol.MAX_HEADER_BYTES, "binary_bytes": protocol.MAX_BINARY_BYTES,
                "blob_bytes": settings.blob_limit_bytes, "queued": settings.queued_limit,
                "queued_per_origin": settings.queued_limit_per_origin, "event_rate_hz": settings.event_rate_hz,
            },
        }

    async def _put(self, message: protocol.BlobPut, chunk: bytes) -> dict[str, Any]:
        if self._store.size(message.digest) is not None:
            return {"offset": message.total, "complete": True}
        sealing = self._sealing.get(message.digest)
        if sealing is None:
            upload = self._store.receive(message.digest, message.offset, message.total, chunk)
            if upload.offset < upload.total:
                return {"offset": upload.offset, "complete": False}
            sealing = asyncio.create_task(self._seal(upload), name=f"seal {message.digest[:12]}")
            self._sealing[message.digest] = sealing
        await asyncio.shield(sealing)
        return {"offset": message.total, "complete": True}

    async def _seal(self, upload: Upload) -> None:
        """Make an upload durable in a thread, since a disk may take its time, then enter it."""
        try:
            await asyncio.to_thread(upload.seal)
            self._store.commit(upload)
        except OSError as error:
            self._store.abandon(upload)
            raise StorageError(f"blob {upload.digest[:12]} could not be stored ({error.strerror}). Free some space and try "
                               "again.") from None
        except Exception:
            self._store.abandon(upload)
            raise
        finally:
            del self._sealing[upload.digest]

    async def _models(self) -> dict[str, Any]:
        state, cards, sources = self._executor.state(), catalogue.CATALOGUE, catalogue.sources(self._settings.home)
        loaded, pins = {model.name: model for model in state.resident}, Pins(self._settings.paths.pins).names()
        # Those that are known by their folder; one that is gone from where it was is told of all the same.
        sources |= {name: catalogue.Source(name, name) for name in (*loaded, *pins) if name not in sources}

        def revisions() -> dict[str, str | None]:
            return {name: catalogue.revision_of(source) for name, source in sources.items()}

        found = await asyncio.to_thread(revisions)  # reads whole model folders once
        return {"device": state.device, "backbones": [
            {"name": name, "source": source.source, "revision": found[name], "resident": name in loaded,
             "bytes": loaded[name].bytes if name in loaded else 0,
             "pinned": name in pins or (name in loaded and loaded[name].pinned),
             "title": cards[name].title if name in cards else "", "card": asdict(cards[name]) if name in cards else None,
             "vocabulary": vocabulary_of(source)} for name, source in sources.items()]}

    async def _model(self, action: str, name: str) -> dict[str, Any]:
        """A pin is written down before the worker is asked, so that it holds for the next worker too."""
        pins = Pins(self._settings.paths.pins)
        here = {*pins.names(), *(model.name for model in self._executor.state().resident)}
        if action in ("load", "pin") or name not in here:
            name = self._usual_name(name)
        if action in ("pin", "unpin"):
            try:
                pins.keep(name, action == "pin")
            except OSError as error:
                raise StorageError(f"which models are pinned could not be written down ({error.strerror}). See that there "
                                   f"is room in {self._settings.paths.pins.parent} and try again.") from None
        asked = asyncio.create_task(self._executor.model(action, name), name=f"{action} {name}")
        await asyncio.wait({asked}, timeout=_ANSWER_S)
        if not asked.done():
            asked.cancel()
            return {"done": False}
        try:
            asked.result()
        except (InvalidOption, ModelUnavailable, OutOfMemory):
            if action == "pin":
                pins.keep(name, False)
            raise
        return {"done": True}

    def _usual_name(self, name: str) -> str:
        """What a model is called in the list, of that name or of its folder or hub id. Raises as `catalogue.find`."""
        source, home = catalogue.find(name, self._settings.home), self._settings.home
        known = catalogue.sources(home)
        return name if name in known else next((one for one in known if known[one].source == source.source), name)

    def _stats(self) -> dict[str, Any]:
        return {"instance": self._instance, "jobs": self._ledger.counts(), "worker": asdict(self._executor.state()),
                "counters": self._counters.snapshot(), "blob_bytes": self._store.used_bytes(),
                "draining": self._scheduler.is_draining}

    def _end(self, type: str) -> dict[str, Any]:
        if type == "server.stop":
            self._stop()
        else:
            self._scheduler.is_draining = True
            self._scheduler.wake()
        return {"draining": True}

    def _job(self, job_id: str) -> Job:
        job = self._ledger.get(job_id)
        if job is None:
            raise RequestRefused(f"there is no job {job_id}. `athanor jobs` lists them.", code="unknown_job",
                                 retryable=False)
        return job

    def _status(self, job: Job, *, with_results: bool = True) -> dict[str, Any]:
        return self._events.status(job, with_results=with_results).model_dump(mode="json")
