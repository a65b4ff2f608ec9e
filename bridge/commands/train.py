# SPDX-License-Identifier: GPL-3.0-or-later
"""train: a model of a composer's own labelled sounds, in a process of its own at low priority."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "train", "train:run", "Train a model of your own labelled sounds.")
    command.add_argument("folder", nargs="?", type=Path, metavar="FOLDER",
                         help="sounds, one subfolder per label; captions.csv (file,caption) in it gives files more words")
    command.add_argument("--name", metavar="NAME", help="what to call the model (the folder's name)")
    command.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long to train (60)")
    command.add_argument("--from", dest="base", default="embedded", metavar="MODEL",
                         help="what to start from: embedded, a model trained before, or scratch (embedded)")
    command.add_argument("--resume", action="store_true", help="go on with a training that was stopped, or train it longer")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="everything random follows from it (1)")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (auto)")


def run(arguments: argparse.Namespace) -> int:
    """Train, and say how the model is used."""
    from bridge.output import Output
    from bridge.work_process import run_work
    from server.errors import InvalidOption

    if arguments.minutes <= 0:
        raise InvalidOption(f"--minutes {arguments.minutes:g}: give more than 0.")
    if arguments.folder is None and not (arguments.resume and arguments.name):
        raise InvalidOption("`athanor train` needs a folder of sounds, with one subfolder per label. To go on with a "
                            "training, say `athanor train --resume --name NAME`.")
    with Output(arguments.as_json) as output:

        def on_event(event: dict[str, Any]) -> None:
            output.event(**event)
            if event["event"] == "sounds":
                output.say(f"{event['files']} sounds, {event['seconds']:.0f} s; labels: {', '.join(event['labels'])}")
            elif event["event"] == "model":
                output.result(event["folder"])
                output.say(f"trained {event['name']!r}. Hear it: athanor generate \"...\" --backbone {event['name']}; "
                           f"its words: athanor models {event['name']}")

        return run_work("server.training", _words(arguments), output, on_event)


def _words(arguments: argparse.Namespace) -> list[str]:
    """The command line of the process that trains."""
    from bridge.home import home_folder

    words = [] if arguments.folder is None else [str(arguments.folder.expanduser().absolute())]
    name = arguments.name or _name_from(arguments.folder)
    words += ["--home", str(home_folder()), "--name", name, "--minutes", str(arguments.minutes), "--from", arguments.base]
    words += ["--resume"] if arguments.resume else []
    return [*words, "--seed", str(arguments.seed), "--device", arguments.device]


def _name_from(folder: Path) -> str:
    """The folder's name as a model's: lower case, other characters as hyphens."""
    import re

    return re.sub(r"[^a-z0-9_]+", "-", folder.resolve().name.lower()).strip("-_")[:64] or "own"
