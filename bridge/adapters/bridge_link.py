# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's adapter as a client of the running bridge: requests by HTTP, one after the other."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from bridge.connection import load
from bridge.progress import Progress
from bridge.routes import PREFIX
from server.errors import JobCancelled, ServerUnreachable, from_wire

_LIMIT_S = 60.0
_QUIET_S, _LOOK_S = 0.7, 0.25
_ENDED = ("placed", "failed", "cancelled")
_OPENER = build_opener(ProxyHandler({}))  # never by way of a proxy: the bridge is on this machine


class BridgeLink:
    """Says hello when it is made. root: the import root.

    Args:
        home: data folder.
        client: this host's name; request ids begin with it.

    Raises:
        ServerUnreachable: no bridge runs on that data folder.
    """

    def __init__(self, home: Path, client: str) -> None:
        found = load(home)
        if found is None:
            raise ServerUnreachable("Athanor has not run here yet. Start it with: athanor up")
        self._url = f"http://127.0.0.1:{found.http_port}{PREFIX}"
        self._headers = {"Authorization": f"Bearer {found.token}"}
        self._client, self._count = client, 0
        hello = self._post("hello", {"client": client, "name": client})
        self.root = Path(hello["root"])
        self._session = hello["session"]

    def ask(self, verb: str, options: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """The answer to a request of the table of routes, under a new id; its refusal as the error that it names."""
        self._count += 1
        body = {"request": f"{self._client}-{self._session}-{self._count}", **arguments,
                "options": {**(options or {}), "client": self._client}}
        return self._post(verb, body)

    def wait(self, job: str, on_progress: Callable[[Progress], None]) -> list[dict[str, Any]]:
        """Wait for the end of a job; its `done` events.

        Raises:
            JobCancelled: it was stopped. AthanorError: as it failed.
        """
        while True:
            status = self.ask("job/status", job=job)
            if status["stage"] in _ENDED:
                return self._results(job, status.get("events", []))
            on_progress(Progress(job, status["phase"], status["step"], status["steps"]))
            time.sleep(_LOOK_S)

    def waiting(self) -> list[dict[str, Any]]:
        """The `done` events of jobs that nobody has acknowledged, each once and of whole jobs. They come first when a
        client listens; another job's progress may go on for long after them."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        query = urlencode({"client": self._client})
        try:
            with self._opened(Request(f"{self._url}/events?{query}", headers=self._headers), _QUIET_S) as stream:
                deadline = time.monotonic() + _QUIET_S
                for line in stream:
                    if line.startswith(b"data: "):
                        event = json.loads(line.removeprefix(b"data: "))
                        if event["event"] == "done":
                            found[event["job"], event["index"]] = event
                    if time.monotonic() > deadline:
                        break
        except TimeoutError:  # nothing more comes
            pass
        parts = Counter(job for job, _ in found)
        return [event for event in found.values() if parts[event["job"]] >= event["count"]]

    def unfinished(self) -> list[str]:
        """This client's jobs that have not ended, newest first."""
        lines = self.ask("job/list").get("events", [])
        return [line["job"] for line in lines
                if line["of_request"].startswith(f"{self._client}-") and line["stage"] not in _ENDED]

    def _results(self, job: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for event in events:
            if event["event"] in ("failed", "cancelled"):
                self.ask("job/ack", job=job)
            if event["event"] == "failed":
                raise from_wire({"code": event["code"], "message": event["message"], "retryable": event["retryable"]})
            if event["event"] == "cancelled":
                raise JobCancelled("cancelled as asked.")
        return [event for event in events if event["event"] == "done" and event["index"]]

    def _post(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = self._headers | {"Content-Type": "application/json"}
        with self._opened(Request(f"{self._url}/{verb}", json.dumps(body).encode(), headers), _LIMIT_S) as answer:
            return json.load(answer)

    @contextmanager
    def _opened(self, request: Request, limit_s: float) -> Iterator[Any]:
        try:
            answer = _OPENER.open(request, timeout=limit_s)
        except HTTPError as error:
            with error:
                refused = json.load(error)
            raise from_wire({"code": refused["code"], "message": refused["message"]}) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            raise ServerUnreachable("Athanor does not answer. Start it with: athanor up") from error
        with answer:
            yield answer
