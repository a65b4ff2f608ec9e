# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's adapter as a client of the running bridge: requests by HTTP, one after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from bridge.connection import load
from bridge.progress import Progress
from bridge.routes import PREFIX
from server.errors import JobCancelled, ServerUnreachable, from_wire

_LIMIT_S = 60.0
_LOOK_S = 0.25
_ENDED = ("placed", "failed", "cancelled")
_OPENER = build_opener(ProxyHandler({}))  # never by way of a proxy: the bridge is on this machine


class BridgeLink:
    """Says hello when it is made. root: the import root. waiting: ends of jobs that nobody has acknowledged.

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
        self._connection, self._client, self._count = found, client, 0
        hello = self._post("hello", {"client": client, "name": client})
        self.root = Path(hello["root"])
        self.waiting: list[dict[str, Any]] = hello.get("events", [])
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
        request = Request(f"http://127.0.0.1:{self._connection.http_port}{PREFIX}/{verb}", json.dumps(body).encode(),
                          {"Authorization": f"Bearer {self._connection.token}", "Content-Type": "application/json"})
        try:
            with _OPENER.open(request, timeout=_LIMIT_S) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                refused = json.load(error)
            raise from_wire({"code": refused["code"], "message": refused["message"]}) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            raise ServerUnreachable("Athanor does not answer. Start it with: athanor up") from error
