# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of a plugin's process: start it, wait within a limit, kill it and its children, read what it made.

Whatever the plugin does, this ends: with the clip, or with an error that says what happened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plugin_host.plugin_process import Order, Reply
from server.audio import Clip
from server.errors import PluginFailed, PluginTimeout, StorageError, from_wire

_POLL_S = 0.05
_LOG_LINES = 5
_LOG_CHARACTERS = 600


def run_plugin(plugin: Path, parameters: Mapping[str, Any], raw_state: str, clip: Clip, *, timeout_s: float,
               on_wait: Callable[[], None] = lambda: None) -> Clip:
    """A third-party plugin on a whole clip, in a process of its own.

    Args:
        plugin: its file or bundle.
        parameters: names as Pedalboard gives them, set after the state.
        raw_state: saved state as base64, empty for none.
        clip: one or two channels; the result has its channels, rate and length.
        timeout_s: longest time for loading and rendering together.
        on_wait: called about 20 times a second; raises to stop the plugin.

    Raises:
        PluginTimeout: the limit has passed.
        PluginFailed: it crashed, cannot be loaded or refuses the clip.
        InvalidOption: a parameter that it does not have or a value that it does not take.
        StorageError: no room for the temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="athanor-plugin-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        order = Order(plugin=plugin, parameters=dict(parameters), raw_state=raw_state, input=folder / "in.f32",
                      output=folder / "out.f32", channels=clip.channels, sample_rate=clip.sample_rate,
                      timeout_s=timeout_s, reply=folder / "reply.json")
        try:
            clip.samples.tofile(order.input)
            (folder / "order.json").write_text(order.model_dump_json(), encoding="utf-8")
        except OSError as cause:
            raise StorageError(f"{folder} cannot be written: {cause.strerror}. Free some space.") from cause
        log = folder / "log"
        code = _run_process(order, folder, log, on_wait)
        if code != 0 or not order.reply.exists():
            raise PluginFailed(f"{plugin.stem} crashed ({_ending(code)}). Its last words: {_tail(log)}")
        reply = Reply.model_validate_json(order.reply.read_bytes())
        if reply.error:
            raise from_wire(reply.error)
        return Clip(np.fromfile(order.output, np.float32).reshape(clip.samples.shape), clip.sample_rate)


def _run_process(order: Order, folder: Path, log: Path, on_wait: Callable[[], None]) -> int:
    """Exit code of the plugin's process, which is gone with all its children when this returns or raises.

    It works in the temporary folder: what a plugin leaves there goes with it, and no module is found there by accident.
    """
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    deadline = time.monotonic() + order.timeout_s
    with open(log, "wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "plugin_host.plugin_process", str(folder / "order.json")],
                                   stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                                   env=environment, **_own_group())
    try:
        while time.monotonic() < deadline:
            on_wait()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_POLL_S)
        raise PluginTimeout(f"{order.plugin.stem} was stopped: it did not finish within its limit of "
                            f"{order.timeout_s:g} s. If it is only slow, raise the limit: timeout_s = "
                            f"{2 * order.timeout_s:g} in its entry of the chain.")
    finally:
        _kill_group(process)


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _kill_group(process: subprocess.Popen) -> None:
    if sys.platform == "win32":
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    text = " | ".join(line.strip() for line in lines[-_LOG_LINES:] if line.strip())
    return text[-_LOG_CHARACTERS:] or "none."
