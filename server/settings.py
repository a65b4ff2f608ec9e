# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Athanor keeps its things, and the limits that the server runs with. No torch.

    <home>/server/     ledger.db  blobs/  connection.json  lock  log  allowed_keys  lan.json  pins.json
    <home>/paired.json the server of another machine, where this one is paired with it
    <home>/palette/    <name>.safetensors
    <home>/models.toml backbones beside the known ones, see `server.models.catalogue`
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import platformdirs

from server.errors import InvalidOption

MIB = 1024 * 1024
GIB = 1024 * MIB


def default_home() -> Path:
    """The data folder: ATHANOR_HOME, else the platform's place for an application's data."""
    chosen = os.environ.get("ATHANOR_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("athanor", appauthor=False)


@dataclass(frozen=True)
class Paths:
    """Files and folders below one home."""

    home: Path

    @property
    def server(self) -> Path:
        return self.home / "server"

    @property
    def ledger(self) -> Path:
        return self.server / "ledger.db"

    @property
    def blobs(self) -> Path:
        return self.server / "blobs"

    @property
    def connection(self) -> Path:
        return self.server / "connection.json"

    @property
    def lock(self) -> Path:
        return self.server / "lock"

    @property
    def log(self) -> Path:
        return self.server / "log"

    @property
    def allowed_keys(self) -> Path:
        return self.server / "allowed_keys"

    @property
    def lan(self) -> Path:
        return self.server / "lan.json"

    @property
    def paired(self) -> Path:
        return self.home / "paired.json"

    @property
    def pins(self) -> Path:
        return self.server / "pins.json"

    @property
    def palette(self) -> Path:
        return self.home / "palette"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set on a server; each field can be given as `--set name=value`.

    Names ending in _s are seconds, in _bytes bytes, in _hz per second.
    """

    home: Path
    bind: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    debug_jobs: bool = False
    lan: bool = False  # let other machines in, by key, and print a code to pair one more

    queued_limit: int = 256
    queued_limit_per_origin: int = 32
    queued_limit_s: float = 86400.0
    deadline_s: float = 0.0  # 0: the kind's own

    blob_limit_bytes: int = 256 * MIB
    store_limit_bytes: int = 20 * GIB
    free_floor_bytes: int = 2 * GIB
    open_uploads: int = 64
    upload_idle_s: float = 600.0

    event_rate_hz: float = 10.0
    pulse_s: float = 2.0
    in_flight_per_peer: int = 32

    heartbeat_s: float = 1.0
    worker_silent_s: float = 30.0
    worker_start_s: float = 120.0
    warm: bool = True  # load the embedded backbone while nothing is asked for
    idle_unload_s: float = 1800.0  # a model not used for so long is unloaded, unless pinned; 0: never
    stall_s: float = 30.0
    first_step_s: float = 600.0
    cancel_grace_s: float = 2.0
    cancel_grace_busy_s: float = 10.0
    restart_first_s: float = 0.5
    restart_last_s: float = 30.0
    stable_s: float = 60.0
    failed_starts: int = 5
    failed_starts_window_s: float = 600.0
    drain_s: float = 30.0

    @property
    def paths(self) -> Paths:
        return Paths(self.home)


def with_overrides(settings: Settings, overrides: Mapping[str, str]) -> Settings:
    """`settings` with fields replaced by texts ("name" -> "value"); InvalidOption for an unknown name or a bad value."""
    known = {field.name: field for field in fields(Settings) if field.name != "home"}
    changes = {}
    for name, text in overrides.items():
        if name not in known:
            raise InvalidOption(f"the server has no setting {name!r}; there is: {', '.join(known)}.")
        changes[name] = _value(name, text, type(getattr(settings, name)))
    return replace(settings, **changes)


def _value(name: str, text: str, kind: type) -> object:
    try:
        if kind is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise InvalidOption(f"setting {name}={text!r} is not of the type {kind.__name__}.") from None
