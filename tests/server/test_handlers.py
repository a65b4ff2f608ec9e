# SPDX-License-Identifier: GPL-3.0-or-later
"""What the front end does about models before and after it asks the worker."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from server.errors import InvalidOption, OutOfMemory, StorageError
from server.executors.base import ExecutorState, LoadedModel
from server.handlers import Handlers
from server.models.catalogue import EMBEDDED_FOLDER
from server.pins import Pins
from server.protocol import OneModel, Plain, Request


class Worker:
    """Notes what it is asked about models, and fails as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.loaded: tuple[LoadedModel, ...] = ()
        self.error: Exception | None = None

    def state(self) -> ExecutorState:
        return ExecutorState("ready", resident=self.loaded)

    async def model(self, action: str, name: str) -> None:
        self.asked.append((action, name))
        if self.error:
            raise self.error


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def ask(worker, tmp_path: Path):
    """`ask(type, name)`: the answer to a request about models."""
    settings = SimpleNamespace(home=tmp_path, paths=SimpleNamespace(pins=tmp_path / "pins.json"))
    handlers = Handlers(settings, None, None, None, worker, None, None, None, None, "test", None)

    async def asked(type: str, name: str = "") -> dict:
        message = OneModel(name=name) if name else Plain()
        return (await handlers.handle(Request(b"", type, message, b"")))[0]

    return asked


async def test_a_misspelt_model_is_not_let_go_silently(ask, worker) -> None:
    for action in ("load", "pin", "unload", "unpin"):
        with pytest.raises(InvalidOption, match="Did you mean 'embedded'"):
            await ask(f"models.{action}", "embeded")
    assert worker.asked == []


async def test_a_model_is_pinned_by_the_name_in_the_list(ask, worker, tmp_path) -> None:
    assert await ask("models.pin", str(EMBEDDED_FOLDER)) == {"done": True}
    assert await ask("models.pin", "cvssp/audioldm2") == {"done": True}
    assert worker.asked == [("pin", "embedded"), ("pin", "audioldm2")]
    assert Pins(tmp_path / "pins.json").names() == ["embedded", "audioldm2"]


async def test_what_has_no_room_is_not_pinned(ask, worker, tmp_path) -> None:
    worker.error = OutOfMemory("too large")
    with pytest.raises(OutOfMemory):
        await ask("models.pin", "audioldm2")
    assert Pins(tmp_path / "pins.json").names() == []


async def test_a_pin_that_cannot_be_written_is_said(ask, worker, tmp_path) -> None:
    (tmp_path / "pins.new").mkdir()  # where it would be written first
    with pytest.raises(StorageError, match="could not be written down .*room in"):
        await ask("models.pin", "embedded")
    assert worker.asked == []


async def test_a_loaded_model_whose_folder_is_gone_is_listed_and_can_be_let_go(ask, worker, tmp_path) -> None:
    gone = str(tmp_path / "gone")
    worker.loaded = (LoadedModel(gone, "cpu", 10, False),)
    Pins(tmp_path / "pins.json").keep("renamed", True)
    rows = {row["name"]: row for row in (await ask("models"))["backbones"]}
    assert rows[gone]["resident"] and rows[gone]["bytes"] == 10 and rows[gone]["revision"] is None
    assert rows["renamed"]["pinned"] and not rows["renamed"]["resident"]
    assert await ask("models.unload", gone) == await ask("models.unpin", "renamed") == {"done": True}
