# SPDX-License-Identifier: GPL-3.0-or-later
"""up, serve, bridge, stop, demo: the processes behind the other commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge.routes import DEFAULT_PORT, PREFIX

_HOST = "127.0.0.1"


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    up = add_command(commands, "up", "services:up", "Run server and bridge, until Ctrl-C: the everyday command.")
    _add_bridge_options(up)
    serve = add_command(commands, "serve", "services:serve", "Run the server alone, until Ctrl-C.")
    serve.add_argument("--lan", action="store_true", help="let paired machines in, and print a code to pair one more")
    serve.add_argument("--port", type=int, default=0, metavar="N", help="first of the three ports of --lan (9103)")
    serve.add_argument("--debug-jobs", action="store_true", help="take debug jobs (for tests)")
    bridge = add_command(commands, "bridge", "services:bridge", "Run the OSC bridge alone, until Ctrl-C.")
    _add_bridge_options(bridge)
    bridge.add_argument("--until-stdin-ends", action="store_true", help=argparse.SUPPRESS)
    add_command(commands, "stop", "services:stop", "Stop the server.")
    demo = add_command(commands, "demo", "services:demo", "Fuse two clips that come with Athanor, the way a patch would.")
    demo.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path("demo"), help="folder for the results (demo)")


def _add_bridge_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"UDP port for OSC ({DEFAULT_PORT}); 0: any")
    command.add_argument("--http-port", type=int, metavar="N", help="TCP port for HTTP (the last one, else 9102); 0: any")
    command.add_argument("--root", type=Path, metavar="DIR", help="import root for clips (ATHANOR_ROOT, else "
                         "the folder Athanor in your music folder)")


def up(arguments: argparse.Namespace) -> int:
    """Server and bridge as children, restarted when they crash."""
    from bridge.loop import run
    from bridge.output import Output
    from bridge.up import supervise

    output = Output(arguments.as_json)

    def ready(line: str) -> None:
        output.event("ready", bridge=line)
        output.say(f"Athanor is up. {line}.\n"
                   f"Send for example: {PREFIX}/render/fuse req1 original.wav reference.wav @prompt \"glass bells\"\n"
                   "`python -m bridge.routes` prints every message. Ctrl-C stops.")

    run(supervise(_bridge_arguments(arguments), output.say, ready))
    return 0


def _bridge_arguments(arguments: argparse.Namespace) -> list[str]:
    root = ["--root", str(arguments.root)] if arguments.root else []
    http = ["--http-port", str(arguments.http_port)] if arguments.http_port is not None else []
    return ["--port", str(arguments.port), *http, *root]


def serve(arguments: argparse.Namespace) -> int:
    """The server in this process."""
    import signal
    import subprocess
    import sys

    from bridge.home import home_folder

    given = [*(["--lan"] if arguments.lan else []), *(["--debug-jobs"] if arguments.debug_jobs else [])]
    process = subprocess.Popen([sys.executable, "-m", "server", "--home", str(home_folder()), "--port", str(arguments.port),
                                *given])
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # otherwise the server would live on without us
    while True:
        try:
            return 1 if process.wait() else 0
        except KeyboardInterrupt:  # the server got it too, and finishes its job before it ends
            continue


def bridge(arguments: argparse.Namespace) -> int:
    """The bridge in this process."""
    import logging

    from bridge.daemon import BridgeSettings
    from bridge.daemon import serve as serve_bridge
    from bridge.imports import default_root
    from bridge.loop import run
    from server.errors import InvalidOption

    for port in (arguments.port, arguments.http_port or 0):
        if not 0 <= port <= 65535:
            raise InvalidOption(f"port {port} does not exist; 1 to 65535 do, 0 takes any free one.")
    logging.basicConfig(level=logging.INFO, format="bridge: %(message)s")
    root = (arguments.root or default_root()).expanduser().absolute()
    settings = BridgeSettings(_HOST, arguments.port, root, arguments.until_stdin_ends, arguments.http_port)
    run(serve_bridge(settings))
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """Ask the server to end when its running job has."""
    from bridge.home import home_folder
    from bridge.loop import run
    from bridge.output import Output
    from server.client import AsyncClient
    from server.errors import ServerUnreachable

    output = Output(arguments.as_json)

    async def ask() -> None:
        client = await AsyncClient.connect(home_folder(), patience_s=5.0)
        try:
            output.say("stopping; a running job may finish first ...")
            await client.shutdown()
        finally:
            await client.close()

    try:
        run(ask())
    except ServerUnreachable:
        output.event("stopped", was_running=False)
        output.say("no server is running.")
        return 0
    output.event("stopped", was_running=True)
    output.say("stopped.")
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """The demonstration."""
    from bridge.demo import run

    return run(arguments.out, arguments.as_json)
