# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that talks to the lonely bridge by HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bridge.routes import PREFIX

LIMIT_S = 60.0


class HttpClient:
    """Requests with the token, and the answers' status and JSON."""

    def __init__(self, session: aiohttp.ClientSession, port: int, token: str) -> None:
        self.session, self.base, self.headers = session, f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}

    async def ask(self, address: str, **body):
        """POST to an address under the common prefix; status and JSON."""
        async with self.session.post(f"{self.base}{PREFIX}/{address}", json=body, headers=self.headers) as answer:
            return answer.status, await answer.json()

    def request(self, method: str, path: str, **more):
        """Any request with the token; `headers` add to it."""
        headers = self.headers | more.pop("headers", {})
        return self.session.request(method, f"{self.base}{path}", headers=headers, **more)

    async def events(self, client: str) -> AsyncIterator[tuple[str, dict]]:
        """The events of a client as (event, data), for at most LIMIT_S."""
        async with asyncio.timeout(LIMIT_S), self.request("GET", f"{PREFIX}/events?client={client}") as stream:
            assert stream.status == 200, await stream.text()
            name = ""
            async for line in stream.content:
                word, _, rest = line.decode().rstrip("\n").partition(": ")
                if word == "event":
                    name = rest
                elif word == "data":
                    yield name, json.loads(rest)


@pytest.fixture
async def http(lonely_bridge) -> AsyncIterator[HttpClient]:
    async with aiohttp.ClientSession() as session:
        yield HttpClient(session, lonely_bridge.http_port, lonely_bridge.connection.token)
