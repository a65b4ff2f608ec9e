# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from server.audio import Clip, read_clip, wav_bytes
from server.client import AsyncClient, Client
from server.client_link import running_instance
from server.errors import InvalidInput, RequestRefused, ServerUnreachable, StorageError
from server.launch import ensure_server
from server.protocol import JobRequest
from server.settings import Paths

ARGUMENTS = ["--debug-jobs", "--set", "warm=false", "--set", "free_floor_bytes=0", "--set", "blob_limit_bytes=20000000"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    ensure_server(home, arguments=ARGUMENTS)
    yield home
    with Client(home) as client:
        client.shutdown()


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    with Client(home) as client:
        yield client


def debug(inputs: dict[str, str] | None = None, **options: object) -> JobRequest:
    return JobRequest(job_id=uuid.uuid4().hex, kind="debug", options=options, inputs=inputs or {}, origin="test")


def test_a_clip_goes_there_and_comes_back_to_the_bit(client: Client, tmp_path: Path) -> None:
    clip = Clip(np.random.default_rng(1).standard_normal((2, 300_000)).astype(np.float32) / 8, 48000)
    (tmp_path / "in.wav").write_bytes(wav_bytes(clip))
    digest = client.upload(tmp_path / "in.wav")
    statuses = list(client.run(debug({"clip": digest}, steps=2)))
    assert (statuses[0].state, statuses[-1].state) == ("queued", "succeeded")
    (result,) = statuses[-1].results
    assert (result.role, result.media, result.provenance["attempt"]) == ("echo", "audio/wav", 1)
    back = read_clip(client.fetch(result.digest, tmp_path / "out.wav"))
    assert back.sample_rate == 48000 and np.array_equal(back.samples, clip.samples)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.wav", "out.wav"]
    assert client.fetched(statuses[-1].job_id).results == [result]


def test_a_job_can_be_submitted_waited_for_listed_and_cancelled(client: Client) -> None:
    request = debug(steps=1, seconds=0.01)
    assert client.submit(request).job_id == request.job_id
    assert client.wait(request.job_id).state == "succeeded"
    assert client.jobs(states=["succeeded"], limit=1)[0].job_id == request.job_id
    assert client.jobs(origin="nobody") == []
    number = client.status(request.job_id).number
    assert all(job.number < number for job in client.jobs(before=number))
    assert client.cancel(request.job_id)[1] == "already_finished"
    assert list(client.watch(request.job_id))[-1].state == "succeeded"


def test_what_the_server_says_of_itself(client: Client, home: Path) -> None:
    hello, stats = client.hello(), client.stats()
    assert hello["protocol"] == [1, 0] and hello["debug"] and "fuse" in hello["kinds"] and "debug" not in hello["kinds"]
    assert stats["instance"] == hello["instance"] == running_instance(Paths(home).connection)
    assert set(stats["jobs"]) == {"queued", "running", "succeeded", "failed", "cancelled"}
    names = {model["name"]: model for model in client.models()["backbones"]}
    assert {"embedded", "stable-audio-open", "audioldm2"} <= set(names)
    assert not names["embedded"]["resident"]


@pytest.mark.parametrize("size", [0, 1, 4 * 1024 * 1024, 9_000_001])
def test_bytes_of_any_size(client: Client, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    digest = client.upload(data)
    assert digest == hashlib.sha256(data).hexdigest() == client.upload(data)
    assert client.read(digest) == data
    assert client.fetch(digest, tmp_path / "file").read_bytes() == data


def test_an_interrupted_fetch_goes_on_and_a_damaged_one_is_noticed(client: Client, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    digest = client.upload(data)
    half = tmp_path / f".file.{digest[:16]}.part"
    half.write_bytes(data[:2_000_000])
    assert client.fetch(digest, tmp_path / "file").read_bytes() == data
    half.write_bytes(b"x" * 2_000_000)
    with pytest.raises(StorageError, match="did not arrive as it was stored"):
        client.fetch(digest, tmp_path / "file")
    assert client.fetch(digest, tmp_path / "file").read_bytes() == data


def test_two_may_upload_the_same_at_once(home: Path) -> None:
    data = os.urandom(9_000_000)

    async def both() -> list[str]:
        clients = [await AsyncClient.connect(home) for _ in range(4)]
        digests = await asyncio.gather(*(one.upload(data) for one in clients))
        for one in clients:
            await one.close()
        return digests

    assert len(set(asyncio.run(both()))) == 1


def test_errors_arrive_as_what_they_are(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere.wav"):
        client.upload(tmp_path / "nowhere.wav")
    with pytest.raises(InvalidInput, match="at most 20 MB"):
        client.upload(bytes(20_000_001))
    with pytest.raises(RequestRefused) as unknown:
        client.read("0" * 64)
    assert unknown.value.code == "unknown_blob"
    with pytest.raises(StorageError, match="nowhere"):
        client.fetch(client.upload(b"x"), tmp_path / "nowhere" / "file")
    digest = client.upload(b"this is no sound file at all")
    status = client.wait(client.submit(debug({"clip": digest})).job_id)
    assert status.error is not None and status.error.code == "invalid_input" and "clip" in status.error.message


def test_the_palette_over_the_wire(client: Client, tmp_path: Path) -> None:
    card = {"prompt": "glass bells", "backbone": "embedded"}
    source = tmp_path / "bells.safetensors"
    save_file({"w": np.ones(3, np.float32)}, source, metadata={"athanor": json.dumps(card)})
    assert client.palette_import("bells", source)["card"] == card
    assert [(entry["name"], entry["card"]) for entry in client.palette_list()] == [("bells", card)]
    assert client.palette_export("bells", tmp_path / "out").read_bytes() == source.read_bytes()
    taken = {"prompt": "glass bells", "name": "bells"}
    clip = client.upload(b"a clip")
    with pytest.raises(RequestRefused, match="has 'bells' already"):
        client.submit(JobRequest(job_id=uuid.uuid4().hex, kind="learn", options=taken, inputs={"clip": clip}))
    missing = {"prompt": "glass bells", "reference": "learn", "adapter": "drums"}
    with pytest.raises(RequestRefused, match="no 'drums'; it has bells"):
        client.submit(JobRequest(job_id=uuid.uuid4().hex, kind="fuse", options=missing, inputs={"original": clip}))
    client.palette_remove("bells")
    assert client.palette_list() == []
    (tmp_path / "wrong").write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match="palette entry"):
        client.palette_import("wrong", tmp_path / "wrong")


def test_a_watch_may_be_abandoned(home: Path) -> None:
    with Client(home) as client:
        request = debug(steps=2000, step_s=0.01)
        watch = client.run(request)
        assert next(watch).state == "queued"
        client.cancel(request.job_id)
    del watch  # must neither hang nor complain


def test_without_a_server_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServerUnreachable, match="athanor serve"):
        Client(tmp_path)
