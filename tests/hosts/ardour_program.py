# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour itself, on a screen that nobody sees and without a sound card; sessions are made and read by its own tools."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.adapters import ardour_scripts
from bridge.adapters.ardour import install
from bridge.packets import encode
from tests.hosts.display import Display, until

RATE = 48000
OSC_PORT = 3819
_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config>
    <Option name="hide-dummy-backend" value="0"/>
    <Option name="try-autostart-engine" value="1"/>
  </Config>
  <Extra><AudioMIDISetup><EngineStates>
    <State backend="None (Dummy)" driver="" device="Silence" input-device="" output-device="" sample-rate="48000"
      buffer-size="1024" n-periods="0" input-latency="0" output-latency="0" lm-input="" lm-output="" active="1"
      use-buffered-io="0" midi-option="1 in, 1 out, Silence" lru="1"/>
  </EngineStates></AudioMIDISetup></Extra>
</Ardour>
"""
_OSC = '<Protocol name="Open Sound Control (OSC)" active="1" address-only="1" remote-port="8000"/>'
# A person's own script: runs the Lua file that lies beside it, and writes down what that returns.
_OWN = """
ardour { ["type"] = "EditorAction", name = "Mine" }
function factory () return function ()
  local done, value = pcall (assert (loadfile ("FOLDER/mine.lua")))
  local file = io.open ("FOLDER/mine.part", "w")
  file:write (tostring (value)) file:close ()
  os.rename ("FOLDER/mine.part", "FOLDER/mine.out")
end end
"""


class Ardour:
    """One installation of Ardour with Athanor's scripts in it, and a person's own.

    Args:
        require: gives a program's path, or skips.
        folder: everything of it lies there.
        home: Athanor's data folder.
    """

    def __init__(self, require: Callable[[str], Path], folder: Path, home: Path) -> None:
        self._program, self._lua = require("ardour"), require("ardour7-lua")
        self._export, self._folder = require("ardour7-export"), folder
        self.display = Display(require("Xvfb"))
        self.config = folder / "config" / "ardour7"
        self.config.mkdir(parents=True)
        (self.config / ".a7").touch()
        (self.config / "config").write_text(_CONFIG)
        self._environment = os.environ | {
            "DISPLAY": self.display.name, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache"), "ATHANOR_HOME": str(home)}
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """Athanor's scripts, beside one that the person has registered before."""
        own = ardour_scripts.with_scripts("", {"Mine": _OWN.replace("FOLDER", str(self._folder))}, {})
        (self.config / "ui_scripts").write_text(own)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ATHANOR_HOME", self._environment["ATHANOR_HOME"])
            install(self.config)
        self._actions = {name.removeprefix(ardour_scripts.OURS): number for name, number
                         in ardour_scripts.action_numbers((self.config / "ui_scripts").read_text()).items()} | {"Mine": 1}

    def new_session(self, name: str) -> Path:
        """An empty session that listens to OSC; its folder."""
        session = self._folder / name
        self.lua(f'local s = create_session ("{session}", "{name}", {RATE}) s:save_state ("")')
        file = session / f"{name}.ardour"
        text = file.read_text()
        assert "Open Sound Control" in text
        file.write_text(re.sub(r'<Protocol name="Open Sound Control \(OSC\)"[^>]*?/>', _OSC, text))
        return session

    def start(self, session: Path) -> None:
        """Open a session, and wait until Ardour listens."""
        with open(self._folder / "ardour.txt", "ab") as log:
            self._process = subprocess.Popen([str(self._program), "-a", "-n", str(session / f"{session.name}.ardour")],
                                             env=self._environment, stdout=log, stderr=log, start_new_session=True)
        self.session = session
        until(lambda: self.do("return Session:name ()", 0.5) == session.name, "Ardour to open the session")

    def close(self) -> None:
        """Kill Ardour, as a crash would; what was not saved is gone."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.close()
        self.display.stop()

    def action(self, name: str) -> None:
        """Do one of the registered actions, or one of Ardour's own (`Group/name`)."""
        path = name if "/" in name else f"LuaAction/script-{self._actions[name]}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(encode("/access_action", path), ("127.0.0.1", OSC_PORT))

    def do(self, code: str, limit_s: float = 20.0) -> str:
        """What a piece of Lua returns, run by the person's own script inside Ardour; "" if it did not run in time."""
        out = self._folder / "mine.out"
        out.unlink(missing_ok=True)
        (self._folder / "mine.lua").write_text(code)
        self.action("Mine")
        try:
            until(out.exists, "", limit_s)
        except BaseException as error:
            if limit_s < 1:
                return ""
            raise AssertionError(f"Ardour did not run: {code}") from error
        return out.read_text()

    def lua(self, code: str) -> str:
        """What a piece of Lua says in Ardour's interpreter without a window."""
        file = self._folder / "batch.lua"
        file.write_text(code)
        done = subprocess.run([str(self._lua), str(file)], env=self._environment, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def export(self, session: Path) -> np.ndarray:
        """The session's mix from its first region on, [samples, channels]."""
        out = self._folder / "mix.wav"
        words = [str(self._export), "-b", "float", "-o", str(out), str(session), session.name]
        for _ in range(3):  # Ardour 7.3's exporter dies now and then, of its own memory, before it has written anything
            done = subprocess.run(words, env=self._environment, capture_output=True, text=True, timeout=60)
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stdout + done.stderr
        return soundfile.read(out, dtype="float32", always_2d=True)[0]

    def log(self) -> str:
        """What Athanor has written down in the session."""
        path = self.session / "athanor.log"
        return path.read_text() if path.exists() else ""


def regions_of(said: str) -> dict[str, list[dict[str, Any]]]:
    """Track -> regions, of what LISTING gave."""
    return json.loads(said[said.index("{"):said.rindex("}") + 1])


# Lua: every track's regions as JSON, for Ardour itself (S is Session) and for its interpreter (S is the loaded session).
LISTING = """
local tracks = {}
for route in S:get_tracks ():iter () do
  local regions = {}
  for r in route:to_track ():playlist ():region_list ():iter () do
    local a = r:to_audioregion ()
    regions[#regions + 1] = ('{"name": %q, "start": %d, "length": %d, "channels": %d}'):format (
      r:name (), r:position ():samples (), r:length ():samples (), a:n_channels ())
  end
  tracks[#tracks + 1] = ('%q: [%s]'):format (route:name (), table.concat (regions, ", "))
end
"""
