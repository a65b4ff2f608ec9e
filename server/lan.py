# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be the same at every start for machines that are paired with this one: the server's key and its ports.

Three ports in a row: requests, events, and, while a code is good, pairing.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import psutil

from server.auth import KeyPair
from server.errors import StorageError
from server.whole_file import write_private

FIRST_PORT = 9103
ANY_ADDRESS, LOOPBACK = "0.0.0.0", "127.0.0.1"


@dataclass(frozen=True)
class Lan:
    """A server's place in the network: `port` is for requests."""

    keys: KeyPair
    port: int

    @property
    def events_port(self) -> int:
        return self.port + 1

    @property
    def pairing_port(self) -> int:
        return self.port + 2


def remembered(path: Path, port: int) -> Lan:
    """The place kept in the file `path`, made if there is none; `port` other than 0 is kept instead of the old one.

    Raises:
        StorageError: the file cannot be read or written.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        keys = KeyPair(**kept["keys"]) if kept else KeyPair.new()
        lan = Lan(keys, port or kept.get("port", FIRST_PORT))
        write_private(path, json.dumps(asdict(lan)))
        return lan
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(f"the server's network key {path} cannot be used ({error}). If you remove the file, every "
                           "machine must be paired again.", retryable=False) from None


def addresses(bind: str) -> list[str]:
    """The IPv4 addresses under which other machines find this one; `bind` itself if it is one of them."""
    if bind != ANY_ADDRESS:
        return [bind]
    found = [one.address for interface in psutil.net_if_addrs().values() for one in interface
             if one.family == socket.AF_INET]
    return sorted(address for address in found if not ip_address(address).is_loopback)

