# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a bridge: bound before anything else happens, so that one that cannot have them starts nothing."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterable

from server.errors import StorageError

_RECEIVE_BUFFER_BYTES = 1 << 20
_TRIES = 20


def bind_osc(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket of one port number; 0 is any number that both are free of.

    Raises:
        StorageError: the port is in use or may not be used.
    """
    for attempt in range(1, _TRIES + 1):
        udp = bind_udp(host, port)
        try:
            return udp, bind_tcp(host, udp.getsockname()[1])
        except StorageError:
            udp.close()
            if port or attempt == _TRIES:
                raise
    raise AssertionError


def bind_udp(host: str, port: int) -> socket.socket:
    """A UDP socket with room for a burst; StorageError if the port cannot be had."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # A burst from a patch must fit: UDP drops what does not.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    return _bound(sock, host, port, "UDP", "--port")


def bind_tcp(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening TCP socket; StorageError, naming the option that chooses another, if the port cannot be had."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would share the port with a stranger; elsewhere it allows a quick restart
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock = _bound(sock, host, port, "TCP", option)
    sock.listen(128)
    return sock


def bind_first(host: str, ports: Iterable[int]) -> socket.socket:
    """A TCP socket on the first of these ports that is free, else on any."""
    for port in ports:
        try:
            return bind_tcp(host, port)
        except StorageError:
            continue
    return bind_tcp(host, 0)


def _bound(sock: socket.socket, host: str, port: int, protocol: str, option: str) -> socket.socket:
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise StorageError(f"{protocol} port {port} of {host} cannot be used: {reason}. Most likely another bridge runs "
                           f"already; stop it, or choose another port with {option}.", code="port_in_use",
                           retryable=False) from error
    return sock
