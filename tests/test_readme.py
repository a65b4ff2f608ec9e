# SPDX-License-Identifier: GPL-3.0-or-later
"""The README tells the truth: every block runs, every file it points to is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bridge.arguments import parse
from bridge.packets import Message
from bridge.routes import find_route
from presets.preset import parse_preset
from server.audio import Clip, write_clip
from server.models.catalogue import sources

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"sh", "osc", "toml", "python"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Path:
    """A folder with two sounds, an archive of four, and a server: the first command starts it, the last one stops it."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    for label in ("wire hum", "gravel"):
        (folder / "archive" / label).mkdir(parents=True)
        for k in range(2):
            write_clip(folder / "archive" / label / f"{k}.wav", Clip(0.1 * rng.normal(size=(1, 44100)), 44100))
    for name, channels in (("original", 2), ("reference", 1)):
        swell = np.sin(np.linspace(0, np.pi, 44100))
        write_clip(folder / f"{name}.wav", Clip(0.1 * rng.normal(size=(channels, 44100)) * swell, 44100))
    yield folder
    shell("athanor stop", folder)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(folder), "ATHANOR_HOME": str(folder / "home"),
                                "ATHANOR_ROOT": str(folder / "root"),
                                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, text=True,
                          capture_output=True, timeout=300)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("script", [b for b in blocks("sh") if not b.startswith("make ") and b != "athanor up\n"])
def test_commands_run(script, studio):
    done = shell(script.replace("--minutes 60", "--minutes 0.02"), studio)  # an hour is said, a second is tested
    assert done.returncode in ((0, 1) if "doctor" in script else (0,)), done.stderr
    if "--json" in script:
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines and lines[0]["event"] == "done"


@pytest.mark.parametrize("script", [b for b in blocks("sh") if b.startswith("make ")])
def test_make_knows_its_targets(script):
    assert subprocess.run(["make", "-n", *shlex.split(script)[1:]], cwd=ROOT, capture_output=True).returncode == 0


def test_up_says_where_it_listens_and_ends(studio, tmp_path):
    command = [sys.executable, "-m", "bridge", "up", "--json", "--port", "0", "--home", str(tmp_path / "home"),
               "--root", str(tmp_path / "root")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert json.loads(process.stdout.readline())["event"] == "ready"
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.parametrize("line", [line for block in blocks("osc") for line in block.splitlines()])
def test_messages_are_understood(line):
    address, *values = shlex.split(line)
    parse(find_route(address), Message(address, tuple(int(v) if v.isdigit() else v for v in values)))


@pytest.mark.parametrize("text", blocks("toml"))
def test_files_are_valid(text, tmp_path):
    table = tomllib.loads(text)
    if "kind" in table:
        parse_preset("readme", table, path=tmp_path / "readme.toml")
    else:
        (tmp_path / "models.toml").write_text(text, encoding="utf-8")
        assert set(table) <= set(sources(tmp_path))


@pytest.mark.parametrize("code", blocks("python"))
def test_code_runs(code, studio):
    done = shell(f"{shlex.quote(sys.executable)} - <<'END'\n{code}END\n", studio)
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
