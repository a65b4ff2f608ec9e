# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection file: where a program of this person finds the bridge, and the token that lets it in."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.placement import make_folder
from server.errors import StorageError
from server.whole_file import write_private

DEFAULT_HTTP_PORT = 9102
_TOKEN_BYTES = 32


class Connection(BaseModel):
    """What the file says: ports of 127.0.0.1, the token of HTTP, the import root."""

    model_config = ConfigDict(frozen=True)

    osc_port: int = Field(ge=1, le=65535)
    http_port: int = Field(ge=1, le=65535)
    token: str = Field(min_length=32)
    root: Path


def connection_path(home: Path) -> Path:
    """Where the file is, in a data folder."""
    return home / "bridge" / "connection.json"


def load(home: Path) -> Connection | None:
    """What the last bridge of a data folder wrote, or None where there is nothing that can be used."""
    try:
        return Connection.model_validate_json(connection_path(home).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def save(home: Path, connection: Connection) -> None:
    """Write the file, whole, readable by its owner alone.

    Raises:
        StorageError: the data folder cannot be written.
    """
    path = connection_path(home)
    make_folder(path.parent)
    try:
        write_private(path, connection.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}. Free some space, or make the folder "
                           "writable.") from error
