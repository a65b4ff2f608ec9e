# SPDX-License-Identifier: GPL-3.0-or-later
"""palette: the learned sounds. List them, carry one to another machine, remove one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.output import Output


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "palette", "palette:run", "List, export, import and remove learned sounds.")
    command.add_argument("action", nargs="?", choices=("list", "export", "import", "remove"), default="list",
                         metavar="list|export|import|remove")
    command.add_argument("name", nargs="?", help="the entry, or the file to import")
    command.add_argument("target", nargs="?", type=Path, default=Path(), help="folder or file to export to (here)")
    command.add_argument("--as", dest="new_name", metavar="NAME", help="name for an imported entry (the file's)")
    command.add_argument("--replace", action="store_true", help="overwrite what has that name")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    from bridge.output import Output
    from server.errors import InvalidOption

    output = Output(arguments.as_json)
    if arguments.action != "list" and arguments.name is None:
        raise InvalidOption(f"`athanor palette {arguments.action}` needs the name of what to {arguments.action}.")
    {"list": _list, "export": _export, "import": _import, "remove": _remove}[arguments.action](arguments, output)
    return 0


def _list(arguments: argparse.Namespace, output: Output) -> None:
    from bridge.commands.jobs import ask_server

    entries = ask_server(lambda client: client.palette_list(), output.say)
    for entry in entries:
        output.event("palette", **entry)
    output.table(["NAME", "PROMPT", "MODEL"], [
        [entry["name"], str(entry["card"].get("prompt", "")), str(entry["card"].get("backbone", ""))] for entry in entries])


def _export(arguments: argparse.Namespace, output: Output) -> None:
    from bridge.commands.jobs import ask_server
    from server.errors import InvalidOption

    target = arguments.target.expanduser().absolute()
    target = target / f"{arguments.name}.safetensors" if target.is_dir() else target
    if target.exists() and not arguments.replace:
        raise InvalidOption(f"{target} exists already; give another path, or --replace.")
    ask_server(lambda client: client.palette_export(arguments.name, target), output.say)
    output.event("exported", name=arguments.name, file=str(target))
    output.result(str(target))


def _import(arguments: argparse.Namespace, output: Output) -> None:
    from bridge.commands.jobs import ask_server
    from server.errors import InvalidInput

    path = Path(arguments.name).expanduser()
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist; give the .safetensors file of a palette entry.")
    name = arguments.new_name or path.stem
    ask_server(lambda client: client.palette_import(name, path, replace=arguments.replace), output.say)
    output.event("imported", name=name)
    output.result(name)


def _remove(arguments: argparse.Namespace, output: Output) -> None:
    from bridge.commands.jobs import ask_server

    ask_server(lambda client: client.palette_remove(arguments.name), output.say)
    output.event("removed", name=arguments.name)
    output.result(f"removed {arguments.name}")
