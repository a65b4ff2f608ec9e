# SPDX-License-Identifier: GPL-3.0-or-later
"""fuse, learn, generate: one command for each job kind, its options made from the kind's. And debug, in no list."""

from __future__ import annotations

import argparse
import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic.fields import FieldInfo

from server.kinds import KINDS, find_kind
from server.kinds.base import InputSpec, Kind, repeats

if TYPE_CHECKING:
    from bridge.journal import Entry
    from bridge.output import Output
    from bridge.request import RenderRequest

_POSITIONAL = {"generate": "prompt"}
"""An option that a command takes as its first argument, because there would be no argument at all."""


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    for kind in (*KINDS.values(), find_kind("debug")):
        command = add_command(commands, kind.name, "render:run", kind.help if kind.name in KINDS else "")
        command.set_defaults(kind=kind.name)
        for spec in kind.inputs:
            _add_input(command, spec)
        for name, field in kind.options.model_fields.items():
            _add_option(command, kind, name, field)
        _add_bridge_options(command)


def _add_input(command: argparse.ArgumentParser, spec: InputSpec) -> None:
    if spec.flag:
        command.add_argument(f"--{spec.role.replace('_', '-')}", dest=spec.role, type=Path, metavar="FILE", help=spec.help)
    else:
        command.add_argument(spec.role, type=Path, metavar=spec.role.upper(), help=spec.help,
                             nargs=None if spec.required else "?")


def _add_option(command: argparse.ArgumentParser, kind: Kind, name: str, field: FieldInfo) -> None:
    help = (field.description or "").replace("%", "%%")
    if _POSITIONAL.get(kind.name) == name:
        command.add_argument(name, metavar=name.upper(), help=help)
        return
    # An input and an option may share a name (fuse's reference), so options are kept apart by a prefix.
    flag, dest = f"--{name.replace('_', '-')}", f"option_{name}"
    if field.annotation is bool:
        command.add_argument(flag, dest=dest, action=argparse.BooleanOptionalAction, help=help)
    elif repeats(field):
        command.add_argument(flag, dest=dest, metavar=_metavar(name, field), action="append",
                             help=f"{help} May be repeated.")
    else:
        command.add_argument(flag, dest=dest, metavar=_metavar(name, field), help=help)


def _metavar(name: str, field: FieldInfo) -> str:
    if field.annotation == tuple[float, ...]:
        return "N[,N...]"
    if many := repeats(field):
        return {"text": "TEXT", "span": "START:END"}[many]
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, (str, int))]
    words = {"prompt": "TEXT", "from": "TEXT", "name": "NAME", "range": "LOW:HIGH"}
    return "|".join(choice for choice in choices if choice) or words.get(name, "N")


def _add_bridge_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("on this machine")
    group.add_argument("--preset", metavar="NAME", help="preset of this kind, or its file; see `athanor presets`")
    group.add_argument("--chain", metavar="NAME", help="plugin chain for every result, after the render")
    group.add_argument("--pre", metavar="NAME", help="plugin chain for every clip, before the render")
    group.add_argument("--start", metavar="SAMPLES", help="start on the timeline, in samples of the source clip's rate")
    group.add_argument("--start-s", metavar="SECONDS", help="the same in seconds")
    group.add_argument("--start-rate", metavar="HZ", help="sample rate that --start counts in, if it is another one")
    group.add_argument("--start-beats", metavar="N", help="the same in quarter notes; with --tempo, instead of --start")
    group.add_argument("--tempo", metavar="BPM", help="quarter notes a minute; kept in the record")
    group.add_argument("--meter", metavar="N/N", help="metre, as 6/8; kept in the record")
    group.add_argument("--key", metavar="TEXT", help="key, as 'A minor'; kept in the record")
    group.add_argument("--bars", metavar="N", help="length in bars of that tempo and metre, in place of --seconds")
    group.add_argument("--lane", metavar="NAME", help="where a host shall put it: new_track, take_lane, slot or replace")
    group.add_argument("--track", metavar="NAME", help="track of the source clip; the results' names begin with it")
    group.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path(), help="folder for the results (here)")


