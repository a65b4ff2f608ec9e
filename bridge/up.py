# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor up`: server and bridge as two children. A crashed one is started again; both end with this process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from bridge.home import home_folder
from server.errors import AthanorError

_FIRST_WAIT_S, _LAST_WAIT_S, _STABLE_S = 0.5, 30.0, 60.0
_HOPELESS = 5
_END_S = 40.0


async def supervise(bridge_arguments: list[str], say: Callable[[str], None], ready: Callable[[str], None]) -> int:
    """Keep both running until Ctrl-C or SIGTERM; the exit code.

    Args:
        bridge_arguments: options of `athanor bridge`.
        say: tells the person what happens.
        ready: called with the bridge's first line whenever it has started.
    """
    home = ["--home", str(home_folder())]
    server = [sys.executable, "-m", "server", *home]
    bridge = [sys.executable, "-m", "bridge", "bridge", *home, *bridge_arguments, "--until-stdin-ends"]
    keepers = [asyncio.create_task(_keep("server", server, say, None)),
               asyncio.create_task(_keep("bridge", bridge, say, ready))]
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, me.cancel)
    try:
        await asyncio.gather(*keepers)
    except asyncio.CancelledError:
        say("stopping ...")
    finally:
        for keeper in reversed(keepers):
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
    return 0


async def _keep(name: str, command: list[str], say: Callable[[str], None], ready: Callable[[str], None] | None) -> None:
    """Run a child for ever; AthanorError when it ends too often to go on."""
    wait_s, short_lives = _FIRST_WAIT_S, 0
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        process = await _start(command, reads=ready is not None)
        try:
            if ready is not None and process.stdout is not None:
                line = (await process.stdout.readline()).decode().strip()
                if line:
                    ready(line)
            code = await process.wait()
        finally:
            await _end(process)
        lived_s = loop.time() - started
        wait_s, short_lives = (_FIRST_WAIT_S, 1) if lived_s > _STABLE_S else (wait_s, short_lives + 1)
        if short_lives >= _HOPELESS:
            raise AthanorError(f"the {name} ended {short_lives} times soon after its start (last with status {code}); its "
                               "own message above says why.")
        say(f"the {name} ended with status {code}; starting it again in {wait_s:g} s.")
        await asyncio.sleep(wait_s)
        wait_s = min(_LAST_WAIT_S, 2 * wait_s)


async def _start(command: list[str], *, reads: bool) -> Process:
    # In a group of its own, so that Ctrl-C reaches this process alone and the children end in order.
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else \
        {"start_new_session": True}
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE if reads else None, **group)


async def _end(process: Process) -> None:
    """Ask a child to end, and kill it if it will not."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        process.kill()
        await process.wait()
