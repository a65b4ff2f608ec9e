# SPDX-License-Identifier: GPL-3.0-or-later
"""Again, history and putting back, as messages to a bridge with a real server."""

import json
from pathlib import Path

import numpy as np
import pytest

from bridge.journal import Journal
from bridge.placement import Placement
from bridge.routes import PREFIX
from bridge.session import Session
from bridge.transports import Transports
from server.audio import read_clip
from server.client import AsyncClient


@pytest.fixture
async def bridge(server, root, tmp_path):
    """A bridge in this process that renders."""
    async def connect() -> AsyncClient:
        return await AsyncClient.connect(server.home)

    journal = Journal(tmp_path / "journal.db")
    bridge = Transports(root, tmp_path / "home", http_port=0)
    await bridge.start(journal, lambda on_progress: Session(journal, connect, tmp_path / "work", on_progress))
    yield bridge
    await bridge.close()
    journal.close()


@pytest.fixture
async def live(bridge, client_of):
    """A client that has rendered nothing yet."""
    return client_of(bridge.port)


async def rendered(client, request: str, *values) -> tuple:
    """The `done` of a debug render, acknowledged."""
    assert (await client.ask("render/debug", request, *values, "@steps", 1)).address == f"{PREFIX}/ok"
    done = (await client.wait("done", request)).values
    await client.ask("job/ack", f"ack-{request}", request)
    return done


async def test_a_result_comes_back_as_it_was_and_with_another_seed_as_another(live, root):
    first = await rendered(live, "r1", "@seed", 7, "@start", "480000", "@track", "Vox")
    assert (await live.ask("again", "a1", first[5])).address == f"{PREFIX}/ok"
    second = (await live.wait("done", "a1")).values
    assert (await live.ask("again", "a2", first[1][:12], "@seed", 8)).address == f"{PREFIX}/ok"
    third = (await live.wait("done", "a2")).values
    sounds = [read_clip(root / done[5]).samples for done in (first, second, third)]
    assert np.array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])
    assert second[7:] == first[7:]
    assert len({first[5], second[5], third[5]}) == 3


async def test_the_same_request_again_is_one_job(live):
    first = await rendered(live, "r1", "@seed", 7)
    answers = [await live.ask("again", "a1", first[6]) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await live.ask("again", "a1", first[6], "@seed", 9)).values[2] == "conflict"


async def test_what_is_no_result_is_refused(live):
    for name, code in (("original.wav", "invalid_input"), ("../x.json", "invalid_input"), ("f" * 32, "unknown_job"),
                       ("results/gone.wav", "invalid_input")):
        assert (await live.ask("again", "a1", name)).values[2] == code, name
        assert (await live.ask("history/place", "p1", name)).values[2] == code, name


async def test_history_finds_what_was_made_and_where_it_was_put(live):
    await rendered(live, "r1", "@track", "Vox", "@seed", 1)
    await rendered(live, "r2", "original.wav", "@track", "Drums")
    await live.ask("job/placed", "p", "r2", "@where", "bar 17")
    assert (await live.ask("history", "h1")).values[2] == 2
    assert (await live.ask("history", "h2", "@find", "drums", "bar")).values[2] == 1
    line = (await live.wait("history/entry", "h2")).values
    assert line[1:3] == (1, 1)
    assert (line[4], line[5], line[8], line[9]) == ("debug", "echo", "Drums: echo", "bar 17")
    assert (await live.ask("history", "h3", "@find", "cello")).values[2] == 0
    assert "1 to 200" in (await live.ask("history", "h4", "@limit", 0)).values[3]


async def test_a_result_of_another_host_is_announced_to_the_one_that_asks_for_it(bridge, live, client_of):
    done = await rendered(live, "r1", "@start", 5)
    ardour = client_of(bridge.port)
    await ardour.ask("hello", "ardour", ardour.port)
    job = (await ardour.ask("history/place", "p1", done[5])).values[2]
    told = (await ardour.wait("done", "p1")).values
    assert told[1] == job != done[1]
    assert told[2:] == done[2:]
    assert (await ardour.ask("job/placed", "p2", "p1")).values[2] == job
    assert (await ardour.ask("history", "h")).values[2] == 1


async def test_a_preset_of_regions_goes_the_whole_way(live, root, write_tone):
    """A trimmed, sped-up 44.1 kHz region in a 48 kHz session: exactly as long as it sounds, exactly where it lay."""
    write_tone(root / "vox.wav", sample_rate=44100, channels=2, seconds=2.0)
    await live.ask("clip/add", "c1", "vox.wav", "@offset", 11025, "@length", 44100, "@playback_rate", "1.25",
                   "@start", "480007", "@start_rate", 48000, "@track", "Vox 1")
    done = await rendered(live, "r1", "@tempo", 120, "@key", "A minor", "@meter", "3/4", "@lane", "take_lane")
    record = Placement.model_validate(json.loads((root / done[6]).read_text()))
    assert (record.sample_rate, record.length_samples, record.channels) == (44100, 35280, 2)
    assert (record.start_samples, record.start_rate) == (480007, 48000)
    assert record.time_reference_samples == round(480007 * 44100 / 48000)
    assert (record.tempo_bpm, record.meter, record.key, record.lane) == (120.0, "3/4", "A minor", "take_lane")
    assert record.start_beats == pytest.approx(480007 / 48000 * 2, abs=1e-9)
    assert (record.track, record.name) == ("Vox 1", "Vox 1: echo")
    (source,) = record.sources
    assert (source.offset_samples, source.used_samples, source.playback_rate) == (11025, 44100, 1.25)
    assert source.length_samples == 88200
    assert Path(source.path) == root / "vox.wav"
    heard, tone = read_clip(root / done[5]), read_clip(root / "vox.wav")
    middle = tone.samples[0, 11025 + 10000]  # sample 8000 of the result, at 1.25 times the speed
    assert heard.samples[0, 8000] == pytest.approx(middle, abs=1e-4)
