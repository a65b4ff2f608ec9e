# SPDX-License-Identifier: GPL-3.0-or-later
"""Selections and presets as messages, on a bridge whose server is away: what is refused, and what is remembered."""

from bridge.journal import Journal
from bridge.routes import PREFIX
from bridge.session import Session
from bridge.transports import Transports


def is_ok(message) -> bool:
    return message.address == f"{PREFIX}/ok"


async def test_a_region_is_selected_listed_and_cleared(client):
    added = await client.ask("clip/add", "c1", "original.wav", "@offset", 1200, "@length", "4800", "@playback_rate", 2.0,
                             "@track", "Vox", "1", "@start", "480000")
    assert added.values[2:] == (1, 2400, 48000, 2)
    assert (await client.ask("clip/add", "c2", "reference.wav", "@role", "reference")).values[2:] == (2, 22050, 44100, 1)
    assert (await client.ask("clip/list", "l")).values[2] == 2
    await client.wait("clip/entry", "l", count=2)
    lines = [message.values for message in client.received if message.address == f"{PREFIX}/clip/entry"]
    assert lines == [("l", 1, 2, "", "Vox 1", "1200", 2400, 48000, 2, "original.wav"),
                     ("l", 2, 2, "reference", "", "0", 22050, 44100, 1, "reference.wav")]
    assert (await client.ask("clip/clear", "x")).values[2] == 0
    assert (await client.ask("clip/list", "l2")).values[2] == 0


async def test_a_clip_that_is_added_again_by_the_same_request_is_there_once(client):
    first = await client.ask("clip/add", "c1", "original.wav")
    assert await client.ask("clip/add", "c1", "original.wav") == first
    conflict = await client.ask("clip/add", "c1", "reference.wav")
    assert conflict.values[2] == "conflict"
    assert (await client.ask("clip/list", "l")).values[2] == 1


async def test_a_clip_that_cannot_be_used_is_refused_and_the_selection_stays(client):
    for values, reason in ((("gone.wav",), "no 'gone.wav'"), (("/etc/passwd",), "athanor folders allow"),
                           (("original.wav", "@offset", 24000), "24000 samples"),
                           (("original.wav", "@right", "../x.wav"), "leads out"),
                           (("original.wav", "@ofset", 3), "did you mean 'offset'")):
        answer = await client.ask("clip/add", "bad", *values)
        assert answer.address == f"{PREFIX}/error", values
        assert reason in answer.values[3]
    assert (await client.ask("clip/list", "l")).values[2] == 0


async def test_as_many_as_there_may_be(client):
    for number in range(64):
        assert is_ok(await client.ask("clip/add", f"c{number}", "original.wav"))
    assert (await client.ask("clip/add", "more", "original.wav")).values[2] == "selection_full"
    refused = await client.ask("render/fuse", "r1")
    assert "64 clips are selected; fuse takes 2" in refused.values[3]


async def test_each_client_has_its_own_selection(lonely_bridge, client):
    other = type(client)(lonely_bridge.port)
    await client.ask("clip/add", "c1", "original.wav")
    assert (await other.ask("clip/list", "l")).values[2] == 0
    refused = await other.ask("render/vary", "r1")
    assert "needs the input 'clip'" in refused.values[3]
    assert is_ok(await client.ask("render/vary", "r1"))
    other.close()


async def test_a_selection_outlives_the_bridge(lonely_bridge, client, root, tmp_path):
    await client.ask("hello", "live", client.port)
    await client.ask("clip/add", "c1", "original.wav", "@track", "Vox")
    await lonely_bridge.close()

    async def no_server():
        raise AssertionError("nothing is rendered here")

    journal = Journal(tmp_path / "journal.db")
    again = Transports(root, tmp_path / "home", http_port=0)
    await again.start(journal, lambda on_progress: Session(journal, no_server, tmp_path / "work", on_progress))
    reopened = type(client)(again.port)
    await reopened.ask("hello", "live")
    assert (await reopened.ask("clip/list", "l")).values[2] == 1
    assert (await reopened.wait("clip/entry", "l")).values[4] == "Vox"
    reopened.close()
    await again.close()
    journal.close()


async def test_a_preset_takes_the_selection_and_options_of_its_kind(client):
    await client.ask("clip/add", "c1", "original.wav")
    started = await client.ask("preset", "r1", "vary_broad", "@seed", 5, "@lane", "take_lane")
    assert is_ok(started)
    assert (await client.ask("preset", "r1", "vary_broad", "@seed", 5, "@lane", "take_lane")) == started
    status = await client.ask("job/status", "s1", "r1")
    assert status.values[4] == "vary"


async def test_a_preset_that_does_not_fit_is_refused(client):
    for values, reason in ((("vary_brod",), "did you mean 'vary_broad'"), (("space",), "is a chain"),
                           (("../x.toml",), "not a path"), (("vary_broad",), "needs the input 'clip'"),
                           (("generate_texture", "@stem", "cello"), "generate has no option 'stem'"),
                           (("generate_texture", "@sed", 3), "did you mean 'seed'")):
        answer = await client.ask("preset", "bad", *values)
        assert answer.address == f"{PREFIX}/error"
        assert reason in answer.values[3], values


async def test_presets_are_listed(client):
    count = (await client.ask("preset/list", "p")).values[2]
    last = (await client.wait("preset/entry", "p", count=count)).values
    assert last[1:3] == (count, count)
    kinds = {m.values[3]: m.values[4] for m in client.received if m.address == f"{PREFIX}/preset/entry"}
    assert (kinds["vary_broad"], kinds["space"]) == ("vary", "chain")


async def test_musical_options_are_checked_before_a_job_exists(client):
    for values, reason in ((("@bars", 4), "needs @tempo"), (("@bars", 4, "@tempo", 120, "@seconds", 3), "one of them"),
                           (("@meter", "4/3"), "4/4 or 6/8"), (("@lane", "over"), "there is: new_track")):
        assert reason in (await client.ask("render/generate", "bad", *values)).values[3]
    bars = await client.ask("render/vary", "bad", "original.wav", "@bars", 4, "@tempo", 120)
    assert "as long as its clip" in bars.values[3]


async def test_where_a_result_was_put_is_kept(client, tmp_path):
    job = (await client.ask("render/generate", "r1", "@seconds", 1)).values[2]
    await client.wait("failed", "r1")
    assert (await client.ask("job/placed", "p1", "r1", "@where", "track 3,", "bar 17")).values[2] == job
    journal = Journal(tmp_path / "journal.db")
    assert journal.whereabouts(job) == "track 3, bar 17"
    assert journal.entry(job).acknowledged
    journal.close()
