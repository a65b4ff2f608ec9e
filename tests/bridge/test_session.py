# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a request, against a real server, with the debug kind in place of a model."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bridge.journal import Entry, Journal, Stage
from bridge.placement import Placement
from bridge.request import RenderRequest
from bridge.session import Session
from plugin_host import parse_chain
from server.audio import read_bext, read_clip
from server.client import AsyncClient
from server.errors import ServerUnreachable
from server.protocol import JobRequest

HALF = parse_chain("half", [{"builtin": "Gain", "parameters": {"gain_db": -6.0205999}}])
ALL = ["pre", "submitted", "rendered", "post", "placed"]


class House:
    """A journal and a session on a server, and what was told of progress."""

    def __init__(self, server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.journal = Journal(folder / "journal.db")
        self.told: list[str] = []
        self.moved = asyncio.Event()
        self.session = self.new_session()

    def new_session(self) -> Session:
        async def connect() -> AsyncClient:
            return await AsyncClient.connect(self.server.home)

        return Session(self.journal, connect, self.folder / "work", self._on_progress)

    def _on_progress(self, entry: Entry, progress) -> None:
        self.told.append(progress.phase)
        self.moved.set()

    def accept(self, root: Path | None = None, request_id: str = "r1", **more) -> str:
        clip = {"inputs": {"clip": root / "original.wav"}, "names": {"clip": "original.wav"}} if root else {}
        asked = RenderRequest(client="pd", request_id=request_id, origin="osc:pd", kind="debug", out=self.folder / "out",
                              **(clip | more))
        return self.journal.accept(asked)[0].job_id

    async def until_phase(self, phase: str) -> None:
        async with asyncio.timeout(30):
            while phase not in self.told:
                self.moved.clear()
                await self.moved.wait()

    async def jobs_on_server(self, job_id: str) -> int:
        async with await AsyncClient.connect(self.server.home) as client:
            return (await client.status(job_id)).attempt


@pytest.fixture
async def house(server, tmp_path):
    house = House(server, tmp_path)
    yield house
    await house.session.close()
    house.journal.close()


async def test_a_clip_goes_the_whole_way_and_comes_back_in_place(house, root):
    job_id = house.accept(root, start_samples=480000, pre=HALF, post=HALF)
    entry = await house.session.run(job_id)
    assert entry.error is None
    assert house.journal.story(job_id) == ALL
    (placed,) = entry.placed
    original, result = read_clip(root / "original.wav"), read_clip(placed["file"])
    assert result.sample_rate == original.sample_rate
    assert np.allclose(result.samples, 0.25 * original.samples, atol=1e-6)
    assert read_bext(placed["file"]).time_reference_samples == 480000
    record = Placement.model_validate_json(Path(placed["record"]).read_text())
    assert (record.start_samples, record.start_source, record.job_id) == (480000, "requested", job_id)
    assert {"reading", "sampling", "fetching", "plugins"} <= set(house.told)
    assert not (house.folder / "work" / job_id).exists()


async def test_without_plugins_samples_come_back_as_they_went(house, root):
    entry = await house.session.run(house.accept(root))
    assert np.array_equal(read_clip(entry.placed[0]["file"]).samples, read_clip(root / "original.wav").samples)


async def test_only_sounds_are_fetched(house):
    entry = await house.session.run(house.accept(options={"result_mb": 1.0}))
    assert len(entry.results) == 2
    assert [placed["placement"]["role"] for placed in entry.placed] == ["echo"]


async def test_a_job_that_fails_says_why_and_leaves_the_others_alone(house):
    wrong, right = house.accept(options={"misbehave": "fail"}), house.accept(request_id="r2")
    failed, fine = await asyncio.gather(house.session.run(wrong), house.session.run(right))
    assert failed.stage is Stage.FAILED
    assert "failing as asked" in failed.error["message"]
    assert fine.stage is Stage.PLACED


async def test_a_clip_that_went_away_fails_by_its_name(house, root):
    job_id = house.accept(root)
    (root / "original.wav").unlink()
    entry = await house.session.run(job_id)
    assert entry.error["code"] == "invalid_input"
    assert entry.error["message"].startswith("original.wav does not exist")


async def test_a_plugin_that_can_not_run_fails_that_request(house, root):
    missing = HALF.model_copy(update={"links": (HALF.links[0].model_copy(update={"builtin": None, "vst3": "/no/X.vst3"}),)})
    entry = await house.session.run(house.accept(root, post=missing))
    assert entry.stage is Stage.FAILED
    assert "X.vst3" in entry.error["message"]
    assert house.journal.story(entry.job_id) == ["pre", "submitted", "rendered", "failed"]


async def test_a_full_disk_or_no_folder_fails_that_request(house, root):
    (house.folder / "out").write_text("no folder")
    entry = await house.session.run(house.accept(root))
    assert entry.error["code"] == "storage_full"
    assert "out" in entry.error["message"]


async def test_a_running_job_is_cancelled_and_ends_as_cancelled(house):
    job_id = house.accept(options={"steps": 10000, "step_s": 0.01})
    running = asyncio.create_task(house.session.run(job_id))
    await house.until_phase("sampling")
    await house.session.cancel(job_id)
    async with asyncio.timeout(30):
        entry = await running
    assert entry.stage is Stage.CANCELLED
    assert house.journal.entry(job_id).cancel_requested


async def test_a_cancel_before_the_submit_never_reaches_the_server(house, root):
    job_id = house.accept(root)
    await house.session.cancel(job_id)
    assert house.journal.entry(job_id).stage is Stage.CANCELLED
    entry = await house.session.run(job_id)
    assert house.journal.story(job_id) == ["pre", "cancelled"]
    assert entry.error["code"] == "cancelled"


async def test_a_journal_that_can_not_be_written_is_told_and_the_request_stays(house):
    job_id = house.accept()
    house.journal._connection.execute("CREATE TEMP TRIGGER full BEFORE UPDATE ON request BEGIN "
                                      "SELECT RAISE(FAIL, 'database or disk is full'); END")
    entry = await house.session.run(job_id)
    assert (entry.stage, entry.error["code"]) == (Stage.FAILED, "storage_full")
    assert "disk is full" in entry.error["message"]
    assert house.journal.entry(job_id).stage is Stage.PRE
    house.journal._connection.execute("DROP TRIGGER full")
    assert (await house.session.run(job_id)).stage is Stage.PLACED


async def test_cancelling_what_has_ended_changes_nothing(house):
    job_id = house.accept()
    await house.session.run(job_id)
    await house.session.cancel(job_id)
    assert house.journal.entry(job_id).stage is Stage.PLACED


async def test_a_session_that_was_stopped_is_taken_up_by_another(house):
    job_id = house.accept(options={"steps": 40, "step_s": 0.02})
    running = asyncio.create_task(house.session.run(job_id))
    await house.until_phase("sampling")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert house.journal.entry(job_id).stage is Stage.SUBMITTED
    taken_up = house.new_session()
    entry = await taken_up.run(job_id)
    await taken_up.close()
    assert entry.stage is Stage.PLACED
    assert house.journal.story(job_id) == ALL
    assert await house.jobs_on_server(job_id) == 1


async def test_a_job_that_the_server_has_forgotten_is_submitted_again(house):
    job_id = house.accept()
    house.journal.advance(job_id, Stage.SUBMITTED)
    assert (await house.session.run(job_id)).stage is Stage.PLACED
    assert house.journal.story(job_id) == ["pre", "submitted", *ALL]


async def test_a_server_that_never_comes_fails_with_the_cause(tmp_path, monkeypatch):
    async def nowhere():
        raise ServerUnreachable("no server is there.")

    monkeypatch.setattr("bridge.session._WAITS_S", (0.0, 0.0))
    journal = Journal(":memory:")
    asked = RenderRequest(client="pd", request_id="r", origin="o", kind="debug", out=tmp_path)
    entry = await Session(journal, nowhere, tmp_path, lambda entry, progress: None).run(journal.accept(asked)[0].job_id)
    assert entry.error == {"code": "server_unreachable", "message": "no server is there.", "retryable": True}
    journal.close()


async def test_while_a_job_waits_for_another_that_ones_progress_is_told(house):
    job_id, needed = house.accept(), "a" * 32
    house.journal.advance(job_id, Stage.SUBMITTED)
    async with await AsyncClient.connect(house.server.home) as client:
        await client.submit(JobRequest(job_id=needed, kind="debug", options={"steps": 30, "step_s": 0.02}))
        await client.submit(JobRequest(job_id=job_id, kind="debug", options={"steps": 0}, after=[needed]))
    assert (await house.session.run(job_id)).stage is Stage.PLACED
    assert "waiting" in house.told
    assert "sampling" in house.told
