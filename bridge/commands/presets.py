# SPDX-License-Identifier: GPL-3.0-or-later
"""presets: list them, add one of your own, export one to edit or share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "presets", "presets:run", "List, add and export presets.")
    command.add_argument("action", nargs="?", choices=("list", "add", "export"), default="list", metavar="list|add|export")
    command.add_argument("name", nargs="?", help="the file to add, or the preset to export")
    command.add_argument("target", nargs="?", type=Path, default=Path(), help="where to export to (here)")
    command.add_argument("--kind", help="list only presets of this kind, or only chains")
    command.add_argument("--replace", action="store_true", help="overwrite what has that name")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    import presets
    from bridge.cli import OK
    from bridge.output import Output
    from server.errors import InvalidOption

    output = Output(arguments.as_json)
    if arguments.action == "list":
        _list(arguments, output)
        return OK
    if arguments.name is None:
        raise InvalidOption(f"`athanor presets {arguments.action}` needs the name of what to {arguments.action}.")
    if arguments.action == "add":
        preset = presets.add(arguments.name, replace=arguments.replace)
        path = preset.path
    else:
        path = presets.export(arguments.name, arguments.target, replace=arguments.replace)
    output.event("preset", name=path.stem, file=str(path))
    output.result(str(path))
    return OK


def _list(arguments: argparse.Namespace, output) -> None:
    import presets

    found = presets.listing(kind=arguments.kind)
    for preset in found:
        output.event("preset", name=preset.name, kind=preset.kind, title=preset.title, description=preset.description,
                     options=dict(preset.options), shipped=preset.shipped, file=str(preset.path))
    output.table(["NAME", "KIND", "WHAT IT DOES"], [[p.name, p.kind, p.description] for p in found])
    for problem in presets.problems():
        output.say(f"not usable: {problem}")
