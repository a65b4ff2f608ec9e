# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a real job: client, front end, worker, pool, method, palette, with a real model at toy size."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from server.audio import Clip, read_clip, wav_bytes
from server.client import Client
from server.errors import InvalidOption, ModelUnavailable
from server.launch import ensure_server
from server.models import tiny
from server.protocol import JobRequest


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home = tmp_path_factory.mktemp("home")
    tiny.build("audioldm", home / "toy")
    (home / "models.toml").write_text('[toy]\nsource = "toy"\ndevice = "cpu"\n[gone]\nsource = "gone"\n')
    ensure_server(home, arguments=["--set", "warm=false", "--set", "free_floor_bytes=0"])
    with Client(home) as client:
        yield client
        client.shutdown()


def request(kind: str, inputs: dict[str, str] | None = None, **options: object) -> JobRequest:
    return JobRequest(job_id=uuid.uuid4().hex, kind=kind, inputs=inputs or {}, origin="test",
                      options={"backbone": "toy", **options})


def test_a_fuse_that_learns_its_reference_runs_after_its_learn_job(client: Client) -> None:
    noise = np.random.default_rng(1).standard_normal((3, 22050)).astype(np.float32) / 8
    clips = {"original": Clip(noise[:2], 22050), "reference": Clip(noise[2:], 22050)}
    inputs = {role: client.upload(wav_bytes(clip)) for role, clip in clips.items()}
    fuse = request("fuse", inputs, reference="learn", prompt="glass bells", steps=4, learn_steps=2, rank=2, seed=1)
    statuses = list(client.run(fuse))
    done = statuses[-1]
    assert done.state == "succeeded", done.error
    (learn_id,) = statuses[0].waiting_for
    learned = client.status(learn_id)
    assert (learned.kind, learned.state) == ("learn", "succeeded")
    assert (learned.finished or 0) <= (done.started or 0)
    (entry,) = client.palette_list()
    assert entry["card"]["prompt"] == "glass bells"
    fused = read_clip(client.read(done.results[0].digest))
    assert (fused.channels, fused.sample_rate, fused.n_samples) == (2, 22050, 22050)

    again = client.submit(request("fuse", inputs, reference="learn", prompt="glass bells", steps=4, learn_steps=2, rank=2))
    assert again.waiting_for == [], "the reference is in the palette already"
    assert client.wait(again.job_id).state == "succeeded"
    assert [model["name"] for model in client.models()["backbones"] if model["resident"]] == ["toy"]


def test_a_render_can_be_cancelled_and_tells_its_progress(client: Client) -> None:
    job = request("generate", prompt="rain", steps=1000, seconds=1.0)
    cancelled = False
    phases = set()
    for status in client.run(job):
        phases.add(status.phase)
        if status.phase == "sampling" and status.step >= 2 and not cancelled:
            cancelled = True
            assert status.n_steps == 1000
            assert client.cancel(job.job_id)[1] == "cancelling"
    assert status.state == "cancelled" and status.results == []
    assert "loading" in phases


def test_a_clip_that_cannot_be_used_is_explained(client: Client) -> None:
    silent = client.upload(wav_bytes(Clip(np.zeros((1, 22050), np.float32), 22050)))
    job = client.submit(request("fuse", {"original": silent, "reference": silent}, steps=4))
    status = client.wait(job.job_id)
    assert status.state == "failed" and status.error is not None
    assert status.error.code == "invalid_input" and "silent" in status.error.message


def test_models_are_loaded_unloaded_and_pinned_on_request(client: Client) -> None:
    def toy() -> dict[str, object]:
        return {model["name"]: model for model in client.models()["backbones"]}["toy"]

    client.model("unload", "toy")
    assert (toy()["resident"], toy()["bytes"], toy()["pinned"]) == (False, 0, False)
    client.model("load", "toy")
    assert toy()["resident"] and 10_000 < toy()["bytes"] < 10**7
    client.model("pin", "toy")
    assert toy()["pinned"]
    with pytest.raises(InvalidOption, match="unpin toy"):
        client.model("unload", "toy")
    client.model("unpin", "toy")
    client.model("unload", "toy")
    assert not toy()["resident"]
    with pytest.raises(InvalidOption, match="no model called 'tox'"):
        client.model("pin", "tox")
    with pytest.raises(ModelUnavailable, match="'gone' should be in .*no model_index.json"):
        client.model("pin", "gone")
    assert [model["name"] for model in client.models()["backbones"] if model["pinned"]] == []
