# SPDX-License-Identifier: GPL-3.0-or-later
"""again, history: results of the past, rendered again, found, shown and put back on a timeline."""

from __future__ import annotations

import argparse
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.history import Past
    from bridge.journal import Entry
    from bridge.output import Output


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    again = add_command(commands, "again", "recall:again",
                        "Render a result again, from its record: the clips, options, plugins and seed of then.")
    again.add_argument("result", metavar="RESULT", help="its sound file or record, or the id of its job")
    again.add_argument("--seed", metavar="N", help="another seed, for a relative of it")
    again.add_argument("-o", "--out", type=Path, metavar="DIR", help="folder for the results (beside the old one)")
    history = add_command(commands, "history", "recall:history", "List results of the past, newest first.")
    history.add_argument("--find", metavar="WORDS", default="",
                         help="only those that all the words occur in: name, track, prompt, clips, kind, place")
    history.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20)")
    history.add_argument("--reveal", type=int, metavar="N", help="show the N-th of them in its folder")
    history.add_argument("--place", type=int, metavar="N", help="announce the N-th of them again, to be placed")
    history.add_argument("--client", metavar="NAME", help="to which host (the one that asked for it, else the last one)")
    for command in (again, history):
        command.add_argument("--root", type=Path, metavar="DIR", help="import root, or another folder with "
                             "results (the bridge's root, else ATHANOR_ROOT's)")


def again(arguments: argparse.Namespace) -> int:
    """Render the result's job again, and say whether it is the same."""
    from bridge.commands.render import rendered, tell
    from bridge.history import find_past
    from bridge.home import home_folder
    from bridge.intake import Asker, prepare
    from bridge.loop import run
    from bridge.output import Output
    from bridge.placement import make_folder
    from bridge.recall import anywhere, ask_again

    named = Path(arguments.result).expanduser()
    past = find_past(arguments.result, named if named.is_file() else None, _root(arguments), _known())[0]
    out = (arguments.out or past.sound.parent).expanduser().absolute()
    asker = Asker("cli", uuid.uuid4().hex[:12], "cli", out)
    request = prepare(ask_again(past, anywhere(past), arguments.seed), asker, home_folder())
    make_folder(request.out)
    with Output(arguments.as_json) as output:
        entry = run(rendered(request, output))
        code = tell(entry, output)
        _compare(past, entry, output)
        return code


def _compare(past: Past, entry: Entry, output: Output) -> None:
    """Say whether the sound of then came back, where both are there."""
    import numpy as np

    from server.audio import read_clip

    name = past.record.name
    found = [placed["file"] for placed in entry.placed if placed["placement"]["name"] == name]
    if len(found) != 1 or not past.sound.is_file():
        return
    before, now = read_clip(past.sound), read_clip(found[0])
    is_same = before.sample_rate == now.sample_rate and np.array_equal(before.samples, now.samples)
    output.event("compared", file=found[0], before=str(past.sound), same=is_same)
    output.say(f"{Path(found[0]).name} is {'the same sound as' if is_same else 'another sound than'} {past.sound.name}.")


def history(arguments: argparse.Namespace) -> int:
    """List, reveal or place."""
    from bridge.cli import OK
    from bridge.history import matching, past_results
    from bridge.output import Output
    from server.errors import InvalidOption

    output = Output(arguments.as_json)
    found = matching(past_results(_root(arguments), _known()), arguments.find)
    for option in ("reveal", "place"):
        number = getattr(arguments, option)
        if number is not None and not 1 <= number <= len(found):
            raise InvalidOption(f"--{option} {number}: there are {len(found)} such results, numbered from 1.")
    if arguments.reveal is not None:
        _reveal(found[arguments.reveal - 1], output)
    if arguments.place is not None:
        _place(found[arguments.place - 1], arguments.client, output)
    if arguments.reveal is None and arguments.place is None:
        _list(found[:max(0, arguments.limit)], output)
    return OK


def _list(found: list[Past], output: Output) -> None:
    if not found:
        output.say("there are no such results; those in another folder are found with --root.")
        return
    for number, past in enumerate(found, 1):
        output.event("result", number=number, file=str(past.sound), client=past.client, where=past.where,
                     placement=past.record.model_dump(mode="json"))
    output.table(["N", "WHEN", "KIND", "NAME", "WHERE", "FILE"], [
        [str(number), past.record.created[:16].replace("T", " "), str(past.record.provenance.get("kind", "")),
         past.record.name or past.record.role, past.where, str(past.sound)] for number, past in enumerate(found, 1)])


def _reveal(past: Past, output: Output) -> None:
    from bridge.reveal import reveal

    output.event("revealed", file=str(past.sound), shown=reveal(past.sound))
    output.result(str(past.sound))


def _place(past: Past, client: str | None, output: Output) -> None:
    """Write it into the journal as news for the client, and wake the bridge if one runs; else the next hello brings it."""
    from bridge.home import home_folder, journal_path
    from bridge.journal import Journal
    from bridge.nudge import nudge
    from bridge.recall_desk import new_request_id, placed_again
    from server.errors import InvalidOption

    journal = Journal(journal_path())
    try:
        name = client or past.client or next(iter(journal.clients()), "")
        if not name:
            raise InvalidOption("no host has said hello yet, so nobody can place it; open one, or name it with --client.")
        request_id = new_request_id()
        entry = placed_again([past], name, request_id, request_id, journal)
    finally:
        journal.close()
    is_told = nudge(home_folder(), entry.job_id, name)
    output.event("announced", file=str(past.sound), client=name, job=entry.job_id, told=is_told)
    output.result(f"{past.sound.name}: " + (f"announced to {name}." if is_told else
                                            f"{name} will hear of it when the bridge runs and it says hello."))


def _root(arguments: argparse.Namespace) -> Path:
    """The import root: as said, else the bridge's last one, else the usual one."""
    from bridge.connection import load
    from bridge.home import home_folder
    from bridge.imports import default_root

    last = load(home_folder())
    return (arguments.root or (last.root if last else default_root())).expanduser().absolute()


def _known() -> dict[Path, Past]:
    """What lies where commands have written to, and what the bridge's journal knows, if there is one."""
    from bridge.history import of_journal, past_results
    from bridge.home import home_folder, journal_path
    from bridge.journal import Journal
    from bridge.out_folders import remembered

    found = {past.sound: past for folder in remembered(home_folder()) for past in past_results(folder, {})}
    if not journal_path().exists():
        return found
    journal = Journal(journal_path())
    try:
        return found | of_journal(journal)
    finally:
        journal.close()
