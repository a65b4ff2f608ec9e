# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs to and from the server, in ranges: never more than a few megabytes on their way, resumed, verified."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from server import protocol
from server.client_link import ServerLink
from server.errors import InvalidInput, StorageError

CHUNK_BYTES = 4 * 1024 * 1024


async def upload(link: ServerLink, source: Path | str | bytes) -> str:
    """Bring a file (or bytes) to the server and return its SHA-256, which a job names it by.

    What is there already is not sent; an interrupted upload goes on where it was.

    Raises:
        InvalidInput: there is no such file, or it is too large.
        StorageError: the server has no room.
    """
    data = source if isinstance(source, bytes) else await asyncio.to_thread(_read_file, Path(source))
    digest = await asyncio.to_thread(_sha256, data)
    state, _ = await link.ask("blob.stat", protocol.BlobStat(digest=digest))
    offset, is_complete = state["offset"], state["present"]
    while not is_complete:
        message = protocol.BlobPut(digest=digest, offset=offset, total=len(data))
        try:
            state, _ = await link.ask("blob.put", message, data[offset : offset + CHUNK_BYTES])
            is_complete = state["complete"]
        except InvalidInput:
            state, _ = await link.ask("blob.stat", protocol.BlobStat(digest=digest))
            if state["offset"] >= offset:
                raise  # otherwise a restarted server has forgotten the beginning: go on from what it knows
        offset = state["offset"]
    return digest


async def read(link: ServerLink, digest: str) -> bytes:
    """A blob's content, verified. RequestRefused `unknown_blob`."""
    parts, offset, total = [], 0, -1
    while offset != total:
        data, total = await _get(link, digest, offset)
        parts.append(data)
        offset += len(data)
    content = b"".join(parts)
    if await asyncio.to_thread(_sha256, content) != digest:
        raise _altered(digest)
    return content


async def fetch(link: ServerLink, digest: str, path: Path) -> Path:
    """Bring a blob to `path`, whole and verified or not at all; an interrupted fetch goes on where it was.

    Raises:
        RequestRefused: `unknown_blob`.
        StorageError: it cannot be written, or did not arrive as it was stored.
    """
    aside = path.with_name(f".{path.name[:200]}.{digest[:16]}.part")
    try:
        with open(aside, "ab") as file:
            total = -1
            while file.tell() != total:
                data, total = await _get(link, digest, file.tell())
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if await asyncio.to_thread(_file_sha256, aside) != digest:
            aside.unlink()
            raise _altered(digest)
        os.replace(aside, path)
    except OSError as error:
        raise StorageError(f"{path} could not be written ({error.strerror}). Choose a folder that exists and has room."
                           ) from None
    return path


async def _get(link: ServerLink, digest: str, offset: int) -> tuple[bytes, int]:
    message = protocol.BlobGet(digest=digest, offset=offset, length=CHUNK_BYTES)
    fields, data = await link.ask("blob.get", message)
    if not data and offset != fields["total"]:
        raise _altered(digest)
    return data, fields["total"]


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror}). Give an audio file that exists.") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _altered(digest: str) -> StorageError:
    return StorageError(f"blob {digest[:12]}... did not arrive as it was stored. Fetch it again; if that repeats, render "
                        "again.", code="result_lost", retryable=True)
