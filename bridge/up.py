# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor up`: server and bridge as two children. A crashed one is started again; both end with this process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bridge.home import home_folder
from bridge.placement import make_folder
from bridge.server_link import is_paired, is_running
from server.errors import AthanorError

_FIRST_WAIT_S, _LAST_WAIT_S, _STABLE_S = 0.5, 30.0, 60.0
_REFUSED = (1, 2)
"""Exit codes of a child that says that it cannot start; trying again would not help."""
_REFUSED_WITHIN_S = 5.0
_LOOK_S = 2.0
_END_S = 40.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Child:
    """What to run. log: the file that its stderr is added to; None shows it."""

    name: str
    command: list[str]
    log: Path | None = None


async def supervise(bridge_arguments: list[str], say: Say, ready: Say) -> None:
    """Keep both running until Ctrl-C, SIGTERM or `athanor stop`.

    Args:
        bridge_arguments: options of `athanor bridge`.
        say: tells the person what happens.
        ready: called with the bridge's first line whenever it has started.

    Raises:
        AthanorError: one of them cannot start; it has said why on stderr.
    """
    home = ["--home", str(home_folder())]
    bridge = [sys.executable, "-m", "bridge", "bridge", *home, *bridge_arguments, "--until-stdin-ends"]
    keepers = [asyncio.create_task(_keep(Child("bridge", bridge), say, ready))]
    if is_paired():
        say("rendering on the server that this machine is paired with; `athanor pair` says which.")
    else:
        keepers.append(asyncio.create_task(_keep_server([sys.executable, "-m", "server", *home], say)))
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, me.cancel)
    try:
        ended, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
        for keeper in ended:
            keeper.result()
    except asyncio.CancelledError:
        say("stopping ...")
        me.uncancel()
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


async def _keep_server(command: list[str], say: Say) -> None:
    """As `_keep`; a server that is running already is used as long as it lasts, and left warm."""
    log = home_folder() / "server" / "log"
    make_folder(log.parent)
    while True:
        if await is_running():
            say("a server is running already; using it.")
        while await is_running():
            await asyncio.sleep(_LOOK_S)
        say(f"the server's log is {log}.")
        try:
            return await _keep(Child("server", command, log), say, None)
        except AthanorError:
            if not await is_running():  # otherwise somebody else was quicker
                raise


async def _keep(child: Child, say: Say, ready: Say | None) -> None:
    """Run a child until it ends in order, starting it again after every crash; AthanorError if it cannot start."""
    wait_s = _FIRST_WAIT_S
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        code = await _run(child, ready)
        lived_s = loop.time() - started
        if code == 0:
            say(f"the {child.name} was stopped.")
            return
        if code in _REFUSED and lived_s < _REFUSED_WITHIN_S:
            raise AthanorError(f"the {child.name} cannot start{_last_words(child.log)}")
        wait_s = _FIRST_WAIT_S if lived_s > _STABLE_S else wait_s
        say(f"the {child.name} ended with status {code}; starting it again in {wait_s:g} s.")
        await asyncio.sleep(wait_s)
        wait_s = min(_LAST_WAIT_S, 2 * wait_s)


def _last_words(log: Path | None) -> str:
    if log is None:
        return "; its own message stands above."
    return f": {log.read_text(encoding='utf-8', errors='replace').strip().splitlines()[-1]}"


async def _run(child: Child, ready: Say | None) -> int:
    """One life of a child; its exit code."""
    # In a group of its own, so that Ctrl-C reaches this process alone and the children end in order. Waiting is done in
    # threads: on Windows, no event loop can wait for processes and poll ZeroMQ, too.
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else \
        {"start_new_session": True}
    with open(child.log, "ab") if child.log else nullcontext() as log:
        process = subprocess.Popen(child.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if ready else log,
                                   stderr=log, **group)
    try:
        if ready and process.stdout:
            line = (await asyncio.to_thread(process.stdout.readline)).decode().strip()
            if line:
                ready(line)
        return await asyncio.to_thread(process.wait)
    finally:
        await _end(process)


async def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a child to end, and kill it if it will not."""
    assert process.stdin is not None
    process.stdin.close()
    if process.poll() is None:
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.terminate()
    try:
        await asyncio.to_thread(process.wait, _END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)
    if process.stdout is not None:
        process.stdout.close()
