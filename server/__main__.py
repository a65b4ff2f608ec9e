# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m server`: run the server in the foreground until SIGINT, SIGTERM or `server.stop`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from server.errors import AthanorError, InvalidOption
from server.frontend import Frontend, open_store
from server.lan import ANY_ADDRESS, LOOPBACK
from server.reconcile import check
from server.settings import Settings, default_home, with_overrides


def parse_arguments(arguments: list[str] | None = None) -> tuple[Settings, bool]:
    """Settings from the command line, and whether only a check is asked for; raises InvalidOption."""
    parser = argparse.ArgumentParser(prog="python -m server", description="The render server.")
    parser.add_argument("--home", type=Path, default=None, help="data folder (else ATHANOR_HOME, else the platform's)")
    parser.add_argument("--bind", default=None, help="address to listen on (127.0.0.1: this machine alone)")
    parser.add_argument("--lan", action="store_true", help="let paired machines in, and print a code to pair one more")
    parser.add_argument("--port", type=int, default=0, help="port for requests; 0 takes any free one")
    parser.add_argument("--debug-jobs", action="store_true", help="take debug jobs (for tests)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting")
    parser.add_argument("--check", action="store_true", help="check the store of a stopped server and end")
    given = parser.parse_args(arguments)
    overrides = dict(one.split("=", 1) if "=" in one else (one, "") for one in given.set)
    if not 0 <= given.port <= 65535:
        raise InvalidOption(f"port {given.port} does not exist; 1 to 65535 do, 0 takes any free one.")
    home = (given.home or default_home()).expanduser().absolute()
    bind = given.bind or (ANY_ADDRESS if given.lan else LOOPBACK)
    return with_overrides(Settings(home, bind, given.port, given.debug_jobs, given.lan), overrides), given.check


async def _serve(settings: Settings) -> None:
    await Frontend(settings).run()


def _check(settings: Settings) -> int:
    """Put right what a crash left, then say what still is wrong; returns the exit status."""
    store, _ = open_store(settings)
    try:
        faults = check(store.database, store.blobs)
    finally:
        store.close()
    print("\n".join(faults) or f"{settings.home}: ledger and blobs are sound.")
    return 1 if faults else 0


def main() -> int:
    """Exit status 0 after a clean end, 1 if the server could not start (or, with --check, something is wrong)."""
    try:
        settings, is_check = parse_arguments()
        if is_check:
            return _check(settings)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # Windows' own loop cannot poll ZeroMQ
            runner.run(_serve(settings))
    except AthanorError as error:
        print(f"athanor server: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
