# SPDX-License-Identifier: GPL-3.0-or-later
"""Waking a host: the OSC message that tells a program without sockets of its own to look into its spool folder."""

from __future__ import annotations

import asyncio
import logging
import socket

from bridge.packets import Value, encode

_log = logging.getLogger("athanor.bridge")
_HERE = "127.0.0.1"
_TOGETHER_S = 0.05
"""Messages written within that time are announced by one wake."""


def wake_message(wake: str) -> tuple[int, bytes]:
    """Port and datagram of `PORT /address arguments...`; whole numbers go as i, other numbers as f, the rest as s."""
    port, address, *words = wake.split()
    return int(port), encode(address, *map(_value, words))


def _value(word: str) -> Value:
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return word


class Waker:
    """Sends wakes. Use it in one event loop."""

    def __init__(self) -> None:
        self._pending: dict[str, asyncio.TimerHandle] = {}

    def wake(self, wake: str) -> None:
        """Send `wake` in a moment, once for all that is asked until then."""
        if wake and wake not in self._pending:
            self._pending[wake] = asyncio.get_running_loop().call_later(_TOGETHER_S, self._send, wake)

    def close(self) -> None:
        """Wake nobody any more."""
        for timer in self._pending.values():
            timer.cancel()

    def _send(self, wake: str) -> None:
        del self._pending[wake]
        port, datagram = wake_message(wake)
        # From a port of its own: a host that answers whoever wakes it must not be heard as a client.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.setblocking(False)
                sock.sendto(datagram, (_HERE, port))
            except OSError as error:
                _log.debug("port %d could not be woken: %s", port, error)
