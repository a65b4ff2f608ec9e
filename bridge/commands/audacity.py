# SPDX-License-Identifier: GPL-3.0-or-later
"""audacity: render what is selected in Audacity, and put the results beside it."""

from __future__ import annotations

import argparse
import re
from typing import Any

CLIENT = "audacity"


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "audacity", "audacity:run",
                          "Render what is selected in Audacity; results come as new tracks at the same place.")
    command.add_argument("preset", nargs="?", metavar="PRESET", help="a preset, or render/KIND; without it, results that "
                         "have not been placed yet are")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of that kind, as its "
                         "messages write it; several of one name give several values")
    command.add_argument("--cancel", action="store_true", help="stop the newest render that was asked for from Audacity")


def run(arguments: argparse.Namespace) -> int:
    """Place what waits, then render and place, or cancel."""
    from bridge.adapters.audacity import select, send
    from bridge.adapters.audacity_pipe import AudacityPipe
    from bridge.adapters.bridge_link import BridgeLink
    from bridge.cli import OK
    from bridge.home import home_folder
    from bridge.output import Output

    options = options_of(arguments.set)
    link = BridgeLink(home_folder(), CLIENT)
    with Output(arguments.as_json) as output:
        if arguments.cancel:
            return _cancel(link, output)
        with AudacityPipe() as pipe:
            clip = send(pipe, link.root) if arguments.preset else None
            _place(pipe, link, link.waiting(), output)
        if clip is not None:
            results = _rendered(link, clip, arguments.preset, options, output)
            with AudacityPipe() as pipe:
                _place(pipe, link, results, output)
                select(pipe, clip.selected, clip.selected.start, clip.selected.end)
    return OK


def options_of(given: list[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as options; a name that is given twice has a list of values. InvalidOption for another form."""
    from server.errors import InvalidOption

    options: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InvalidOption(f"--set {text!r} is not of the form NAME=VALUE.")
        name = name.replace("-", "_")
        options.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in options.items()}


def _rendered(link: Any, clip: Any, preset: str, options: dict[str, Any], output: Any) -> list[dict[str, Any]]:
    """The results of a render of the clip; Ctrl-C stops it."""
    link.ask("clip/clear")
    where = {"start": str(clip.start_samples), "start_rate": clip.rate, "track": clip.selected.name}
    link.ask("clip/add", where, file=clip.file)
    is_kind = re.fullmatch(r"render/\w+", preset)
    job = (link.ask(preset, options) if is_kind else link.ask("preset", options, preset=preset))["job"]
    try:
        return link.wait(job, output.progress)
    except KeyboardInterrupt:
        link.ask("job/cancel", job=job)
        return link.wait(job, output.progress)


def _place(pipe: Any, link: Any, results: list[dict[str, Any]], output: Any) -> None:
    from bridge.adapters.audacity import place

    for job in dict.fromkeys(result["job"] for result in results):
        names = [place(pipe, link.root, result) for result in results if result["job"] == job and result["index"]]
        link.ask("job/placed", job=job, options={"where": ", ".join(names) or "nothing to place"})
        output.event("placed", job=job, tracks=names)
        for name in names:
            output.result(name)


def _cancel(link: Any, output: Any) -> int:
    from bridge.cli import OK
    from server.errors import RequestRefused

    running = link.unfinished()
    if not running:
        raise RequestRefused("nothing is being rendered for Audacity.", code="unknown_job", retryable=False)
    link.ask("job/cancel", job=running[0])
    output.event("cancelled", job=running[0])
    output.result(f"job {running[0]} is being stopped.")
    return OK
