# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a running bridge that the journal holds an end which it has not announced."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from bridge.connection import load
from bridge.routes import STATUS

_PATIENCE_S = 3.0


def nudge(home: Path, job_id: str, client: str) -> bool:
    """Whether a bridge of the data folder announces the end of a job to `client` now."""
    connection = load(home)
    if connection is None:
        return False
    body = {"request": f"nudge-{job_id[:12]}", "job": job_id, "options": {"client": client}}
    request = Request(f"http://127.0.0.1:{connection.http_port}{STATUS.address}", json.dumps(body).encode(), {
        "Authorization": f"Bearer {connection.token}", "Content-Type": "application/json"})
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE_S) as answer:  # this machine, never a proxy
            return answer.status == 200
    except (OSError, HTTPException):  # none runs, or one that does not know the client
        return False
