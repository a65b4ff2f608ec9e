# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a hub repository into a folder: sizes first, a part that was fetched is gone on with, and what came is checked.

The hub's own cache starts a file anew after an interruption, which is long where one has gigabytes. What is here already is
known by its content, not by its size: the repository may have changed since. No torch.
"""

from __future__ import annotations

import glob
import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from server.errors import ModelUnavailable

PART = ".part"


@dataclass(frozen=True)
class HubFile:
    """One file: its path in the repository, its size in bytes, and what its content is known by, where the hub states it.

    sha256: of large files; blob: git's own SHA-1 (of `blob SIZE`, a zero byte and the content), of the others.
    """

    path: str
    n_bytes: int
    sha256: str | None
    blob: str | None = None

    @property
    def part(self) -> str:
        """Path of what has come of it. Another content's part has another name, and is not gone on with."""
        known_by = self.sha256 or self.blob
        return f"{self.path}.{known_by[:12]}{PART}" if known_by else f"{self.path}{PART}"


@dataclass(frozen=True)
class Repository:
    """What is wanted of a repository, as it is at one commit."""

    name: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)


def look(name: str, revision: str, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> Repository:
    """The files of hub repository `name` that match a pattern of `wanted` and none of `unwanted`.

    Raises:
        ModelUnavailable: the hub cannot be reached, has no such repository or revision, or wants its licence accepted.
    """
    hub = _hub()
    try:
        info = hub.HfApi().model_info(name, revision=revision, files_metadata=True)
    except _failures(hub) as error:
        raise ModelUnavailable(explained(name, error)) from error
    files = tuple(_file(one) for one in info.siblings or ()
                  if _matches(one.rfilename, wanted) and not _matches(one.rfilename, unwanted))
    return Repository(name, info.sha or revision, files)


def fetch(repository: Repository, folder: Path, on_bytes: Callable[[int], None] = lambda n_bytes: None) -> None:
    """Have all files of `repository` in `folder`; those that are there with its content are left, a part of one is gone on
    with.

    Args:
        on_bytes: called with the bytes that are there, of all files, whenever more have come.

    Raises:
        ModelUnavailable: as `look`; or a file came damaged, and is thrown away.
    """
    done = 0
    for file in repository.files:
        target = folder / file.path
        if not _is_it(target, file):
            _fetch_file(repository, file, target, lambda n_bytes, before=done: on_bytes(before + n_bytes))
        done += file.n_bytes
        on_bytes(done)


def explained(name: str, error: Exception) -> str:
    """Why the hub did not give `name`, and what to do, as one or two sentences."""
    hub, page = _hub(), f"https://huggingface.co/{name}"
    if isinstance(error, hub.errors.GatedRepoError):
        return (f"The hub gives {name} only to those who accepted its licence. Accept it on {page}, make a token at "
                "https://huggingface.co/settings/tokens, log in with `hf auth login`, and try again.")
    if isinstance(error, hub.errors.RepositoryNotFoundError):
        return (f"The hub has no {name}, or shows it only to those who are logged in. Look at {page}; if it is there, log "
                "in with `hf auth login` and try again.")
    if isinstance(error, hub.errors.RevisionNotFoundError):
        return f"{name} has no such revision. Its branches, tags and commits: {page}/tree/main"
    return (f"The hub did not give {name} ({type(error.__cause__ or error).__name__}). Try again with a connection: what "
            f"has come is kept. Its page: {page}")


def _fetch_file(repository: Repository, file: HubFile, target: Path, on_bytes: Callable[[int], None]) -> None:
    hub = _hub()
    download = importlib.import_module("huggingface_hub.file_download")
    part = target.with_name(Path(file.part).name)
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in {*target.parent.glob(f"{glob.escape(target.name)}.*{PART}")} - {part}:
        stale.unlink()
    here = part.stat().st_size if part.is_file() else 0
    if here > file.n_bytes:
        here = 0
    url = hub.hf_hub_url(repository.name, file.path, revision=repository.commit)
    try:
        with part.open("ab" if here else "wb") as stream:
            download.http_get(url, stream, resume_size=here, headers=hub.utils.build_hf_headers(),
                              expected_size=file.n_bytes or None, tqdm_class=_counting(on_bytes))
    except _failures(hub) as error:
        raise ModelUnavailable(explained(repository.name, error)) from error
    if not _is_it(part, file):
        part.unlink()
        raise ModelUnavailable(f"{file.path} of {repository.name} came damaged and was thrown away. Try again.")
    part.replace(target)


def _counting(on_bytes: Callable[[int], None]) -> type:
    """A progress bar that shows nothing and tells how many bytes are there."""
    tqdm = importlib.import_module("tqdm").tqdm

    class Counting(tqdm):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            self.there = int(options.get("initial") or 0)
            super().__init__(*arguments, **(options | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            self.there += int(n or 0)
            on_bytes(self.there)

    return Counting


def _file(listed: Any) -> HubFile:
    sha256 = listed.lfs.sha256 if listed.lfs else None
    return HubFile(listed.rfilename, listed.size or 0, sha256, None if sha256 else listed.blob_id)


def _is_it(path: Path, file: HubFile) -> bool:
    """Whether the file at `path` has the content that the hub has; where the hub does not say, whether it has its size."""
    if not path.is_file() or path.stat().st_size != file.n_bytes:
        return False
    known_by = file.sha256 or file.blob
    if known_by is None:
        return True
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.n_bytes}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == known_by


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _hub() -> Any:
    hub = importlib.import_module("huggingface_hub")
    hub.logging.set_verbosity_error()
    return hub


def _failures(hub: Any) -> tuple[type[Exception], ...]:
    errors = hub.errors
    return (OSError, ValueError, errors.HTTPError, errors.HfHubHTTPError, errors.OfflineModeIsEnabled)
