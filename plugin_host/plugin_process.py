# SPDX-License-Identifier: GPL-3.0-or-later
"""One third-party plugin on one clip, in a process of its own: `python -m plugin_host.plugin_process ORDER`.

The plugin is loaded and run on this process's main thread, as the formats demand, and may crash or hang without taking
anything else with it. The order is the JSON file named on the command line; audio is exchanged as raw float32 files.
Stdin carries nothing: its end means that the host is gone, and ends this process.
"""

from __future__ import annotations

import base64
import os
import sys
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from plugin_host.libraries import missing_libraries
from plugin_host.scan import loadable_path
from server.errors import AthanorError, InvalidOption, PluginFailed
from server.kinds.base import nearest


class Order(BaseModel):
    """What the host asks for. The files hold float32 `[channels, time]`; the output has the input's shape.

    `raw_state` is base64, empty for none; parameters are set after it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plugin: Path
    parameters: dict[str, float | bool | str]
    raw_state: str
    input: Path
    output: Path
    channels: int
    sample_rate: int
    timeout_s: float
    reply: Path


class Reply(BaseModel):
    """What came of it; `error` as `AthanorError.to_wire` gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["done", "failed"]
    error: dict[str, str | bool] | None = None


def run(order: Order) -> None:
    """Carry out one order.

    Raises:
        PluginFailed: the plugin cannot be loaded, or refuses the clip.
        InvalidOption: a parameter that the plugin does not have, or a value that it does not take.
    """
    plugin = _load(order)
    if order.raw_state:
        plugin.raw_state = base64.b64decode(order.raw_state)
    for name, value in order.parameters.items():
        _set(plugin, order.plugin.stem, name, value)
    samples = np.fromfile(order.input, np.float32).reshape(order.channels, -1)
    try:
        output = plugin(samples, order.sample_rate)
    except ValueError as cause:
        if "channel" in str(cause):
            raise PluginFailed(f"{order.plugin.stem} does not take a clip of {order.channels} channels ({cause}) "
                               "A mono plugin needs a mono clip: fold it first, or choose a stereo plugin.") from cause
        raise PluginFailed(f"{order.plugin.stem} refuses the clip: {cause}") from cause
    if output.shape != samples.shape:
        raise PluginFailed(f"{order.plugin.stem} gave {list(output.shape)} [channels, samples] for "
                           f"{list(samples.shape)}. It cannot be used in a chain.")
    np.ascontiguousarray(output, np.float32).tofile(order.output)


def _load(order: Order) -> Any:
    import pedalboard

    try:
        plugin = pedalboard.load_plugin(str(loadable_path(order.plugin)), initialization_timeout=order.timeout_s)
    except (ImportError, ValueError, RuntimeError) as cause:
        missing = missing_libraries(order.plugin)
        reason = f"it needs {', '.join(missing)}, which this system lacks. Install what provides it" if missing \
            else f"{str(cause).splitlines()[-1].strip().rstrip('.')}. Check that it is built for this system"
        raise PluginFailed(f"{order.plugin.stem} cannot be loaded: {reason}.") from cause
    if not plugin.is_effect:
        raise PluginFailed(f"{order.plugin.stem} is an instrument, not an effect: it takes no clip.")
    return plugin


def _set(plugin: Any, title: str, name: str, value: float | bool | str) -> None:
    if name not in plugin.parameters:
        raise InvalidOption(f"{title} has no parameter {name!r}{nearest(name, plugin.parameters)}")
    try:
        setattr(plugin, name, value)
    except (ValueError, TypeError) as cause:
        raise InvalidOption(f"{title}: {cause}") from cause


def _end_with_the_host() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    order = Order.model_validate_json(Path(sys.argv[1]).read_bytes())
    threading.Thread(target=_end_with_the_host, daemon=True).start()
    try:
        run(order)
        reply = Reply(state="done")
    except AthanorError as error:
        reply = Reply(state="failed", error=error.to_wire())
    order.reply.write_text(reply.model_dump_json(), encoding="utf-8")
    sys.stderr.flush()
    # The result is safe; a plugin that crashes while the interpreter takes it down must not spoil it.
    os._exit(0)


if __name__ == "__main__":
    main()
