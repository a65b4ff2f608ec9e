# SPDX-License-Identifier: GPL-3.0-or-later
"""Sounds over HTTP: read any file under the import root, in ranges; write new ones, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from bridge.imports import RESULTS_FOLDER
from bridge.outlets import SPOOL
from bridge.placement import make_folder
from server.errors import AthanorError, InvalidInput, RequestRefused, StorageError

CLIPS_FOLDER = "clips"
"""Where hosts put the sound of their regions, and may write over it."""
MAX_BYTES = 512 * 2**20
PATIENCE_S = 20.0
"""How long a sender may send nothing."""
_MOST_NAME = 500
# A file from here is data for a program, never a page.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Cache-Control": "no-store"}


class Files:
    """Handlers of `files/NAME`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The file, or the range of it that is asked for.

        Raises:
            RequestRefused: the name leads elsewhere, or there is no such file.
        """
        path = inside(self._root, request.match_info["name"])
        if not path.is_file():
            raise RequestRefused(f"there is no file {request.match_info['name']!r} under the import root.",
                                 code="no_such_file", retryable=False)
        return web.FileResponse(path, headers=_HEADERS)

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Write the body to a new file; in `clips/` also over an old one.

        Raises:
            RequestRefused: the name leads elsewhere or is in use. InvalidInput: the body is too large or too slow.
            StorageError: the folder cannot be written, or the disk is full.
        """
        name = request.match_info["name"]
        path, folder = inside(self._root, name), name.split("/")[0]
        if folder in (SPOOL, RESULTS_FOLDER) or path.is_dir():
            raise RequestRefused(f"{name!r} cannot be written; write into {CLIPS_FOLDER}/.", code="forbidden",
                                 retryable=False)
        _check_free(path, name, folder)
        make_folder(path.parent)
        part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            n_bytes = await _received(request, part)
            await asyncio.to_thread(_put_in_place, part, path, name, folder)
        except OSError as error:
            raise StorageError(f"{name} cannot be written: {error.strerror}. Free some space.") from error
        finally:
            part.unlink(missing_ok=True)
        return web.json_response({"ok": True, "file": name, "bytes": n_bytes}, status=201)


def inside(root: Path, name: str) -> Path:
    """The place under the root that a name in a URL means.

    Raises:
        RequestRefused: an absolute name, one with '..', a backslash, a drive or a hidden part, or one that
            leads out by a link.
    """
    parts = name.split("/")
    strange = any(character in name for character in "\\:\0") or len(name) > _MOST_NAME
    if strange or any(not part or part.startswith(".") for part in parts):
        raise RequestRefused(f"{name[:100]!r} is no name under the import root; no part of it may be empty or begin with a "
                             "dot, and '\\' and ':' are not allowed.", code="forbidden", retryable=False)
    home = root.resolve()
    path = (home / name).resolve()
    if not path.is_relative_to(home):
        raise RequestRefused(f"{name!r} leads out of the import root by a link.", code="forbidden", retryable=False)
    return path


async def _received(request: web.Request, part: Path) -> int:
    """Write the body to `part`; how many bytes it had."""
    if (request.content_length or 0) > MAX_BYTES:
        raise _too_large()
    n_bytes = 0
    with open(part, "xb") as file:
        while chunk := await _next(request):
            n_bytes += len(chunk)
            if n_bytes > MAX_BYTES:
                raise _too_large()
            file.write(chunk)
        await asyncio.to_thread(_flushed, file)
    return n_bytes


async def _next(request: web.Request) -> bytes:
    try:
        return await asyncio.wait_for(request.content.readany(), PATIENCE_S)
    except TimeoutError:
        raise AthanorError(f"nothing came for {PATIENCE_S:g} s; send the file again.", code="too_slow",
                           retryable=True) from None


def _flushed(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _check_free(path: Path, name: str, folder: str) -> None:
    if path.exists() and folder != CLIPS_FOLDER:
        raise RequestRefused(f"there is a file {name!r} already, and only files in {CLIPS_FOLDER}/ are written over.",
                             code="conflict", retryable=False)


def _put_in_place(part: Path, path: Path, name: str, folder: str) -> None:
    _check_free(path, name, folder)
    os.replace(part, path)


def _too_large() -> InvalidInput:
    return InvalidInput(f"a file may have at most {MAX_BYTES} bytes.", code="too_large")
