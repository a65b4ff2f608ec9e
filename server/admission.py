# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission: whether a submitted job is accepted, and which other jobs must come first. Refuses early and says why."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from server.blobs import BlobStore
from server.errors import InvalidOption, ModelUnavailable, RequestRefused
from server.executors.base import Executor
from server.jobs import Job, State
from server.kinds import find_kind
from server.kinds.base import Kind, Prerequisite
from server.kinds.debug import DEBUG
from server.ledger import Ledger
from server.models import catalogue
from server.palette import Palette
from server.protocol import JobRequest, canonical_json, request_digest
from server.settings import Settings


class Admission:
    """Decides over submits."""

    def __init__(
        self, settings: Settings, ledger: Ledger, store: BlobStore, palette: Palette, executor: Executor,
        is_draining: Callable[[], bool],
    ) -> None:
        self._settings, self._ledger, self._store, self._palette = settings, ledger, store, palette
        self._executor, self._is_draining = executor, is_draining

    def submit(self, request: JobRequest) -> tuple[Job, list[Job]]:
        """The job, and every job newly accepted with it (none if this very request was accepted before).

        Raises:
            RequestRefused: `conflict` (the id stands for another request), `busy`, `shutting_down`, `unknown_blob`,
                `unknown_job`, `unknown_entry`, `forbidden`.
            InvalidOption, InvalidInput: the request does not fit its kind.
            ModelUnavailable: no worker can be started, or the backbone is not here.
            StorageError: `storage_full`.
        """
        digest = request_digest(request)
        known = self._ledger.get(request.job_id)
        if known is not None:
            return self._again(known, digest), []
        if self._is_draining():
            raise RequestRefused("the server is shutting down and takes no new jobs. Submit again once it is back.",
                                 code="shutting_down")
        kind = self._kind(request.kind)
        options = kind.parse(request.options, frozenset(request.inputs))
        self._check_inputs(request)
        self._check_models(kind, options)
        self._check_palette(kind, options, request)
        job = _job(request, digest)
        first = [self._prerequisite(one, request) for one in kind.prerequisites(options, request.inputs)
                 if not self._palette.has(one.palette_entry)]
        new = [one for one in first if self._ledger.get(one.id) is None] + [job]
        self._check_room(request.origin, len(new))
        needs = [(job.id, needed) for needed in [*(one.id for one in first), *self._after(request)]]
        accepted = self._ledger.add(new, needs)
        return accepted[-1], accepted

    def _again(self, known: Job, digest: str) -> Job:
        if known.request_digest != digest:
            raise RequestRefused(f"job {known.id} was submitted before with other options or inputs. A new request needs a "
                                 "new job id.", code="conflict", retryable=False)
        if known.automatic:
            self._ledger.adopt(known.id)
        return known

    def _kind(self, name: str) -> Kind:
        if name == DEBUG.name and not self._settings.debug_jobs:
            raise RequestRefused("debug jobs are off. Start the server with --debug-jobs.", code="forbidden",
                                 retryable=False)
        return find_kind(name)

    def _check_inputs(self, request: JobRequest) -> None:
        for role, digest in request.inputs.items():
            if self._store.size(digest) is None:
                raise RequestRefused(f"the input {role!r} ({digest[:12]}...) is not here. Upload it first.",
                                     code="unknown_blob", retryable=False)

    def _check_models(self, kind: Kind, options: Any) -> None:
        if kind.name == DEBUG.name:
            return
        if self._executor.state().state == "degraded":
            reason = self._executor.state().last_failure or "unknown"
            raise ModelUnavailable(f"no worker can be started (last: {reason}). See the server's log; `athanor doctor` "
                                   "checks the installation.", retryable=True)
        if hasattr(options, "backbone"):
            catalogue.find(options.backbone, self._settings.home)

    def _check_palette(self, kind: Kind, options: Any, request: JobRequest) -> None:
        if any(result.role == "adapter" for result in kind.results) and not options.replace:
            if self._palette.has(options.name):
                raise RequestRefused(f"the palette has {options.name!r} already. Choose another name, or give replace.",
                                     code="conflict", retryable=False)
            live = self._ledger.in_state(State.QUEUED, State.RUNNING)
            if any(job.kind == kind.name and job.options.get("name") == options.name for job in live):
                raise RequestRefused(f"another job is learning {options.name!r} now. Wait for it, or choose another name.",
                                     code="conflict", retryable=False)
        adapter = getattr(options, "adapter", None)
        if adapter and not request.after:  # with `after`, the entry may be what is being waited for
            self._palette.require(adapter)

    def _after(self, request: JobRequest) -> list[str]:
        for needed_id in request.after:
            needed = self._ledger.get(needed_id)
            if needed is None:
                raise RequestRefused(f"there is no job {needed_id} to wait for. Submit it first.", code="unknown_job",
                                     retryable=False)
            if needed.state in (State.FAILED, State.CANCELLED):
                raise RequestRefused(f"the job {needed_id} to wait for is {needed.state} already.",
                                     code="prerequisite_failed", retryable=False)
        return list(request.after)

    def _prerequisite(self, needed: Prerequisite, request: JobRequest) -> Job:
        """The job that makes `needed`, under an id derived from what it does, so that many may wait for one.

        A failed or cancelled one (or one whose entry was removed since) stays as it is; the next id in line is taken.
        """
        asked = {"kind": needed.kind, "options": dict(needed.options), "inputs": dict(needed.inputs)}
        for number in range(10000):
            job_id = hashlib.sha256(canonical_json([asked, number])).hexdigest()[:32]
            known = self._ledger.get(job_id)
            if known is not None and not known.is_terminal:
                return known
            if known is None:
                learn = JobRequest(job_id=job_id, origin=request.origin, priority=request.priority, **asked)
                return _job(learn, request_digest(learn), automatic=True)
        raise InvalidOption("learning this reference has failed 10000 times.")

    def _check_room(self, origin: str, n_new: int) -> None:
        self._store.check_floor()
        settings = self._settings
        for waiting, limit, whose in (
            (self._ledger.queued(), settings.queued_limit, "in all"),
            (self._ledger.queued(origin), settings.queued_limit_per_origin, f"of {origin!r}"),
        ):
            if waiting + n_new > limit:
                raise RequestRefused(f"{waiting} jobs {whose} wait already; at most {limit} may. Try again when some are "
                                     "done, or cancel some.")


def _job(request: JobRequest, digest: str, automatic: bool = False) -> Job:
    return Job(id=request.job_id, kind=request.kind, options=request.options, inputs=request.inputs,
               origin=request.origin, request_digest=digest, priority=request.priority, automatic=automatic,
               fetched=automatic, created=time.time())
