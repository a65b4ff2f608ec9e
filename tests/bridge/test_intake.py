# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was asked to a checked request."""

from dataclasses import replace

import pytest
import soundfile

from bridge.intake import Ask, Asker, prepare
from bridge.placement import Start
from bridge.regions import Region
from server.errors import InvalidInput, InvalidOption
from server.kinds import find_kind

PRESET = """
kind = "generate"
title = "Mine"
description = "A test."
[options]
steps = 12
prompt = "rain"
[[pre]]
builtin = "Gain"
[[post]]
builtin = "Reverb"
"""


@pytest.fixture
def asker(tmp_path) -> Asker:
    return Asker("pd", "r1", "osc:pd", tmp_path / "out", "words")


def clips(root):
    return {"original": root / "original.wav", "reference": root / "reference.wav"}


def test_a_request_is_complete(root, asker):
    request = prepare(Ask("fuse", clips(root), {"original": "original.wav"}, {"snr_db": -9.0}, chain="space"), asker)
    assert request.names == {"original": "original.wav", "reference": "reference.wav"}
    assert request.options == {"snr_db": [-9.0]}
    assert request.post.title == "Space"
    assert request.pre is None
    assert (request.client, request.request_id, request.asked) == ("pd", "r1", "words")


def test_a_preset_gives_options_and_plugins_where_nothing_else_was_said(tmp_path, asker):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.toml").write_text(PRESET)
    request = prepare(Ask("generate", options={"steps": 7}, preset="mine"), asker, tmp_path)
    assert request.options == {"steps": 7, "prompt": "rain"}
    assert [link.name for link in request.pre.links] == ["Gain"]
    assert [link.name for link in request.post.links] == ["Reverb"]
    request = prepare(Ask("generate", preset="mine", chain="lofi"), asker, tmp_path)
    assert request.post.title == "Lofi" or request.post.links[0].name != "Reverb"


@pytest.mark.parametrize(("fields", "start"), [
    ({}, None),
    ({"start": 7}, Start(7, 44100, "requested")),
    ({"start": "123456789012"}, Start(123456789012, 44100, "requested")),
    ({"start": 7, "start_rate": 48000.0}, Start(7, 48000, "requested")),
    ({"start_s": 0.5}, Start(22050, 44100, "requested")),
    ({"start_s": "0.1", "start_rate": 48000}, Start(4800, 48000, "requested")),
])
def test_the_start_is_kept_exactly(asker, fields, start):
    assert prepare(Ask("generate", **fields), asker).requested_start(44100) == start


@pytest.mark.parametrize(("fields", "message"), [
    ({"start": 1, "start_s": 1.0}, "one of them"),
    ({"start": -1}, "whole number"),
    ({"start_rate": 7}, "start_rate=7 is outside"),
    ({"preset": "nothing_like_it"}, "no preset"),
    ({"preset": "space"}, "kind 'chain'"),
    ({"chain": "spase"}, "did you mean 'space'"),
    ({"options": {"sted": 7}}, "has no option 'sted'"),
])
def test_what_does_not_fit_is_refused(asker, fields, message):
    with pytest.raises(InvalidOption, match=message):
        prepare(Ask("generate", **fields), asker)


def test_clips_are_looked_at_before_a_job_exists(root, asker):
    with pytest.raises(InvalidInput, match="gone.wav does not exist"):
        prepare(Ask("fuse", {**clips(root), "original": root / "gone.wav"}), asker)
    soundfile.write(root / "eight.wav", [[0.0] * 8] * 100, 48000)
    with pytest.raises(InvalidInput, match="eight.wav has 8 channels"):
        prepare(Ask("fuse", {**clips(root), "original": root / "eight.wav"}), asker)
    with pytest.raises(InvalidInput, match="takes no input 'other'"):
        prepare(Ask("fuse", {**clips(root), "other": root / "original.wav"}), asker)


def test_a_file_that_only_the_method_reads_is_only_looked_for(root, asker, monkeypatch):
    (root / "d.safetensors").write_bytes(b"12345")
    ask = Ask("vary", {"clip": root / "original.wav", "from_directions": root / "d.safetensors"})
    assert prepare(ask, asker).inputs["from_directions"] == (root / "d.safetensors").resolve()
    monkeypatch.setattr("bridge.intake.MAX_FILE_BYTES", 4)
    with pytest.raises(InvalidInput, match="d.safetensors has 5 bytes; at most 4 are allowed"):
        prepare(ask, asker)
    (root / "d.safetensors").unlink()
    with pytest.raises(InvalidInput, match="there is no such file"):
        prepare(ask, asker)


def test_bars_are_a_length_where_a_kind_has_one(asker):
    fields = {"bars": 4, "tempo": "90", "meter": "3/4", "key": "A minor", "lane": "slot", "track": "Pad"}
    request = prepare(Ask("generate", preset="generate_texture", **fields), asker)
    assert request.options["seconds"] == 8.0
    assert (request.music.tempo_bpm, request.music.meter, request.music.key) == (90.0, "3/4", "A minor")
    assert "A minor" not in request.options["prompt"]
    assert (request.lane, request.track) == ("slot", "Pad")


@pytest.mark.parametrize(("fields", "reason"), [
    ({"bars": 4}, "needs @tempo"), ({"bars": 4000, "tempo": 120}, "seconds=8000.0"),
    ({"bars": 4, "tempo": 120, "options": {"seconds": 3}}, "one of them"), ({"lane": "takes"}, "did you mean 'take_lane'"),
])
def test_a_length_that_cannot_be_is_refused(asker, fields, reason):
    with pytest.raises(InvalidOption, match=reason):
        prepare(Ask("generate", **fields), asker)


def test_of_a_long_file_a_short_region_may_be_rendered_and_not_the_other_way_round(root, asker, monkeypatch):
    clip = {"clip": root / "original.wav"}
    monkeypatch.setattr("bridge.intake.find_kind", lambda name: replace(find_kind(name), max_input_s=0.2))
    request = prepare(Ask("vary", clip, regions={"clip": Region(offset_samples=3, used_samples=9600)}), asker)
    assert request.regions["clip"].length_samples == 9600
    with pytest.raises(InvalidInput, match="at most 0.2 s"):
        prepare(Ask("vary", clip), asker)
    with pytest.raises(InvalidInput, match="0.4 s long"):
        prepare(Ask("vary", clip, regions={"clip": Region(used_samples=9600, playback_rate="0.5")}), asker)


def test_key_and_tempo_are_in_the_prompt_where_it_asks_for_them_and_nowhere_else(asker):
    asked = Ask("generate", options={"prompt": "strings in {key}, {tempo} BPM, {bells}"}, tempo="90.0", key="A minor")
    assert prepare(asked, asker).options["prompt"] == "strings in A minor, 90 BPM, {bells}"
    asked = Ask("generate", options={"prompt": "strings"}, tempo=90, key="A minor")
    assert prepare(asked, asker).options["prompt"] == "strings"
    with pytest.raises(InvalidOption, match="the prompt says {key}; give @key"):
        prepare(Ask("generate", options={"prompt": "strings in {key}"}), asker)
