# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the server: CURVE keys, the connection file, and an authenticator that fails closed.

CURVE is on for loopback too: any program on the machine can otherwise connect, and random bytes on a plain socket reach
the application. A socket's ZAP domain is enforced, so that nobody gets in when the authenticator does not run.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from server.errors import InvalidOption, ServerUnreachable
from server.telemetry import Counters
from server.whole_file import write_private

CLIENTS = "athanor-clients"
WORKERS = "athanor-workers"
PAIRING = "athanor-pairing"


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair in Z85 text."""

    public: str
    secret: str

    @classmethod
    def new(cls) -> KeyPair:
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


@dataclass(frozen=True)
class Connection:
    """What a client needs to reach a server. `instance` changes with every start."""

    instance: str
    pid: int
    requests: str
    events: str
    server_key: str
    client_public: str
    client_secret: str

    def write(self, path: Path) -> None:
        """Write the connection file, readable for its owner alone, whole or not at all."""
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Connection:
        """The connection in a file.

        Raises:
            ServerUnreachable: there is none, or it cannot be understood.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ServerUnreachable(f"no server is running: there is no {path}. Start one with `athanor serve`.") from None
        except (OSError, ValueError, TypeError) as error:
            raise ServerUnreachable(f"{path} cannot be read ({error}). Restart the server with `athanor stop` and "
                                    "`athanor serve`.") from None


class Doorkeeper:
    """Answers ZAP: which public keys may use which domain. Lives in one context beside its sockets."""

    def __init__(self, context: zmq.asyncio.Context, counters: Counters, machines: Container[str] = ()) -> None:
        """`machines`: keys of other machines' clients, asked anew each time."""
        self._allowed: dict[str, set[str]] = {CLIENTS: set(), WORKERS: set(), PAIRING: set()}
        self._machines = machines
        self._authenticator = AsyncioAuthenticator(context)
        self._counters = counters

    def start(self) -> None:
        """Begin to answer; until then nobody gets in."""
        self._authenticator.start()
        for domain in self._allowed:
            self._authenticator.configure_curve_callback(domain, credentials_provider=self)

    def stop(self) -> None:
        """Stop answering; from then on nobody gets in."""
        self._authenticator.stop()

    def allow(self, domain: str, public: str) -> None:
        """Let the holder of this key into a domain."""
        self._allowed[domain].add(public)

    def disallow(self, domain: str, public: str) -> None:
        """Take that back; connections that stand are not cut."""
        self._allowed[domain].discard(public)

    def callback(self, domain: str, key: bytes) -> bool:
        """Asked by the authenticator."""
        known = self.knows(domain, key.decode("ascii", "replace"))
        if not known:
            self._counters.add("keys_refused")
        return known

    def knows(self, domain: str, public: str) -> bool:
        """Whether the holder of a key may use a domain now; a connection that stands does not prove it."""
        return public in self._allowed.get(domain, ()) or (domain == CLIENTS and public in self._machines)


def guard(socket: zmq.Socket, keys: KeyPair, domain: str) -> None:
    """Make a socket, before it binds, one that only lets known keys of `domain` in."""
    socket.curve_server = True
    socket.curve_publickey = keys.public.encode()
    socket.curve_secretkey = keys.secret.encode()
    socket.zap_domain = domain.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def present(socket: zmq.Socket, keys: KeyPair, server_key: str) -> None:
    """Make a socket, before it connects, one that shows `keys` and only talks to the holder of `server_key`."""
    socket.curve_publickey = keys.public.encode()
    socket.curve_secretkey = keys.secret.encode()
    socket.curve_serverkey = server_key.encode()


def keep_alive(socket: zmq.Socket) -> None:
    """Notice a dead link within seconds; off by default in ZeroMQ."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)


def check_bind(address: str, has_keys: bool, allowed_path: Path) -> bool:
    """Whether `address` is open to the network; InvalidOption if it is and no key may come from there."""
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise InvalidOption(f"bind={address!r} is not an IP address; 127.0.0.1 is this machine alone.") from None
    if not zmq.has("curve"):
        raise InvalidOption("this build of ZeroMQ has no CURVE, so no connection can be protected. Install pyzmq's wheel.")
    if not is_loopback and not has_keys:
        raise InvalidOption(f"bind={address} opens the server to the network, but {allowed_path} lists no client key. "
                            "Pair a machine with --lan, or bind 127.0.0.1.")
    return not is_loopback
