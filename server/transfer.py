# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs to and from the server, in ranges: a few on their way at a time, resumed, verified."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from server import protocol
from server.client_link import ServerLink
from server.errors import InvalidInput, RequestRefused, StorageError

CHUNK_BYTES = 512 * 1024  # a frame is encrypted, sent and decrypted as a whole: small ones overlap
WINDOW = 4
_RESTARTS = 3


async def upload(link: ServerLink, source: Path | str | bytes) -> str:
    """Bring a file (or bytes) to the server and return its SHA-256, which a job names it by.

    What is there already is not sent; an interrupted upload goes on where it was.

    Raises:
        InvalidInput: there is no such file, or it is too large.
        StorageError: the server has no room.
    """
    data = source if isinstance(source, bytes) else await asyncio.to_thread(_read_file, Path(source))
    digest = await asyncio.to_thread(_sha256, data)
    for restarts_left in reversed(range(_RESTARTS)):
        state, _ = await link.ask("blob.stat", protocol.BlobStat(digest=digest))
        if state["present"]:
            break
        try:
            await _send(link, digest, data, state["offset"])
            break
        except RequestRefused as error:
            if error.code != "out_of_order" or not restarts_left:
                raise  # otherwise a restarted server has forgotten the beginning
    return digest


async def _send(link: ServerLink, digest: str, data: bytes, offset: int) -> None:
    """Send everything from `offset`; the ranges leave in order and their answers are awaited together."""
    room = asyncio.Semaphore(WINDOW)

    async def put(start: int) -> None:
        async with room:
            message = protocol.BlobPut(digest=digest, offset=start, total=len(data))
            await link.ask("blob.put", message, data[start : start + CHUNK_BYTES])

    # Where somebody else has just sent the last byte, an empty range waits until the server has it whole.
    starts = range(offset, len(data), CHUNK_BYTES) or (offset,)
    puts = [asyncio.create_task(put(start)) for start in starts]
    try:
        await asyncio.gather(*puts)
    finally:
        for task in puts:
            task.cancel()


async def read(link: ServerLink, digest: str) -> bytes:
    """A blob's content, verified. RequestRefused `unknown_blob`."""
    async with aclosing(_ranges(link, digest, 0)) as ranges:
        content = b"".join([part async for part in ranges])
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
            async with aclosing(_ranges(link, digest, file.tell())) as ranges:
                async for part in ranges:
                    file.write(part)
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


async def _ranges(link: ServerLink, digest: str, offset: int) -> AsyncIterator[bytes]:
    """What follows `offset`, in order, with a few ranges asked for ahead."""
    data, total = await _get(link, digest, offset)
    yield data
    ahead: deque[asyncio.Task[tuple[bytes, int]]] = deque()
    offset += len(data)
    try:
        while offset < total or ahead:
            while offset < total and len(ahead) < WINDOW:
                ahead.append(asyncio.create_task(_get(link, digest, offset)))
                offset += CHUNK_BYTES
            yield (await ahead.popleft())[0]
    finally:
        for task in ahead:
            task.cancel()


async def _get(link: ServerLink, digest: str, offset: int) -> tuple[bytes, int]:
    message = protocol.BlobGet(digest=digest, offset=offset, length=CHUNK_BYTES)
    fields, data = await link.ask("blob.get", message)
    if len(data) != max(0, min(CHUNK_BYTES, fields["total"] - offset)):
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
