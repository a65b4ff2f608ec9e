# SPDX-License-Identifier: GPL-3.0-or-later
"""From a record back to the request that made it: nothing is lost, and what changed or was forged is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridge import stages
from bridge.history import Past, read_past
from bridge.intake import Ask, Asker, prepare
from bridge.journal import Journal, Stage
from bridge.recall import anywhere, ask_again, permitted
from bridge.request import RenderRequest
from bridge.selection import selected_clip, with_selection
from plugin_host import parse_chain
from server.errors import InvalidInput
from server.kinds import KINDS

HALF = parse_chain("half", [{"builtin": "Gain", "parameters": {"gain_db": -6.0}}])
ASKER = Asker("cli", "again", "cli", Path("out"))


def result_of(request: RenderRequest, folder: Path, **provenance) -> Past:
    """A placed result of a request, as the whole way leaves it; its options as a method records them, all of them."""
    journal = Journal(":memory:")
    entry, _ = journal.accept(request)
    _, source = stages.take_in(request, folder / "work", lambda *_: None)
    journal.describe(entry.job_id, source)
    journal.advance(entry.job_id, Stage.SUBMITTED)
    options = KINDS[request.kind].parse(request.options, frozenset(request.inputs)).model_dump(mode="json")
    reference = {"role": "made", "name": "made_1", "digest": "d", "bytes": 1, "media": stages.AUDIO,
                 "provenance": {"options": options, "seed": 77} | provenance}
    entry = journal.advance(entry.job_id, Stage.RENDERED, results=[reference])
    sound = next(iter(request.inputs.values()))
    placed = stages.put_in_place(entry, reference, sound, "made_1")
    journal.close()
    past = read_past(Path(placed["file"]))
    assert past is not None
    return past


def again(past: Past, seed=None) -> RenderRequest:
    return prepare(ask_again(past, anywhere(past), seed), ASKER)


@pytest.fixture
def selected(root):
    """A fuse of two regions with everything said that can be."""
    clips = [selected_clip("original.wav", {"offset": 100, "length": 9000, "playback_rate": "1.1", "start": 480001,
                                            "start_rate": 96000, "track": "Vox"}, root),
             selected_clip("reference.wav", {}, root)]
    ask = with_selection(Ask("fuse", options={"snr_db": "-9 -6", "steps": 20}, chain=HALF, pre=HALF, tempo=90, meter="6/8",
                             key="A minor", lane="take_lane"), clips)
    return prepare(ask, Asker("pd", "r1", "osc:pd", root / "results"))


def test_everything_comes_back_with_the_seed_of_then(selected, tmp_path):
    once_more = again(result_of(selected, tmp_path))
    for name in ("kind", "inputs", "names", "regions", "start_samples", "start_rate", "lane", "track", "pre", "post"):
        assert getattr(once_more, name) == getattr(selected, name), name
    assert once_more.music == selected.music.model_copy(update={"start_beats": 7.500015625})
    assert once_more.options["snr_db"] == [-9.0, -6.0]
    assert (once_more.options["steps"], once_more.options["seed"]) == (20, 77)
    assert again(result_of(selected, tmp_path), "4").options["seed"] == 4


def test_a_pair_of_mono_files_comes_back_as_a_pair(root, tmp_path, write_tone):
    for side in "LR":
        write_tone(root / f"take%{side}.wav")
    pair = selected_clip("take%L.wav", {"right": "take%R.wav"}, root)
    request = prepare(with_selection(Ask("vary"), [pair]), Asker("pd", "r1", "o", root / "results"))
    past = result_of(request, tmp_path)
    assert past.record.sources[0].channels == 2
    assert past.record.sources[0].right.file == "take%R.wav"
    assert again(past).regions == request.regions
    write_tone(root / "take%R.wav", seconds=0.4)
    with pytest.raises(InvalidInput, match="take%R.wav has changed"):
        again(past)


def test_files_that_are_no_sounds_come_back_too(root, tmp_path):
    (root / "d.safetensors").write_bytes(b"directions")
    ask = Ask("vary", {"clip": root / "original.wav", "from_directions": root / "d.safetensors"})
    request = prepare(ask, Asker("pd", "r1", "o", root / "results"))
    assert again(result_of(request, tmp_path)).inputs == request.inputs


def test_a_start_that_nobody_asked_for_is_found_again_and_not_made_a_request(root, tmp_path):
    request = prepare(Ask("vary", {"clip": root / "original.wav"}, tempo=90), Asker("pd", "r1", "o", root / "results"))
    once_more = again(result_of(request, tmp_path))
    assert once_more.requested_start(48000) is None
    assert once_more.music == request.music


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_options_that_a_kind_records_are_options_that_it_takes(kind):
    needed = {"to": "a cello", "prompt": "bells", "stem": "cello", "name": "bells", "task": "denoise"}
    roles = frozenset(spec.role for spec in kind.inputs if not spec.flag)
    given = {name: value for name, value in needed.items() if name in kind.options.model_fields and (kind.name, name) != (
        "restore", "stem")}
    dumped = kind.parse(given, roles).model_dump(mode="json")
    assert kind.parse(dumped, roles).model_dump(mode="json") == dumped


def test_a_clip_that_moved_with_its_results_is_found_and_one_that_is_gone_is_named(selected, root, tmp_path):
    past = result_of(selected, tmp_path)
    moved = tmp_path / "moved"
    root.rename(moved)
    past = replace(past, sound=moved / "results" / past.sound.name)
    assert again(past).inputs["original"] == moved / "original.wav"
    (moved / "original.wav").unlink()
    with pytest.raises(InvalidInput, match="the original original.wav is not at"):
        again(past)


def test_what_was_not_rendered_cannot_come_back(selected, tmp_path):
    past = result_of(selected, tmp_path)
    for provenance in ({"kind": "chain"}, {"kind": "fuse"}, {"kind": "fuse", "options": "all"}):
        with pytest.raises(InvalidInput, match="was not rendered"):
            ask_again(replace(past, record=past.record.model_copy(update={"provenance": provenance})), anywhere(past))


def test_another_program_gets_only_clips_that_it_may_name(selected, root, tmp_path, write_tone):
    past = result_of(selected, tmp_path)
    assert prepare(ask_again(past, permitted(past, root, ())), ASKER).inputs == selected.inputs
    outside = write_tone(tmp_path / "secret.wav", channels=2, seconds=0.3)
    source = past.record.sources[0].model_copy(update={"file": str(outside), "path": str(outside)})
    forged = replace(past, record=past.record.model_copy(update={"sources": (source,)}))
    with pytest.raises(InvalidInput, match="absolute path"):
        ask_again(forged, permitted(forged, root, ()))
    ours = replace(forged, is_ours=True)
    with pytest.raises(InvalidInput, match="has changed"):  # found, because the journal vouches for the path
        ask_again(ours, permitted(ours, root, ()))


def test_a_plugin_in_a_record_of_unknown_origin_is_a_name_and_never_a_file(selected, tmp_path):
    past = result_of(selected, tmp_path)
    links = [{"vst3": "/tmp/evil/Evil Plug.vst3"}]
    provenance = past.record.provenance | {"post": parse_chain("x", links).model_dump(mode="json")}
    forged = replace(past, record=past.record.model_copy(update={"provenance": provenance}))
    assert ask_again(forged, anywhere(forged)).chain.links[0].vst3 == "Evil Plug"
    assert ask_again(replace(forged, is_ours=True), anywhere(forged)).chain.links[0].vst3 == links[0]["vst3"]
