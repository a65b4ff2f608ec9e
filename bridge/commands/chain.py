# SPDX-License-Identifier: GPL-3.0-or-later
"""chain: run a plugin chain over clips. The plugin host alone; no server."""

from __future__ import annotations

import argparse
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.output import Output
    from plugin_host import Chain


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "chain", "chain:run", "Run a plugin chain over clips; needs no server.")
    command.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="sound file")
    command.add_argument("--chain", required=True, metavar="NAME", help="chain preset, or its file")
    command.add_argument("--timeout-s", type=float, metavar="SECONDS", help="limit for each VST3 or AU plugin")
    command.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path(), help="folder for the results (here)")


def run(arguments: argparse.Namespace) -> int:
    """Every clip through the chain; one that fails is told, and the others go on."""
    from bridge.cli import FAILED, OK
    from bridge.output import Output
    from presets import load_chain
    from server.errors import AthanorError

    chain = load_chain(arguments.chain)
    failed = 0
    with Output(arguments.as_json) as output:
        for path in arguments.clips:
            try:
                _process(path, chain, arguments, output)
            except AthanorError as error:
                failed += 1
                output.event("failed", clip=str(path), **error.to_wire())
                output.say(f"athanor: {error.message}")
        output.event("done", results=len(arguments.clips) - failed, failed=failed)
    return FAILED if failed else OK


def _process(path: Path, chain: Chain, arguments: argparse.Namespace, output: Output) -> None:
    from bridge.placement import Origin, SourceClip, checksum, decide_start, place, record_path, result_stem
    from bridge.progress import Progress
    from plugin_host import run_chain
    from server.audio import read_bext, read_clip

    clip, bext = read_clip(path), read_bext(path)
    job_id = uuid.uuid4().hex
    processed = run_chain(chain, clip, timeout_s=arguments.timeout_s, on_step=lambda done, total, name: output.progress(
        Progress(job_id, name or "written", done, total)))
    source = SourceClip(role="clip", file=str(path), path=str(path.absolute()), sample_rate=clip.sample_rate,
                        length_samples=clip.n_samples, channels=clip.channels, checksum=checksum(path))
    start = decide_start(None, bext.time_reference_samples if bext else None, clip.sample_rate)
    origin = Origin(job_id, job_id[:12], datetime.now().astimezone(), start, "chain", chain.title, (source,),
                    history=bext.coding_history if bext else "")
    target = arguments.out.expanduser().absolute() / f"{result_stem([path.stem], chain.title, job_id)}.wav"
    record = place(processed, target, "processed", origin, {"kind": "chain", "chain": chain.model_dump(mode="json")})
    output.event("result", clip=str(path), file=str(target), record=str(record_path(target)),
                 placement=record.model_dump(mode="json"))
    output.result(str(target))
