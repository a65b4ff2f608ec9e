# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: the table's requests by POST, events, files, and the OSCQuery tree. On this machine only."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path

from aiohttp import web

from bridge.http.calls import OPTIONS, Collected, answer_json, message_of
from bridge.http.events import EventStreams
from bridge.http.files import Files
from bridge.http.guard import Guard, refused
from bridge.oscquery import ATTRIBUTES, host_info, node
from bridge.outlets import HTTP, Address
from bridge.reception import Reception
from bridge.routes import CLIENT, HELLO, PREFIX, find_route
from server.errors import AthanorError, InvalidOption, RequestRefused

_log = logging.getLogger("athanor.bridge")
MAX_BODY_BYTES = 65536
BODY_PATIENCE_S = 10.0
_UNNAMED = "-"
_END_S = 2.0


class HttpServer:
    """Answers on a socket from `start` on.

    Args:
        listening: a bound socket.
        token: what a request must carry.
        osc_port: for OSCQuery.
        root: import root.
    """

    def __init__(self, listening: socket.socket, token: str, osc_port: int, root: Path) -> None:
        self._socket, self._token, self._osc_port, self._root = listening, token, osc_port, root
        self.port: int = listening.getsockname()[1]
        self._runner: web.AppRunner | None = None

    async def start(self, reception: Reception) -> None:
        """Hear and answer."""
        self._reception = reception
        self._events = EventStreams(reception)
        reception.outlets.add(HTTP, self._events)
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_END_S)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def close(self) -> None:
        """Let go of the port and of all connections."""
        if self._runner is None:
            self._socket.close()
            return
        self._events.close()
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        guard, files = Guard(self.port, self._token, (self._query,)), Files(self._root)
        application = web.Application(middlewares=[guard.middleware], client_max_size=MAX_BODY_BYTES)
        application.router.add_get(f"{PREFIX}/events", self._events.serve)
        application.router.add_get(f"{PREFIX}/files/{{name:.+}}", files.get)
        application.router.add_put(f"{PREFIX}/files/{{name:.+}}", files.put)
        application.router.add_post(f"{PREFIX}/{{rest:.+}}", self._call)
        application.router.add_get("/{path:.*}", self._query)
        return application

    async def _call(self, request: web.Request) -> web.Response:
        """A request of the table."""
        answer, body = Collected(), None
        try:
            body = await _json_body(request)
            route = find_route(request.path)
            message = message_of(route, body)
        except AthanorError as error:
            return refused(error, request_id=_request_id(body))
        await self._reception.answer(message, _source(request.path, body), answer)
        status, fields = answer_json(route, answer.messages)
        return web.json_response(fields, status=status)

    async def _query(self, request: web.Request) -> web.Response:
        """OSCQuery: `?HOST_INFO`, a node with all that is under it, or one attribute of it."""
        asked = request.query_string.split("&")[0]
        if asked == "HOST_INFO":
            return web.json_response(host_info("Athanor", self._osc_port))
        found = node(request.path)
        if found is None:
            raise RequestRefused(f"there is no address {request.path[:200]!r}.", code="unknown_address", retryable=False)
        if not asked:
            return web.json_response(found)
        if asked not in ATTRIBUTES:
            raise InvalidOption(f"?{asked[:100]} is none of {', '.join(ATTRIBUTES)}.")
        if asked not in found:
            return web.Response(status=204)
        return web.json_response({asked: found[asked]})


async def _json_body(request: web.Request) -> object:
    if request.content_type != "application/json":
        raise InvalidOption("send the header 'Content-Type: application/json'.")
    try:
        text = await asyncio.wait_for(request.text(), BODY_PATIENCE_S)
        return json.loads(text)
    except TimeoutError:
        raise AthanorError(f"the body did not come within {BODY_PATIENCE_S:g} s; send it again.", code="too_slow",
                           retryable=True) from None
    except (ValueError, RecursionError, LookupError) as error:
        raise InvalidOption(f"the body is no JSON in UTF-8: {error}.") from None


def _source(path: str, body: object) -> Address:
    """Who asks: hello says so in itself; everything else by the option `client`."""
    assert isinstance(body, dict)
    named = body.get(HELLO.arguments[0].name) if path == HELLO.address else (body.get(OPTIONS) or {}).get(CLIENT.name)
    return Address(HTTP, str(named or _UNNAMED))


def _request_id(body: object) -> str:
    request = body.get("request", "") if isinstance(body, dict) else ""
    return request if isinstance(request, str) else ""
