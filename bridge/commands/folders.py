# SPDX-License-Identifier: GPL-3.0-or-later
"""folders: which folders outside the import root other programs may name files in."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "folders", "folders:run",
                          "List, allow and forget folders that hosts may name sound files in, beside the import root.")
    command.add_argument("action", nargs="?", choices=("list", "allow", "forget"), default="list",
                         metavar="list|allow|forget")
    command.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="the folder to allow or to forget")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    from bridge import folders
    from bridge.cli import OK
    from bridge.home import home_folder
    from bridge.output import Output
    from server.errors import InvalidOption

    output, home = Output(arguments.as_json), home_folder()
    if arguments.action != "list":
        if arguments.folder is None:
            raise InvalidOption(f"`athanor folders {arguments.action}` needs the folder to {arguments.action}.")
        changed = getattr(folders, arguments.action)(home, arguments.folder)
        output.event(arguments.action, folder=str(changed))
        output.result(str(changed))
        return OK
    found = folders.allowed(home)
    for folder in found:
        output.event("folder", folder=str(folder))
        output.result(str(folder))
    if not found:
        output.say("no folder is allowed; hosts name files under the import root alone.")
    return OK
