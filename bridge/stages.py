# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the clips on this machine, before and after the render: read, process, place. Blocking; no network.

Every stage may run twice (a killed bridge goes on where it was), so each writes whole files and finds its own.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge.journal import Entry
from bridge.placement import (
    Origin,
    SourceClip,
    SourceFile,
    checksum,
    decide_start,
    make_folder,
    place,
    record_path,
    result_stem,
)
from bridge.regions import sounding
from bridge.remarks import words_of
from bridge.request import RenderRequest
from plugin_host import Chain, run_chain
from server.audio import Clip, read_bext, read_clip, read_header, write_clip
from server.errors import AthanorError, StorageError
from server.kinds import find_kind

AUDIO = "audio/wav"
PALETTE_ROLE = "adapter"
ENDINGS = {"application/x-safetensors": ".safetensors", "application/json": ".json", "image/png": ".png"}
_MOST_WORDS = 40  # characters of a stem's or a target's words in a file name
_LEFT_BEHIND_S = 7 * 86400.0
OnPlugin = Callable[[int, int, str], None]


def take_in(request: RenderRequest, folder: Path, on_plugin: OnPlugin) -> tuple[dict[str, Path], dict[str, Any]]:
    """Read every clip, as much of it as sounds, run the chain before the render over it, and say what the clips are.

    Returns:
        role -> file to upload (the clip itself where it sounds as it is), and the journal's description of the sources.
        A file that is not audio goes as it is.

    Raises:
        InvalidInput: a clip that cannot be used. PluginFailed, PluginTimeout: the chain. JobCancelled: by `on_plugin`.
    """
    files, clips, others = dict(request.inputs), [], []
    for role, path in request.inputs.items():
        if not find_kind(request.kind).input(role).is_audio:
            others.append(SourceFile(**_identity(role, request.names[role], path)).model_dump())
            continue
        clip = _heard(request, role)
        clips.append(_source(request, role, clip).model_dump(mode="json"))
        if request.pre is not None or role in request.regions:
            make_folder(folder)
            files[role] = folder / f"pre-{role}.wav"
            write_clip(files[role], clip if request.pre is None else run_chain(request.pre, clip, on_step=on_plugin))
    return files, {"clips": clips, "files": others, **_stamp_of_first(request)}


def _heard(request: RenderRequest, role: str) -> Clip:
    """An input as it sounds."""
    path, limit_s, name = request.inputs[role], find_kind(request.kind).max_input_s, request.names[role]
    region = request.regions.get(role)
    return sounding(path, region, limit_s=limit_s, name=name) if region else read_clip(path, limit_s=limit_s, name=name)


def _identity(role: str, name: str, path: Path) -> dict[str, str]:
    return {"role": role, "file": name, "path": str(path.absolute()), "checksum": checksum(path)}


def _source(request: RenderRequest, role: str, clip: Clip) -> SourceClip:
    """What the record says of an input that was heard as `clip`."""
    path, region = request.inputs[role], request.regions.get(role)
    fields: dict[str, Any] = {"length_samples": clip.n_samples}
    if region is not None:
        fields = {"length_samples": read_header(path).n_samples, "offset_samples": region.offset_samples,
                  "used_samples": region.used_samples, "playback_rate": float(region.rate),
                  "preserve_pitch": region.preserve_pitch}
        if region.right is not None:
            fields["right"] = SourceFile(**_identity(role, region.right_name, region.right))
    return SourceClip(**_identity(role, request.names[role], path), sample_rate=clip.sample_rate, channels=clip.channels,
                      **fields)


def _stamp_of_first(request: RenderRequest) -> dict[str, Any]:
    """Where the first clip's own stamp says that it lies: its region's beginning, if only a part of it sounds."""
    role = next(iter(request.inputs), None)
    bext = read_bext(request.inputs[role]) if role is not None else None
    if bext is None:
        return {"bext_samples": None, "history": ""}
    offset = request.regions[role].offset_samples if role in request.regions else 0
    return {"bext_samples": bext.time_reference_samples + offset, "history": bext.coding_history}


