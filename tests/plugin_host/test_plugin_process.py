# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's process by itself: it answers its order, and never outlives its host."""

from __future__ import annotations

import subprocess
import sys

import pytest

from plugin_host.plugin_process import Order, Reply
from server.errors import PluginFailed, from_wire


@pytest.fixture
def start():
    processes = []

    def start(order: Order) -> subprocess.Popen:
        path = order.reply.with_name("order.json")
        path.write_text(order.model_dump_json(), encoding="utf-8")
        process = subprocess.Popen([sys.executable, "-m", "plugin_host.plugin_process", str(path)],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()


def order_for(plugin, folder, clip) -> Order:
    order = Order(plugin=plugin, parameters={}, raw_state="", input=folder / "in.f32", output=folder / "out.f32",
                  channels=clip.channels, sample_rate=clip.sample_rate, timeout_s=60.0, reply=folder / "reply.json")
    clip.samples.tofile(order.input)
    return order


def test_it_answers_an_order_and_ends(start, broken_plugin, tmp_path, mono):
    order = order_for(broken_plugin, tmp_path, mono)
    process = start(order)
    assert process.wait(60) == 0
    reply = Reply.model_validate_json(order.reply.read_bytes())
    assert reply.state == "failed" and isinstance(from_wire(reply.error), PluginFailed)
    assert not order.output.exists()


def test_it_ends_with_its_host_even_in_the_middle_of_a_hang(start, hanging_plugin, tmp_path, mono):
    process = start(order_for(hanging_plugin, tmp_path, mono))
    process.stdin.close()
    assert process.wait(60) == 1


def test_importing_either_side_loads_neither_pedalboard_nor_torch():
    code = ("import sys, plugin_host.plugin_process, plugin_host.guard\n"
            "assert not {'torch', 'pedalboard'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
