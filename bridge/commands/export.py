# SPDX-License-Identifier: GPL-3.0-or-later
"""export: results as a project that another program opens, each at its place on the timeline."""

from __future__ import annotations

import argparse
import importlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.interchange.timeline import Timeline

FORMATS = {"dawproject": "Bitwig, Studio One, Cubase; holds the sound", "rpp": "REAPER; refers to the sound",
           "aaf": "Pro Tools, Nuendo, Logic; holds the sound as 24 bits", "otio": "OpenTimelineIO; refers to the sound"}


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "export", "export:run", "Write results as a project that a DAW opens.")
    command.add_argument("results", nargs="+", metavar="RESULT",
                         help="a result's sound file, a folder of them, or a job id; the placement record tells the place")
    command.add_argument("--as", dest="format", required=True, choices=tuple(FORMATS),
                         help="; ".join(f"{name}: {text}" for name, text in FORMATS.items()))
    command.add_argument("-o", "--out", type=Path, metavar="FILE",
                         help="the project (beside the first result, under its name); a file of that name is replaced")
    command.add_argument("--rate", type=int, metavar="HZ",
                         help="sample rate of the project (that of the clips that the results were made from)")


def run(arguments: argparse.Namespace) -> int:
    """Read the records, lay out the timeline, write the file, and say where it lies."""
    from bridge.interchange.results import find_results
    from bridge.interchange.timeline import arrange
    from bridge.output import Output
    from server.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
    from server.errors import InvalidOption

    if arguments.rate is not None and not MIN_SAMPLE_RATE <= arguments.rate <= MAX_SAMPLE_RATE:
        raise InvalidOption(f"--rate {arguments.rate} is no sample rate; give {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz.")
    if arguments.out is not None and arguments.out.suffix.lower() != f".{arguments.format}":
        raise InvalidOption(f"--out {arguments.out} would replace a file of another kind; give a name that ends in "
                            f".{arguments.format}.")
    results = find_results(arguments.results)
    first = results[0][0]
    out = (arguments.out or first.with_suffix(f".{arguments.format}")).expanduser().absolute()
    timeline = arrange(out.stem, results, arguments.rate)
    output = Output(arguments.as_json)
    for remark in write(timeline, out, arguments.format):
        output.say(remark)
    output.event("exported", file=str(out), format=arguments.format, sample_rate=timeline.sample_rate,
                 tracks=[{"name": track.name, "clips": len(track.clips)} for track in timeline.tracks])
    output.result(str(out))
    return 0


def write(timeline: Timeline, path: Path, format: str) -> list[str]:
    """Write a timeline in a format, so that `path` holds either the whole new file or what it held before.

    Returns what a person should know of the file."""
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        remarks = importlib.import_module(f"bridge.interchange.{format}").write(timeline, part)
        os.replace(part, path)
        return remarks or []
    finally:
        part.unlink(missing_ok=True)
