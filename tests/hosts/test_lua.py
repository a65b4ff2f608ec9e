# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lua that hosts share, under Lua itself; and that all Lua compiles."""

import json
import subprocess

import numpy as np
import pytest
import soundfile

from bridge.adapters import ardour
from bridge.host_files import HOSTS
from bridge.packets import Message
from bridge.spool_lines import message_text, read_message

pytestmark = pytest.mark.hosts
LUA = {path.relative_to(HOSTS).as_posix(): path.read_text(encoding="utf-8") for path in HOSTS.rglob("*.lua")}
MADE = {f"ardour/{name}": text for name, text in ardour.files().items() if name.startswith("scripts/")}


@pytest.fixture
def lua(require_host, tmp_path):
    """Runs a piece of Lua that finds the shared parts; what it prints, without the line's end."""
    def run(code, *arguments):
        path = tmp_path / "piece.lua"
        path.write_text(f'package.path = "{HOSTS}/lua/?.lua"\n{code}', encoding="utf-8")
        return subprocess.run([str(require_host("lua5.4")), str(path), *map(str, arguments)], check=True,
                              capture_output=True).stdout.decode().removesuffix("\n")
    return run


@pytest.mark.parametrize("name", sorted(LUA | MADE))
def test_every_script_compiles_and_is_free_to_copy(require_host, name):
    text = (LUA | MADE)[name]
    subprocess.run([str(require_host("luac5.4")), "-p", "-"], input=text.encode(), check=True)
    assert text.lstrip().startswith("-- SPDX-License-Identifier: MIT\n")


VALUE = """
local json, text = require "json", io.open (arg[1], "rb"):read ("a")
local function shown (value)
  if type (value) ~= "table" then return type (value) .. ":" .. tostring (value) end
  local parts = {}
  for key, entry in pairs (value) do parts[#parts + 1] = tostring (key) .. "=" .. shown (entry) end
  table.sort (parts)
  return "{" .. table.concat (parts, " ") .. "}"
end
io.write (shown (json.decode (text)))
"""


@pytest.mark.parametrize(("text", "meant"), [
    (json.dumps({"a": [1, None, -2.5e-3], "b": {}, "c": [], "é": True}),
     "{a={1=number:1 3=number:-0.0025} b={} c={} é=boolean:true}"),
    (json.dumps(["\U0001d11e ü\"\\/\t\n"]), "{1=string:\U0001d11e ü\"\\/\t\n}"),
    ("[9007199254740993]", "{1=number:9007199254740993}"),
    *((text, "nil:nil") for text in ("", "{", '{"a" 1}', "[1 2]", '["a', r'["\x"]', "[nought]", "{1: 2}")),
])
def test_json_is_read_as_python_writes_it_and_what_is_none_is_nothing(lua, tmp_path, text, meant):
    (tmp_path / "given.json").write_text(text, encoding="utf-8")
    assert lua(VALUE, tmp_path / "given.json") == meant


def test_a_message_is_a_line_as_the_bridge_writes_it(lua):
    message = Message("/athanor/v1/x", ("a\tb\\tc\nd\re", "", "ü"))
    code = 'local lines = require "lines"\nio.write (lines.encode (lines.decode (arg[1])))'
    line = message_text(message)
    assert lua(code, line) + "\n" == line
    assert read_message(lua(code, line).encode()) == message


SOUND = """
local wav = require "wav"
local path, frames, fail = arg[1], tonumber (arg[2]), arg[3] == "fail"
print (wav.write (path, 44100, 2, frames, function (first, count)
  if fail then error ("no sound", 0) end
  local samples = {}
  for i = 0, count - 1 do samples[2 * i + 1], samples[2 * i + 2] = (first + i) / 65536, -(first + i) / 65536 end
  return samples
end))
"""


def test_a_sound_file_holds_every_sample_or_is_not_there(lua, tmp_path):
    path = tmp_path / "out.wav"
    assert lua(SOUND, path, 2 * 8192 + 77) == "true"
    samples, rate = soundfile.read(path, dtype="float32")
    ramp = np.arange(2 * 8192 + 77, dtype=np.float32) / 65536
    assert rate == 44100 and soundfile.info(path).subtype == "FLOAT"
    assert np.array_equal(samples, np.stack([ramp, -ramp], axis=1))
    before = path.read_bytes()
    assert lua(SOUND, path, 5, "fail") == "nil\tno sound"
    assert "too long for a WAV file" in lua(SOUND, path, 2**29)
    assert path.read_bytes() == before
    assert "No such file" in lua(SOUND, tmp_path / "nowhere" / "out.wav", 5)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.wav", "piece.lua"]


def test_the_bridge_is_found_where_it_has_written_itself_down(lua, tmp_path, monkeypatch):
    code = 'local said, why = require ("connection").read (arg[1])\nio.write (said and said.root or why)'
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    told = lua(code)
    assert f"{tmp_path}/home/bridge/connection.json" in told and "athanor up" in told
    for name in ("home", "other"):
        (tmp_path / name / "bridge").mkdir(parents=True)
        (tmp_path / name / "bridge" / "connection.json").write_text(json.dumps({"root": f"of {name}"}))
    assert (lua(code), lua(code, tmp_path / "other")) == ("of home", "of other")
    monkeypatch.delenv("ATHANOR_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert f"{tmp_path}/data/athanor/bridge/connection.json" in lua(code)
