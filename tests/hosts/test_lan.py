# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines of one network, as two network namespaces of this one: pair, render over the wire, restart, revoke."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.hosts
REPOSITORY = Path(__file__).resolve().parents[2]
SERVER, CLIENT = "10.213.7.1", "10.213.7.2"
LIMIT_S = 60


@pytest.fixture
def wire(require_host) -> Iterator[tuple[str, str]]:
    """Two namespaces with one cable between them: (the server's, the client's)."""
    ip, tag = str(require_host("ip")), f"ath{os.getpid() % 100000}"
    spaces = (f"{tag}s", f"{tag}c")
    commands = [*(["netns", "add", space] for space in spaces),
                ["link", "add", spaces[0], "type", "veth", "peer", "name", spaces[1]]]
    for space, address in zip(spaces, (SERVER, CLIENT), strict=True):
        commands += [["link", "set", space, "netns", space],
                     ["-n", space, "addr", "add", f"{address}/24", "dev", space],
                     *(["-n", space, "link", "set", device, "up"] for device in (space, "lo"))]
    try:
        for words in commands:
            done = subprocess.run([ip, *words], capture_output=True, text=True)
            if done.returncode and os.geteuid() and os.environ.get("ATHANOR_REQUIRE_HOSTS") != "1":
                pytest.skip(f"only root may make network namespaces: {done.stderr.strip()}")
            assert done.returncode == 0, done.stderr
        yield spaces
    finally:
        for space in spaces:
            subprocess.run([ip, "netns", "del", space], check=False, capture_output=True)


class Machine:
    """One machine of the network: its namespace and its data folder."""

    def __init__(self, space: str, home: Path) -> None:
        self._prefix = ["ip", "netns", "exec", space, sys.executable, "-m", "bridge"]
        self._environment = os.environ | {"ATHANOR_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._prefix, *map(str, words)], env=self._environment, capture_output=True, text=True,
                              timeout=LIMIT_S)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen([*self._prefix, *map(str, words)], env=self._environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)


def code_of(server: subprocess.Popen[str]) -> str:
    """What `athanor serve --lan` prints for the other machine to type."""
    assert server.stdout is not None
    for line in server.stdout:
        typed = re.search(rf"athanor pair {SERVER} (\S+)", line)
        if typed:
            return typed[1]
    pytest.fail("no code was printed")


def end(server: subprocess.Popen[str]) -> None:
    server.terminate()
    server.communicate(timeout=LIMIT_S)


def test_a_machine_pairs_renders_over_a_restart_and_is_revoked(wire, tmp_path: Path) -> None:
    there, here = (Machine(space, tmp_path / space) for space in wire)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(24000) / 48000)
    soundfile.write(tmp_path / "tone.wav", tone, 48000, subtype="FLOAT")
    server = there.start("serve", "--lan", "--debug-jobs")
    try:
        code = code_of(server)
        paired = here.run("pair", SERVER, code, "--name", "laptop")
        assert paired.returncode == 0, paired.stderr
        assert SERVER in here.run("pair").stdout
        assert "may render here: laptop" in there.run("pair").stdout

        rendered = here.run("debug", tmp_path / "tone.wav", "-o", tmp_path / "out")
        assert rendered.returncode == 0, rendered.stderr
        back, rate = soundfile.read(rendered.stdout.strip())
        assert rate == 48000 and np.abs(back - tone).max() < 1e-6
        assert "stopped on its own machine" in here.run("stop").stderr
        end(server)
        server = there.start("serve", "--lan", "--debug-jobs")  # another code; the keys and the port are the same
        assert code_of(server) != code
        assert here.run("debug", tmp_path / "tone.wav", "-o", tmp_path / "out").returncode == 0
        assert "laptop" in there.run("pair", "--revoke", "laptop").stdout
        refused = here.run("jobs")
        assert refused.returncode == 1 and SERVER in refused.stderr, refused.stderr
        assert here.run("pair", "--forget").returncode == 0
        assert "this machine" in here.run("pair").stdout
    finally:
        end(server)
