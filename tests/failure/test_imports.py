# SPDX-License-Identifier: GPL-3.0-or-later
"""What must stay light stays light: no torch, no ray in the front end, the client and what a composer's machine runs."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest
from harness import ROOT, Server, ended

LIGHT = [
    "server.frontend", "server.client", "server.launch", "server.protocol", "server.jobs", "server.kinds", "server.audio",
    "server.executors.local", "server.methods.debug", "server.worker", "bridge.cli", "plugin_host.chain", "presets",
]
HEAVY = ("torch", "diffusers", "transformers", "ray")


def heavy_imports(*modules: str) -> list[str]:
    """"module imports heavy package" for each that does, tried one after the other in a fresh interpreter."""
    code = (f"import importlib, sys\nfor module in {modules!r}:\n    importlib.import_module(module)\n"
            f"    for name in {HEAVY!r}:\n        if name in sys.modules: print(module, 'imports', name)")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
    return found.stdout.splitlines()


def test_light_modules_import_nothing_heavy() -> None:
    assert heavy_imports(*LIGHT) == []


def test_control_the_check_sees_torch() -> None:
    assert heavy_imports("json", "torch") == ["torch imports torch"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory maps")
async def test_neither_server_nor_worker_loads_torch_for_a_debug_job(serve) -> None:
    server: Server = await serve()
    client = await server.client()
    await ended(client, (await server.submit(client, steps=1)).job_id)
    assert server.process is not None
    for pid in (server.process.pid, await server.worker_pid(client)):
        files = [found.path for found in psutil.Process(pid).memory_maps()]
        assert any("zmq" in file for file in files), "the maps are readable"
        assert not [file for file in files if "torch" in file]
