# SPDX-License-Identifier: GPL-3.0-or-later
"""pair: render on another machine of the network, and say which machines may render on this one."""

from __future__ import annotations

import argparse
import platform


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    pair = add_command(commands, "pair", "pair:run", "Render on another machine, which `athanor serve --lan` has opened.")
    pair.add_argument("host", nargs="?", metavar="HOST", help="address of the other machine; without it: who is paired")
    pair.add_argument("code", nargs="?", metavar="CODE", help="the code that it printed")
    pair.add_argument("--name", default=platform.node() or "a machine", help="what this machine is called there (as it is)")
    pair.add_argument("--forget", action="store_true", help="render on this machine again")
    pair.add_argument("--revoke", metavar="NAME", help="let a machine that is paired with this one in no more")


def run(arguments: argparse.Namespace) -> int:
    """Pair, forget, revoke, or say how things are."""
    from server.errors import InvalidOption

    asked = [bool(arguments.host), arguments.forget, arguments.revoke is not None]
    if sum(asked) > 1 or bool(arguments.host) != bool(arguments.code):
        raise InvalidOption("give HOST and CODE, or --forget, or --revoke NAME. See `athanor pair --help`.")
    action = _pair if arguments.host else _forget if arguments.forget else _revoke if arguments.revoke else _tell
    return action(arguments)


def _pair(arguments: argparse.Namespace) -> int:
    from bridge.home import home_folder
    from bridge.loop import run as run_loop
    from bridge.output import Output
    from server import pairing

    output = Output(arguments.as_json)
    connection = run_loop(pairing.ask(arguments.host, arguments.code, arguments.name))
    pairing.keep(home_folder(), connection)
    output.event("paired", server=connection.requests, name=arguments.name)
    output.result(f"paired: from now on this machine, {arguments.name!r}, renders on {_host(connection.requests)}. "
                  "`athanor pair --forget` undoes it.")
    return 0


def _forget(arguments: argparse.Namespace) -> int:
    from bridge.home import home_folder
    from bridge.output import Output
    from server import pairing

    output = Output(arguments.as_json)
    connection = pairing.kept(home_folder())
    pairing.forget(home_folder())
    output.event("forgotten", was_paired=connection is not None)
    output.result("this machine renders here again." if connection else "this machine was not paired; it renders here.")
    if connection:
        output.say(f"To take its key from {_host(connection.requests)}, too, say there: athanor pair --revoke NAME")
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    from bridge.home import home_folder
    from bridge.output import Output
    from server import pairing

    output = Output(arguments.as_json)
    pairing.machines(home_folder()).remove(arguments.revoke)
    output.event("revoked", name=arguments.revoke)
    output.result(f"{arguments.revoke!r} is let in no more.")
    return 0


def _tell(arguments: argparse.Namespace) -> int:
    from bridge.home import home_folder
    from bridge.output import Output
    from server import pairing

    output = Output(arguments.as_json)
    connection, names = pairing.kept(home_folder()), sorted(pairing.machines(home_folder()).names().values())
    output.event("pairs", server=connection.requests if connection else None, machines=names)
    output.result(f"renders on: {_host(connection.requests) if connection else 'this machine'}")
    output.result(f"may render here: {', '.join(names) or 'no other machine'}")
    return 0


def _host(endpoint: str) -> str:
    return endpoint.removeprefix("tcp://").rpartition(":")[0]
