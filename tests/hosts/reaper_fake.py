# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs our REAPER scripts under lua5.4 on the fake of REAPER's interface that lies in `reaper/`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.host_files import find_host, install

HERE = Path(__file__).with_name("reaper")
_LIMIT_S = 90


class FakeReaper:
    """A REAPER that is none: each `run` begins a project anew, and keeps what REAPER keeps between two scripts.

    Args:
        lua: the interpreter.
        root: import root that the scripts find by ATHANOR_ROOT.
        work: folder for the scripts, as they are installed, for scenarios and what came of them.
    """

    def __init__(self, lua: Path, root: Path, work: Path) -> None:
        self._lua, self.root, self._work = lua, root, work
        self.kept: dict[str, str] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ATHANOR_HOME", str(work / "home"))
            install(find_host("reaper"), work / "REAPER")
        self._scripts = work / "REAPER" / "Scripts" / "Athanor"

    @property
    def spool(self) -> Path:
        return self.root / "spool" / "reaper"

    def run(self, script: Path | str, **scenario: Any) -> dict[str, Any]:
        """The project and everything shown, after a script has ended. A script's error is this call's."""
        path, out = self._work / "scenario.lua", self._work / "out.json"
        path.write_text(f"return {_lua({'ext': self.kept, 'tracks': [], **scenario})}", encoding="utf-8")
        ended = subprocess.run([self._lua, HERE / "fake_reaper.lua", self._scripts / script, path, out],
                               env=os.environ | {"ATHANOR_ROOT": str(self.root), "SCRIPTS": str(self._scripts)},
                               capture_output=True, text=True, timeout=_LIMIT_S)
        assert ended.returncode == 0, ended.stderr
        seen = json.loads(out.read_text(encoding="utf-8"))
        self.kept = dict(seen["ext"] or {})
        assert (seen["open_undo"], seen["refresh"], seen["accessors"]) == (0, 0, 0), "something was left open"
        return seen

    def say(self, address: str, *values: object) -> None:
        """A message from the bridge, as a file in the spool folder."""
        folder = self.spool / "out"
        folder.mkdir(parents=True, exist_ok=True)
        fields = (f"/athanor/v1{address}", *map(str, values))
        text = "\t".join(field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for field in fields)
        (folder / f"{len(list(folder.iterdir())):06d}.msg").write_text(text, encoding="utf-8")

    def said(self) -> list[list[str]]:
        """What the scripts have written for the bridge, in order."""
        return [path.read_text(encoding="utf-8").split("\t") for path in sorted((self.spool / "in").glob("*.msg"))]


def _lua(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"[{_lua(key)}]={_lua(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(_lua, value)) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=False)