def finish(chain: Chain | None, raw: Path, finished: Path, on_plugin: OnPlugin) -> None:
    """Run the chain after the render over one result, from file to file. Errors as `take_in`."""
    if not finished.exists():
        clip = read_clip(raw, name=f"the result {raw.name}")
        write_clip(finished, clip if chain is None else run_chain(chain, clip, on_step=on_plugin))


def put_in_place(entry: Entry, reference: dict[str, Any], finished: Path, name: str) -> dict[str, Any]:
    """Write one finished result where it belongs, with stamp and record; what the journal keeps of it.

    Raises:
        StorageError: the folder cannot be written.
    """
    request, source, words = entry.request, entry.source or {}, words_of(reference["provenance"])
    clip = read_clip(finished, name=f"the result {finished.name}")
    clips = tuple(SourceClip.model_validate(fields) for fields in source.get("clips", ()))
    rate = clips[0].sample_rate if clips else clip.sample_rate
    origin = Origin(
        job_id=entry.job_id, request_id=request.request_id, kind=request.kind,
        created=datetime.fromtimestamp(entry.created).astimezone(),
        start=decide_start(request.requested_start(rate), source.get("bext_samples"), rate),
        description=words or str(request.options.get("prompt", "")), sources=clips, history=source.get("history", ""),
        files=tuple(SourceFile.model_validate(fields) for fields in source.get("files", ())),
        music=request.music, track=request.track, lane=request.lane, result=name, words=words,
    )
    short = words[:_MOST_WORDS].strip()
    path = request.out / f"{_stem(entry, f'{name}_{short}' if short else name)}.wav"
    placement = place(clip, path, reference["role"], origin, _provenance(entry, reference))
    return {"file": str(path), "record": str(record_path(path)), "placement": placement.model_dump(mode="json")}


def _stem(entry: Entry, name: str) -> str:
    """The name, without its ending, of a result's file."""
    request = entry.request
    heard = [role for role in request.inputs if find_kind(request.kind).input(role).is_audio]
    made_of = [Path(request.names[role]).stem for role in heard] or [str(request.options.get("prompt", ""))]
    return result_stem(made_of, name, entry.job_id)


def _provenance(entry: Entry, reference: dict[str, Any]) -> dict[str, Any]:
    chains = {"pre": entry.request.pre, "post": entry.request.post}
    beside = {result["role"]: path.name for path, result in data_results(entry)}
    return {"kind": entry.request.kind, "options": entry.request.options, **reference["provenance"],
            **{name: chain.model_dump(mode="json") for name, chain in chains.items() if chain is not None},
            **({"files": beside} if beside else {})}


def audio_results(entry: Entry) -> list[tuple[str, dict[str, Any]]]:
    """The results that are sounds, each with a name that no other has."""
    found: dict[str, dict[str, Any]] = {}
    for reference in entry.results:
        if reference["media"] == AUDIO:
            taken = reference["name"] in found
            found[f"{reference['name']}_{len(found) + 1}" if taken else reference["name"]] = reference
    return list(found.items())


def data_results(entry: Entry) -> list[tuple[Path, dict[str, Any]]]:
    """The results that are files of another kind, each with the path where it is kept beside the sounds.

    A palette entry is none of them: it stays where the server is.
    """
    kept = [result for result in entry.results if result["media"] != AUDIO and result["role"] != PALETTE_ROLE]
    return [(entry.request.out / f"{_stem(entry, result['name'])}{ENDINGS.get(result['media'], '.bin')}", result)
            for result in kept]


def clear(folder: Path) -> None:
    """Remove a job's working files; they are worth nothing once it has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def clear_old(work: Path) -> None:
    """Remove what commands that were killed have left; running ones are younger."""
    for folder in work.iterdir() if work.is_dir() else ():
        if time.time() - folder.stat().st_mtime > _LEFT_BEHIND_S:
            clear(folder)


def described(error: Exception) -> AthanorError:
    """Any error of a stage as one of ours."""
    if isinstance(error, AthanorError):
        return error
    if isinstance(error, OSError):
        return StorageError(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}.")
    return AthanorError(f"something is wrong in Athanor itself ({type(error).__name__}: {error}); please report it.")
