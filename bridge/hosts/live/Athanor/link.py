# SPDX-License-Identifier: MIT
"""The conversation with the bridge over a socket that never waits: Live's own thread looks into it ten times a second."""

import socket
import time

from .osc import decode, encode

PREFIX = "/athanor/v1"
BRIDGE = ("127.0.0.1", 9101)
_HELLO_S = 2.0
_MOST = 65536
_AT_ONCE = 200


class Link:
    """Asks and hears. hear(name, values): every message of the bridge, its address without the prefix.

    root: the import root, once the bridge has answered; else "".
    """

    def __init__(self, client, title, hear, bridge=BRIDGE):
        self.root = ""
        self._client, self._title, self._hear, self._bridge = client, title, hear, bridge
        self._count, self._begun, self._greeted = 0, format(int(time.time() * 1000), "x"), 0.0
        self._waiting = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))

    def close(self):
        """Nothing is heard any more; what was not acknowledged is told again at the next hello."""
        self._socket.close()

    def ask(self, name, *values, **kwargs):
        """Send a request and return its id. then: is called with what its `ok` adds."""
        self._count += 1
        request = f"{self._client}-{self._begun}-{self._count}"
        if kwargs.get("then"):
            self._waiting[request] = kwargs["then"]
        self._send(name, request, *values)
        return request

    def in_turn(self, requests, then):
        """One request after the other, each once the one before it was accepted; an error ends the row."""
        if not requests:
            then()
            return
        first = requests[0]
        self.ask(*first, then=lambda *reply: self.in_turn(requests[1:], then))

    def poll(self):
        """Say hello until it is answered, and hear what has come."""
        if not self.root and time.time() - self._greeted >= _HELLO_S:
            self._greeted = time.time()
            self._send("hello", self._client, "0", self._title, "1")
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(_MOST)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there yet: some systems say so at the next look
                continue
            self._take(data)

    def _send(self, name, *values):
        try:
            self._socket.sendto(encode(f"{PREFIX}/{name}", *values), self._bridge)
        except OSError:
            pass

    def _take(self, data):
        try:
            address, values = decode(data)
        except ValueError:
            return
        name = address[len(PREFIX) + 1:]
        if name == "ok" and values[1] == PREFIX + "/hello":
            if self.root:
                return
            self.root = values[4]
        elif name == "ok":
            then = self._waiting.pop(values[0], None)
            if then:
                then(*values[2:])
            return
        elif name == "error":
            self._waiting.pop(values[0], None)
        self._hear(name, values)
