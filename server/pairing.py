# SPDX-License-Identifier: GPL-3.0-or-later
"""Pair two machines by a code that is read from one and typed into the other, once.

Both ends derive the same two CURVE key pairs from the code, one for each end, and meet on a socket that only the holder of
the other's key can use: who does not know the code can neither ask nor answer nor listen. Over it they exchange the keys
that stay. A code is 80 random bits, stretched by scrypt, so a recorded meeting cannot be searched for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import socket
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.utils import z85

from server.allowed_keys import AllowedKeys, checked_name
from server.auth import PAIRING, Connection, Doorkeeper, KeyPair, guard, present
from server.errors import AthanorError, InvalidOption, RequestRefused, ServerUnreachable, StorageError, from_wire
from server.lan import FIRST_PORT, Lan, addresses
from server.settings import Paths

CODE_GOOD_S = 600.0
_PATIENCE_S = 10.0
_LINGER_S = 1.0
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing that reads like something else
_CODE_CHARACTERS = 16
_GROUP = 4
_MAX_BYTES = 2048
_READS_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


def new_code() -> str:
    """A code of 80 random bits, in groups of four."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARACTERS))
    return "-".join(code[start:start + _GROUP] for start in range(0, _CODE_CHARACTERS, _GROUP))


def read_code(text: str) -> str:
    """A code as a person typed it, without groups and in capitals; InvalidOption if it is none."""
    code = text.upper().replace("-", "").replace(" ", "").translate(_READS_AS)
    if len(code) != _CODE_CHARACTERS or not set(code) <= set(_ALPHABET):
        raise InvalidOption(f"{text!r} is no pairing code; one has {_CODE_CHARACTERS} letters and digits and is printed by "
                            "`athanor serve --lan` on the other machine.")
    return code


def keys_of(code: str, end: str) -> KeyPair:
    """The key pair of one end ("server" or "client") of a meeting by `code`."""
    secret = hashlib.scrypt(read_code(code).encode(), salt=f"athanor pairing {end}".encode(), n=2**14, r=8, p=1, dklen=32)
    text = z85.encode(secret)
    return KeyPair(zmq.curve_public(text).decode(), text.decode())


async def invite(context: zmq.asyncio.Context, doorkeeper: Doorkeeper, machines: AllowedKeys, lan: Lan, bind: str) -> None:
    """Print a new code on this machine's screen, and let one more machine in by it. Errors as `offer`."""
    code = new_code()
    places = [host if lan.port == FIRST_PORT else f"{host}:{lan.port}" for host in addresses(bind)]
    print(f"The server is open to paired machines. To pair one more, type there within {CODE_GOOD_S / 60:g} minutes, once:",
          *(f"    athanor pair {place} {code}" for place in places), sep="\n", flush=True)
    name = await offer(context, doorkeeper, machines, lan, bind, code)
    print(f"{name} is paired." if name else "The pairing code has expired; start again for a new one.", flush=True)


async def offer(context: zmq.asyncio.Context, doorkeeper: Doorkeeper, allowed: AllowedKeys, lan: Lan, bind: str,
                code: str) -> str | None:
    """Wait for the one machine that knows `code`, for CODE_GOOD_S at most; the name of the machine that is now paired.

    Raises:
        RequestRefused: the pairing port is in use.
    """
    server, client = await asyncio.to_thread(lambda: (keys_of(code, "server"), keys_of(code, "client")))
    router = context.socket(zmq.ROUTER)
    router.linger = int(1000 * _LINGER_S)
    router.setsockopt(zmq.MAXMSGSIZE, _MAX_BYTES)
    guard(router, server, PAIRING)
    doorkeeper.allow(PAIRING, client.public)
    try:
        router.bind(f"tcp://{bind}:{lan.pairing_port}")
        async with asyncio.timeout(CODE_GOOD_S):
            return await _answer(router, allowed, lan)
    except TimeoutError:
        return None
    except zmq.ZMQError as error:
        raise RequestRefused(f"the pairing port {lan.pairing_port} cannot be used ({error.strerror}). Choose others "
                             "with --port.", code="port_in_use", retryable=False) from None
    finally:
        doorkeeper.disallow(PAIRING, client.public)
        router.close()


