# SPDX-License-Identifier: GPL-3.0-or-later
"""Which selected clip becomes which input, and what a clip brings along."""

import pytest

from bridge.intake import Ask, Asker, prepare
from bridge.placement import Start
from bridge.selection import assign, selected_clip, with_selection
from bridge.stages import take_in
from server.errors import InvalidInput, InvalidOption


@pytest.fixture
def clip(root):
    """Makes a selected clip: `clip(name, **options of clip/add)`."""
    return lambda name="original.wav", **options: selected_clip(name, options, root)


def test_a_clip_knows_its_region_its_start_and_its_track(clip, root):
    chosen = clip(offset=1200, length="4800", playback_rate=2.0, start=480000.0, start_rate=48000, track="Vox 1")
    assert (chosen.path, chosen.region.length_samples) == ((root / "original.wav").resolve(), 2400)
    assert (chosen.start, chosen.track) == ({"start": "480000", "start_rate": "48000"}, "Vox 1")
    assert (chosen.sample_rate, chosen.channels) == (48000, 2)


@pytest.mark.parametrize(("options", "reason"), [
    ({"start": 1, "start_s": 1}, "one of them"), ({"start": 2.0**25}, "as a text"),
    ({"start_s": -1}, "before the timeline"), ({"role": "orignal"}, "did you mean 'original'"),
    ({"start_beats": "x"}, "not a number"),
])
def test_what_cannot_be_meant_is_refused_at_once(clip, options, reason):
    with pytest.raises(InvalidOption, match=reason):
        clip(**options)


def test_a_clip_of_more_channels_than_two_is_refused(clip, root, write_tone):
    write_tone(root / "surround.wav", channels=6)
    with pytest.raises(InvalidInput, match="6 channels; at most 2"):
        clip("surround.wav")


def test_clips_fill_the_inputs_in_their_order_unless_they_have_a_role(clip):
    first, second = clip("reference.wav"), clip("original.wav")
    assert assign("fuse", [first, second]) == {"original": first, "reference": second}
    led = clip("reference.wav", role="reference")
    assert assign("fuse", [led, second]) == {"original": second, "reference": led}
    room = clip("reference.wav", role="room")
    assert assign("restore", [second, room]) == {"clip": second, "room": room}


@pytest.mark.parametrize(("kind", "roles", "reason"), [
    ("fuse", ["", "", ""], "3 clips are selected; fuse takes 2 \\(original, reference\\)"),
    ("edit", ["", ""], "edit takes 1 \\(clip\\)"), ("fuse", ["clip"], "no selected clip as 'clip'"),
    ("fuse", ["original", "original"], "two selected clips"), ("restore", ["room", ""], None),
])
def test_a_selection_that_does_not_fit_is_refused(clip, kind, roles, reason):
    clips = [clip(**({"role": role} if role else {})) for role in roles]
    if reason is None:
        assert set(assign(kind, clips)) == {"clip", "room"}
    else:
        with pytest.raises(InvalidInput, match=reason):
            assign(kind, clips)


def prepared(root, ask):
    return prepare(ask, Asker("pd", "r1", "osc:pd", root / "results"))


def test_the_first_input_says_where_the_result_starts_unless_the_request_does(clip, root):
    clips = [clip(start=96000, start_rate=96000, track="Vox"), clip("reference.wav", start=7)]
    request = prepared(root, with_selection(Ask("fuse"), clips))
    assert request.requested_start(48000) == Start(96000, 96000, "requested")
    assert request.track == "Vox"
    assert request.regions == {}  # both are their whole files
    request = prepared(root, with_selection(Ask("fuse", start_s="2.5", track="Bus"), clips))
    assert request.requested_start(48000) == Start(120000, 48000, "requested")
    assert request.track == "Bus"


def test_the_kind_s_first_input_is_first_whichever_was_selected_first(clip, root):
    clips = [clip("reference.wav", role="reference", start=7), clip(start=96000)]
    request = prepared(root, with_selection(Ask("fuse"), clips))
    assert list(request.inputs) == list(request.names) == ["original", "reference"]
    _, source = take_in(request, root / "work", lambda *_: None)
    assert [each["role"] for each in source["clips"]] == ["original", "reference"]  # the first one's rate is the start's


def test_a_part_of_a_file_goes_along_as_a_region(clip, root):
    request = prepared(root, with_selection(Ask("vary"), [clip(offset=100)]))
    assert request.regions["clip"].offset_samples == 100
    assert request.names == {"clip": "original.wav"}


def test_beats_say_where_it_starts_if_nothing_else_does(clip, root):
    request = prepared(root, with_selection(Ask("vary", tempo=90, start_beats=16), [clip()]))
    assert request.requested_start(48000) == Start(512000, 48000, "requested")
    assert request.music.start_beats == 16.0
    request = prepared(root, with_selection(Ask("vary", tempo=90, start_beats=16), [clip(start=5)]))
    assert request.requested_start(48000) == Start(5, 48000, "requested")
    assert prepared(root, Ask("generate", start_beats=16)).requested_start(48000) is None
