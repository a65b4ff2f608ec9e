# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on the loopback: as much of its protocol as finding, listing and downloading a repository needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass
class Served:
    """What was asked of the hub. asked: files given, in order; ranges: where each of them began; revisions: at which ones
    files were listed; cut_off: a file of which only so many bytes are sent before the connection ends, once; gated: whether
    it wants its licence accepted."""

    asked: list[str] = field(default_factory=list)
    revisions: set[str] = field(default_factory=set)
    ranges: list[int] = field(default_factory=list)
    cut_off: dict[str, int] = field(default_factory=dict)
    gated: bool = False


@contextmanager
def hub(folder: Path, repository: str) -> Iterator[tuple[str, list[str]]]:
    """A hub that serves `folder` as `repository`: its address, and the list of files asked for."""
    with serving({repository: folder}) as (address, served):
        yield address, served.asked


@contextmanager
def serving(repositories: dict[str, Path]) -> Iterator[tuple[str, Served]]:
    """A hub that serves folders as repositories, each alike at every commit; branches and tags are COMMIT."""
    served = Served()
    handler = type("Handler", (_Handler,), {"repositories": repositories, "served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    repositories: dict[str, Path]
    served: Served

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0].strip("/").removeprefix("api/models/")
        repository = next((name for name in self.repositories if path == name or path.startswith(f"{name}/")), None)
        if repository is None:
            return self.send(404, b"", with_body, **{"X-Error-Code": "RepoNotFound"})
        if self.served.gated:
            return self.send(403, b"", with_body, **{"X-Error-Code": "GatedRepo"})
        folder = self.repositories[repository]
        if self.path.startswith("/api/"):
            self.served.revisions.add(path.removeprefix(f"{repository}/revision/"))
            return self.send(200, json.dumps(self.listing(repository, folder)).encode(), with_body)
        name = path.removeprefix(f"{repository}/resolve/").partition("/")[2]
        if not (folder / name).is_file():
            return self.send(404, b"", with_body, **{"X-Error-Code": "EntryNotFound"})
        self.give(name, (folder / name).read_bytes(), with_body)

    def listing(self, repository: str, folder: Path) -> object:
        files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
        if "/tree/" in self.path:
            return [{"type": "file", "path": f, "size": p.stat().st_size, "oid": COMMIT} for f, p in files.items()]
        siblings = []
        for name, path in files.items():
            content = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            one: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
            if path.suffix in (".safetensors", ".bin"):
                digest = hashlib.sha256(content).hexdigest()
                one["lfs"] = {"sha256": digest, "size": path.stat().st_size, "pointerSize": 100}
            siblings.append(one)
        asked = self.path.partition("?")[0].rpartition("/revision/")[2]
        return {"id": repository, "sha": asked if _SHA1.fullmatch(asked) else COMMIT, "siblings": siblings}

    def give(self, name: str, body: bytes, with_body: bool) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if with_body:
            self.served.asked.append(name)
            self.served.ranges.append(start)
        n_sent = self.served.cut_off.pop(name, None) if with_body else None
        extra = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        extra["ETag"] = f'"{hashlib.sha1(body).hexdigest()}"'
        self.send(206 if start else 200, body[start:], with_body, n_sent, **extra)

    def send(self, status: int, body: bytes, with_body: bool, n_sent: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[:n_sent])
        self.close_connection = n_sent is not None

    def log_message(self, *arguments: object) -> None:
        pass