async def _answer(router: zmq.asyncio.Socket, allowed: AllowedKeys, lan: Lan) -> str:
    """Answer until somebody has been let in; who is refused, for instance for a name, may ask again."""
    while True:
        peer, *frames = await router.recv_multipart()
        try:
            asked = json.loads(frames[-1])
            allowed.add(checked_name(str(asked["name"])), str(asked["key"]))
        except (AthanorError, OSError) as error:
            told = error if isinstance(error, AthanorError) else StorageError(f"the key cannot be kept: {error.strerror}.")
            await router.send_multipart([peer, json.dumps({"error": told.to_wire()}).encode()])
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            continue
        else:
            answer = {"server_key": lan.keys.public, "requests_port": lan.port, "events_port": lan.events_port}
            await router.send_multipart([peer, json.dumps(answer).encode()])
            return str(asked["name"])


async def ask(host: str, code: str, name: str) -> Connection:
    """Pair this machine, under `name`, with the server that printed `code` on `host` ("address" or "address:port").

    `keep` makes the connection that it returns this machine's way to the server.

    Raises:
        InvalidOption: no code, no host, or a name that the server does not take.
        ServerUnreachable: nobody there answers to this code.
    """
    address, port = _place(host)
    own = KeyPair.new()
    context = zmq.asyncio.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    try:
        present(dealer, keys_of(code, "client"), keys_of(code, "server").public)
        dealer.connect(f"tcp://{address}:{port + 2}")
        await dealer.send(json.dumps({"name": checked_name(name), "key": own.public}).encode())
        async with asyncio.timeout(_PATIENCE_S):
            answer = json.loads(await dealer.recv())
    except TimeoutError:
        raise ServerUnreachable(f"nobody at {address} answers to this code. It is good for ten minutes after `athanor "
                                "serve --lan` has printed it, and for one machine; start that again for a new one, and see "
                                f"whether a firewall closes ports {port} to {port + 2}.") from None
    except zmq.ZMQError as error:
        raise InvalidOption(f"{host!r} is no address of a machine ({error.strerror}).") from None
    finally:
        dealer.close()
        context.term()
    if "error" in answer:
        raise from_wire(answer["error"])
    return Connection("paired", 0, f"tcp://{address}:{answer['requests_port']}", f"tcp://{address}:{answer['events_port']}",
                      answer["server_key"], own.public, own.secret)


def keep(home: Path, connection: Connection) -> None:
    """From now on, clients of the data folder `home` use that server."""
    home.mkdir(parents=True, exist_ok=True)
    connection.write(Paths(home).paired)


def kept(home: Path) -> Connection | None:
    """The other machine's server that clients of `home` use; ServerUnreachable if the file cannot be understood."""
    path = Paths(home).paired
    return Connection.read(path) if path.exists() else None


def forget(home: Path) -> None:
    """Clients of `home` use a server on this machine again."""
    Paths(home).paired.unlink(missing_ok=True)


def machines(home: Path) -> AllowedKeys:
    """Which other machines the server of `home` lets in."""
    return AllowedKeys(Paths(home).allowed_keys)


def _place(host: str) -> tuple[str, int]:
    """Address and first port; a name is looked up now, because ZeroMQ would look for ever."""
    name, _, port = host.partition(":")
    if port and not (port.isdecimal() and 0 < int(port) < 65534):
        raise InvalidOption(f"{host!r}: {port!r} is no port; 1 to 65533 are.")
    with contextlib.suppress(OSError, UnicodeError):
        return socket.gethostbyname(name), int(port or FIRST_PORT)
    raise InvalidOption(f"there is no machine {name!r} in this network; give the address that `athanor serve --lan` says.")
