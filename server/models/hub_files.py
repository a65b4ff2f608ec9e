# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a hub repository into a folder: sizes first, a part that was fetched is gone on with, and what came is checked.

The hub's own cache starts a file anew after an interruption, which is long where one has gigabytes. No torch.
"""

from __future__ import annotations

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
    """One file: its path in the repository, its size in bytes, and its SHA-256 where the hub states it."""

    path: str
    n_bytes: int
    sha256: str | None


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
    files = tuple(HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None) for one in info.siblings or ()
                  if _matches(one.rfilename, wanted) and not _matches(one.rfilename, unwanted))
    return Repository(name, info.sha or revision, files)


def fetch(repository: Repository, folder: Path, on_bytes: Callable[[int], None] = lambda n_bytes: None) -> None:
    """Have all files of `repository` in `folder`; those that are whole there are left, a part of one is gone on with.

    Args:
        on_bytes: called with the bytes that are there, of all files, whenever more have come.

    Raises:
        ModelUnavailable: as `look`; or a file came damaged, and is thrown away.
    """
    done = 0
    for file in repository.files:
        target = folder / file.path
        if not (target.is_file() and target.stat().st_size == file.n_bytes):
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
    part = target.with_name(target.name + PART)
    target.parent.mkdir(parents=True, exist_ok=True)
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
    if part.stat().st_size != file.n_bytes or (file.sha256 and _sha256(part) != file.sha256):
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


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _hub() -> Any:
    hub = importlib.import_module("huggingface_hub")
    hub.logging.set_verbosity_error()
    return hub


def _failures(hub: Any) -> tuple[type[Exception], ...]:
    errors = hub.errors
    return (OSError, ValueError, errors.HTTPError, errors.HfHubHTTPError, errors.OfflineModeIsEnabled)
