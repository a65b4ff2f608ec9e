# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: programs of this machine that know the token, and no web page from elsewhere. Errors become JSON here."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection

from aiohttp import hdrs, web

from bridge.http.calls import refusal_json
from bridge.stages import described
from server.errors import AthanorError, RequestRefused

_log = logging.getLogger("athanor.bridge")
_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HTTP_CODES = {404: "unknown_address", 405: "unknown_address", 413: "too_large"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Middleware of the whole application.

    Host is checked so that a name of somebody else's that points here (DNS rebinding) leads nowhere, Origin so that no
    page of another site gets an answer, and the token because other people may use this machine.

    Args:
        port: the server's own.
        token: what a request must carry.
        open_to_all: handlers that need no token, because they tell nothing but what the documentation tells, too.
    """

    def __init__(self, port: int, token: str, open_to_all: Collection[Handler]) -> None:
        self._open_to_all = open_to_all
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._authorization = f"Bearer {token}".encode()

    @property
    def middleware(self) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
        """To give to the application."""
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self._check(request)
                return await handler(request)
            except AthanorError as error:
                return refused(error)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                return refused(AthanorError(f"{request.method} {request.path}: {error.reason}.",
                                            code=_HTTP_CODES.get(error.status, "malformed")), error.status)
            except (ConnectionError, asyncio.CancelledError):
                raise
            except Exception as error:  # a fault of ours ends this request only
                _log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
                return refused(described(error))

        return guard

    def _check(self, request: web.Request) -> None:
        host, origin = request.headers.get(hdrs.HOST, ""), request.headers.get(hdrs.ORIGIN)
        if host not in self._hosts:
            raise _forbidden(f"Host {host[:100]!r} is not this server; connect to 127.0.0.1.")
        if origin is not None and origin not in self._origins:
            raise _forbidden(f"pages of {origin[:100]!r} may not use this server.")
        if request.match_info.handler in self._open_to_all:
            return
        given = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._authorization):
            raise _forbidden("send the header 'Authorization: Bearer <token>', with the token of "
                             "bridge/connection.json in Athanor's data folder.")


def refused(error: AthanorError, status: int | None = None, request_id: str = "") -> web.Response:
    """An error as an HTTP answer; its status follows from its code if none is given."""
    usual, body = refusal_json(error.code, error.message, request_id)
    return web.json_response(body, status=status or usual)


def _forbidden(message: str) -> RequestRefused:
    return RequestRefused(message, code="forbidden", retryable=False)
