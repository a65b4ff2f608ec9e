# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed from a wheel, outside the checkout, renders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(command: list[str], **given) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, **given)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_a_wheel_has_everything_that_a_render_needs(tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".*", "demo", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)])
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    wheel, = tmp_path.glob("athanor_audio-*.whl")
    run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)])

    environment = os.environ | {"PYTHONPATH": str(site), "ATHANOR_HOME": str(tmp_path / "home")}
    given = {"cwd": elsewhere, "env": environment}
    assert run([sys.executable, "-c", "import server; print(server.__file__)"], **given).startswith(str(site))
    athanor = [sys.executable, "-m", "bridge"]
    try:
        lines = run([*athanor, "generate", "bells", "--seconds", "1", "--steps", "4", "--json"], **given).splitlines()
        results = [event for event in map(json.loads, lines) if event["event"] == "result"]
        assert len(results) == 1 and Path(results[0]["file"]).is_file()
        chained = run([*athanor, "chain", results[0]["file"], "--chain", "space", "--json"], **given)
        assert json.loads(chained.splitlines()[-1])["event"] == "done"
    finally:
        run([*athanor, "stop"], **given)
    for file in ("presets/clips/granular_metal.flac", "server/models/embedded/card.md", "bridge/hosts/pd/athanor.pd"):
        assert (site / file).is_file(), file
