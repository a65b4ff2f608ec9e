# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor models get NAME` and `athanor models add FOLDER`: have a model on this machine, in a process of its own.

It needs no server. One that runs knows the new name at once: models.toml is read anew for every job.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def run(arguments: argparse.Namespace) -> int:
    """Get or add, and say how the model is used."""
    from bridge.output import Output
    from bridge.work_process import run_work

    with Output(arguments.as_json) as output:

        def on_event(event: dict[str, Any]) -> None:
            output.event(**event)
            if event["event"] == "model":
                output.result(event["folder"])
                output.say(f"{event['name']}, a model of layout {event['layout']}; licence of its weights: "
                           f"{event['licence']}. Use it: athanor generate \"...\" --backbone {event['name']}")

        return run_work("server.obtaining", _words(arguments), output, on_event)


def _words(arguments: argparse.Namespace) -> list[str]:
    """The command line of the process that does it. Raises InvalidOption where the person's does not say what."""
    from bridge.home import home_folder
    from server.errors import InvalidOption

    action, *given = arguments.words
    if len(given) != 1:
        needs = "name, as in `athanor models get audioldm2`" if action == "get" else (
            "folder, as in `athanor models add /data/strings --name strings`")
        raise InvalidOption(f"`athanor models {action}` needs one {needs}.")
    if action == "get" and arguments.name is not None:
        raise InvalidOption("--name is for `athanor models add FOLDER`; what is fetched keeps its name.")
    what = given[0] if action == "get" else str(Path(given[0]).expanduser().absolute())
    if action == "add" and arguments.revision is not None:
        raise InvalidOption("--revision is for `athanor models get NAME`: a folder is what it is.")
    said = [word for flag in ("name", "revision") if (value := getattr(arguments, flag)) is not None
            for word in (f"--{flag}", value)]
    return [action, what, "--home", str(home_folder()), *said]