def run(arguments: argparse.Namespace) -> int:
    """Render, and wait for the result."""
    from bridge.home import home_folder
    from bridge.intake import ASK_OPTIONS, Ask, Asker, prepare
    from bridge.loop import run as run_loop
    from bridge.output import Output
    from bridge.placement import make_folder

    kind = find_kind(arguments.kind)
    inputs = {spec.role: getattr(arguments, spec.role) for spec in kind.inputs if getattr(arguments, spec.role)}
    extra = {name: getattr(arguments, name) for name in ASK_OPTIONS if getattr(arguments, name) is not None}
    ask = Ask(kind.name, inputs, {role: str(path) for role, path in inputs.items()}, _options(arguments, kind), **extra)
    asker = Asker("cli", uuid.uuid4().hex[:12], "cli", arguments.out.expanduser().absolute())
    request = prepare(ask, asker, home_folder())
    make_folder(request.out)
    with Output(arguments.as_json) as output:
        return tell(run_loop(rendered(request, output)), output)


def _options(arguments: argparse.Namespace, kind: Kind) -> dict[str, Any]:
    given = {name: getattr(arguments, f"option_{name}", None) for name in kind.options.model_fields}
    positional = _POSITIONAL.get(kind.name)
    if positional:
        given[positional] = getattr(arguments, positional)
    return {name: value for name, value in given.items() if value is not None}


async def rendered(request: RenderRequest, output: Output) -> Entry:
    """The entry of a request that has been brought to its end, with its progress shown; Ctrl-C cancels it."""
    from bridge.home import home_folder, work_folder
    from bridge.journal import Journal
    from bridge.out_folders import remember
    from bridge.server_link import connector
    from bridge.session import Session

    journal = Journal(":memory:")
    entry, _ = journal.accept(request)
    output.event("accepted", job=entry.job_id, kind=request.kind, options=request.options)
    session = Session(journal, connector(output.say), work_folder(), lambda entry, progress: output.progress(progress))
    running = asyncio.get_running_loop().create_task(session.run(entry.job_id))
    try:
        entry = await asyncio.shield(running)
    except asyncio.CancelledError:  # Ctrl-C; a second one ends the command at once
        output.say("cancelling ...")
        await session.cancel(entry.job_id)
        entry = await running
    finally:
        await session.close()
        journal.close()
    if entry.placed:
        remember(home_folder(), request.out)
    return entry


def tell(entry: Entry, output: Output) -> int:
    """Say how a request ended; the command's exit code."""
    from bridge.cli import FAILED, INTERRUPTED, OK
    from bridge.journal import Stage
    from bridge.remarks import in_words
    from bridge.stages import PALETTE_ROLE, data_results

    if entry.stage is Stage.CANCELLED:
        output.event("cancelled", job=entry.job_id)
        output.say("cancelled.")
        return INTERRUPTED
    if entry.stage is Stage.FAILED:
        assert entry.error is not None
        output.event("failed", job=entry.job_id, **entry.error)
        output.say(f"athanor: {entry.error['message']}")
        return FAILED
    warnings: dict[str, None] = {}
    for placed in entry.placed:
        output.event("result", job=entry.job_id, **placed)
        output.result(placed["file"])
        provenance = placed["placement"]["provenance"]
        warnings |= dict.fromkeys(provenance.get("warnings", ()))
        remark = in_words(provenance)
        if remark and not output.as_json:
            output.say(f"  {remark}")
    for warning in warnings:
        output.event("warning", job=entry.job_id, message=warning)
        output.say(f"warning: {warning}")
    for path, result in data_results(entry):
        output.event("file", job=entry.job_id, role=result["role"], file=str(path))
        output.result(str(path))
    for name in (result["name"] for result in entry.results if result["role"] == PALETTE_ROLE):
        output.event("palette", job=entry.job_id, name=name)
        output.say(f"learned {name!r}. Lead with it: athanor fuse ORIGINAL --reference learn --adapter {name} --prompt "
                   f"\"{entry.request.options['prompt']}\"")
    output.event("done", job=entry.job_id, results=len(entry.placed))
    return OK
