# SPDX-License-Identifier: GPL-3.0-or-later
"""doctor: look at everything a render needs, and say what to do about what is missing. Changes nothing."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_NEEDED_PYTHON = (3, 11)
_BASE = ("numpy", "pedalboard", "pydantic", "python-osc", "pyzmq", "soundfile", "soxr")
_RENDER = ("torch", "diffusers", "transformers", "peft", "safetensors")
_FLOOR_GIB = 2
# PyPI's torch is built for CUDA on Linux and for the CPU alone on Windows.
_CUDA_REPAIR = "pip install --force-reinstall torch" + (
    " --index-url https://download.pytorch.org/whl/cu128" if sys.platform == "win32" else "")
_TORCH_PROBE = """
import json, torch
print(json.dumps({"version": torch.__version__, "cuda": torch.cuda.is_available(), "built_for": torch.version.cuda,
                  "mps": torch.backends.mps.is_available(), "cards": [torch.cuda.get_device_name(i) for i in
                  range(torch.cuda.device_count())]}))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. state: ok, note (works, but know this) or bad. repair: what to do about it."""

    what: str
    state: Literal["ok", "note", "bad"]
    text: str
    repair: str = ""


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    add_command(commands, "doctor", "doctor:run", "Check this machine, and say how to repair what is missing.")


def run(arguments: argparse.Namespace) -> int:
    """Every check, one line each; exit code 1 if something is bad."""
    from bridge.output import Output

    output = Output(arguments.as_json)
    bad = 0
    for check in CHECKS:
        for finding in check():
            bad += finding.state == "bad"
            output.event("finding", what=finding.what, state=finding.state, text=finding.text, repair=finding.repair)
            output.result(f"{finding.state:4}  {finding.what}: {finding.text}")
            if finding.repair:
                output.result(f"      -> {finding.repair}")
    return 1 if bad else 0


def check_python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info[:2] >= _NEEDED_PYTHON
    repair = "" if fits else "install 3.11 or later"
    yield Finding("Python", "ok" if fits else "bad", f"{version} at {sys.executable}", repair)


def check_packages() -> Iterator[Finding]:
    for names, extra in ((_BASE, "athanor-audio"), (_RENDER, "'athanor-audio[render]'")):
        missing = [name for name in names if _version(name) is None]
        if missing:
            # Without the render extra a machine still sends to a server elsewhere and runs plugin chains.
            state: Literal["note", "bad"] = "bad" if names is _BASE else "note"
            yield Finding("packages", state, f"missing: {', '.join(missing)}", f"pip install {extra}")
        else:
            yield Finding("packages", "ok", ", ".join(f"{name} {_version(name)}" for name in names))


def check_torch() -> Iterator[Finding]:
    version = _version("torch")
    if version is None:
        return
    card = _nvidia_card()
    torch = _torch_facts()
    if torch is None:
        yield Finding("torch", "bad", f"{version} is installed but cannot be imported",
                      "pip install --force-reinstall torch; see its own message: python -c 'import torch'")
    elif card and not torch["cuda"] and torch["built_for"] is None:
        yield Finding("torch", "bad", f"{card} is here, but torch {torch['version']} is built for the CPU only: renders "
                      "will be slow", _CUDA_REPAIR)
    elif card and not torch["cuda"]:
        yield Finding("torch", "bad", f"{card} is here, but torch {torch['version']} (CUDA {torch['built_for']}) cannot "
                      "use it", "update the NVIDIA driver, or install a torch for the CUDA version that nvidia-smi shows")
    else:
        device = "mps" if torch["mps"] else "cpu"
        yield Finding("torch", "ok", f"{torch['version']}, device {', '.join(torch['cards']) or device}")


def check_folders() -> Iterator[Finding]:
    from bridge.home import home_folder
    from bridge.imports import default_root

    for what, folder, repair in (("data folder", home_folder(), "choose another with --home or ATHANOR_HOME"),
                                 ("import root", default_root(), "choose another with --root or ATHANOR_ROOT")):
        problem = _cannot_write(folder)
        if problem:
            yield Finding(what, "bad", f"{folder} cannot be written: {problem}", repair)
            continue
        free_gib = shutil.disk_usage(_existing(folder)).free / 2**30
        low = free_gib < _FLOOR_GIB
        yield Finding(what, "bad" if low else "ok", f"{folder}, {free_gib:.1f} GiB free",
                      f"free some space: the server refuses jobs under {_FLOOR_GIB} GiB" if low else "")


def check_server() -> Iterator[Finding]:
    from bridge.home import home_folder
    from bridge.loop import run
    from server.client import AsyncClient
    from server.errors import AthanorError, ServerUnreachable

    async def ask() -> dict:
        client = await AsyncClient.connect(home_folder(), patience_s=5.0)
        try:
            return await client.stats()
        finally:
            await client.close()

    try:
        stats = run(ask())
        yield Finding("server", "ok", f"running: {json.dumps(stats.get('jobs', {}))}")
    except ServerUnreachable:
        yield Finding("server", "note", "not running; the first command that needs it starts it")
    except AthanorError as error:
        yield Finding("server", "bad", error.message, "athanor stop, then athanor up")


def check_port() -> Iterator[Finding]:
    from bridge.routes import DEFAULT_PORT

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", DEFAULT_PORT))
            yield Finding("OSC port", "ok", f"UDP {DEFAULT_PORT} is free")
        except OSError:
            yield Finding("OSC port", "note", f"UDP {DEFAULT_PORT} is in use, by a bridge or another program",
                          "athanor bridge --port N takes another")


def check_plugins() -> Iterator[Finding]:
    from plugin_host.scan import find_plugins

    for format in ("vst3", "au"):
        names = [plugin.name for plugin in find_plugins(format)]
        if names or format == "vst3":
            listed = f": {', '.join(names)}" if names else ""
            yield Finding(f"{format.upper()} plugins", "ok", f"{len(names)} found{listed}")


def check_presets() -> Iterator[Finding]:
    import presets

    problems = presets.problems()
    yield Finding("presets", "note" if problems else "ok", f"{len(presets.listing())} usable", " ".join(problems))


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python, check_packages, check_torch, check_folders, check_server, check_port, check_plugins, check_presets)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _nvidia_card() -> str | None:
    """Name of the first NVIDIA card that the driver knows."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        asked = subprocess.run([program, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True,
                               timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.splitlines()[0].strip() if asked.returncode == 0 and asked.stdout.strip() else None


def _torch_facts() -> dict | None:
    """What torch says about itself, asked in another process: importing it here would take seconds and memory."""
    try:
        asked = subprocess.run([sys.executable, "-c", _TORCH_PROBE], capture_output=True, text=True, timeout=120)
        return json.loads(asked.stdout) if asked.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _cannot_write(folder: Path) -> str:
    """Why nothing can be written to a folder, or the place where it would be made; empty if it can."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)) as file:
            file.write(b"x")
        return "" if os.access(_existing(folder), os.W_OK) else "permission denied"
    except OSError as error:
        return error.strerror or str(error)
