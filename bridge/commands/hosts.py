# SPDX-License-Identifier: GPL-3.0-or-later
"""hosts: which DAWs and patchers are here, which are connected, and Athanor's files into them and out again."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    hosts = add_command(commands, "hosts", "hosts:run", "DAWs and patchers: list them, put Athanor's files into one.")
    hosts.add_argument("action", nargs="?", choices=("install", "uninstall"), help="without it: list")
    hosts.add_argument("name", nargs="?", metavar="HOST", help="as listed")
    hosts.add_argument("--to", type=Path, metavar="DIR", help="the host's folder, where it is not found")


def run(arguments: argparse.Namespace) -> int:
    """List, install or uninstall."""
    from server.errors import InvalidOption

    if (arguments.action is None) != (arguments.name is None):
        raise InvalidOption("say which host: `athanor hosts install NAME`; `athanor hosts` lists them.")
    return {None: _list, "install": _install, "uninstall": _uninstall}[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from bridge.commands.jobs import age
    from bridge.host_files import installed, load_hosts
    from bridge.output import Output

    output = Output(arguments.as_json)
    rows = []
    seen = _seen()
    for host in load_hosts().values():
        found, files = str(host.program or host.target or ""), list(map(str, installed(host)))
        last = max((when for client, when in seen.items() if client.split("-")[0].lower() == host.name), default=None)
        output.event("host", name=host.name, title=host.title, found=found or None, files=files, said_hello=last)
        hello = "never" if last is None else f"{age(last)} ago"
        rows.append([host.name, host.title, found or "not found", f"{len(files)} files" if files else "-", hello])
    output.table(["NAME", "HOST", "FOUND", "ATHANOR'S FILES", "LAST HELLO"], rows)
    return 0


def _install(arguments: argparse.Namespace) -> int:
    from bridge.host_files import find_host, install
    from bridge.output import Output

    output, host = Output(arguments.as_json), find_host(arguments.name)
    written = install(host, arguments.to.expanduser().absolute() if arguments.to else None)
    output.event("installed", name=host.name, files=list(map(str, written)), click=list(host.click))
    output.result("\n".join(map(str, written)))
    for number, step in enumerate(host.click, 1):
        output.say(f"{number}. {step}")
    output.say(f"`athanor hosts uninstall {host.name}` takes it out again.")
    return 0


def _uninstall(arguments: argparse.Namespace) -> int:
    from bridge.host_files import find_host, uninstall
    from bridge.output import Output

    output, host = Output(arguments.as_json), find_host(arguments.name)
    gone, changed = uninstall(host)
    output.event("uninstalled", name=host.name, files=list(map(str, gone)), changed=list(map(str, changed)))
    output.result(f"{len(gone)} files taken out of {host.title}.")
    for path in changed:
        output.say(f"{path} stays: it was changed since.")
    return 0


def _seen() -> dict[str, float]:
    """Client -> when it last said hello (Unix seconds)."""
    from bridge.home import journal_path
    from bridge.journal import Journal

    if not journal_path().exists():
        return {}
    journal = Journal(journal_path())
    try:
        return journal.seen()
    finally:
        journal.close()
