# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to clips on this machine, with real files and real plugins."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge import stages
from bridge.journal import Journal, Stage
from bridge.placement import Placement, checksum
from bridge.regions import Region
from bridge.request import RenderRequest
from plugin_host import parse_chain
from server.audio import Bext, Clip, read_bext, read_clip, write_clip
from server.errors import AthanorError, InvalidInput, JobCancelled, StorageError

HALF = parse_chain("half", [{"builtin": "Gain", "parameters": {"gain_db": -6.0205999}}])


def quiet(done: int, total: int, name: str) -> None:
    """Nobody listens."""


def request(root: Path, out: Path, **more) -> RenderRequest:
    fields = {
        "client": "pd", "request_id": "r1", "origin": "osc:pd", "kind": "fuse", "out": out,
        "inputs": {"original": root / "original.wav", "reference": root / "reference.wav"},
        "names": {"original": "original.wav", "reference": "reference.wav"}, "options": {"prompt": "glass bells"},
    }
    return RenderRequest(**(fields | more))


def reference(name: str = "fused_1", media: str = stages.AUDIO) -> dict:
    return {"role": "fused", "name": name, "digest": "d", "bytes": 1, "media": media,
            "provenance": {"backbone": {"name": "embedded"}, "seed": 5}}


def test_clips_go_as_they_are_without_a_chain_and_are_described(root, tmp_path):
    files, source = stages.take_in(request(root, tmp_path), tmp_path / "work", quiet)
    assert files == {"original": root / "original.wav", "reference": root / "reference.wav"}
    assert [clip["role"] for clip in source["clips"]] == ["original", "reference"]
    assert source["clips"][0]["checksum"] == checksum(root / "original.wav")
    assert source["bext_samples"] is None
    assert not (tmp_path / "work").exists()


def test_a_chain_before_the_render_leaves_the_clips_alone(root, tmp_path):
    before = checksum(root / "original.wav")
    files, source = stages.take_in(request(root, tmp_path, pre=HALF), tmp_path / "work", quiet)
    original, processed = read_clip(root / "original.wav"), read_clip(files["original"])
    assert np.allclose(processed.samples, 0.5 * original.samples, atol=1e-6)
    assert checksum(root / "original.wav") == before == source["clips"][0]["checksum"]


def test_the_first_clips_stamp_gives_the_start(root, tmp_path):
    clip = read_clip(root / "original.wav")
    write_clip(root / "original.wav", clip, Bext(time_reference_samples=2**40, coding_history="A=PCM\r\n"))
    _, source = stages.take_in(request(root, tmp_path), tmp_path / "work", quiet)
    assert source["bext_samples"] == 2**40
    assert source["history"] == "A=PCM\r\n"


def test_a_region_goes_as_it_sounds_and_starts_where_its_part_of_a_stamped_file_lies(root, tmp_path):
    clip = read_clip(root / "original.wav")
    write_clip(root / "original.wav", clip, Bext(time_reference_samples=2**40))
    asked = request(root, tmp_path, regions={"original": Region(offset_samples=480, used_samples=9600)}, pre=HALF)
    files, source = stages.take_in(asked, tmp_path / "work", quiet)
    assert np.allclose(read_clip(files["original"]).samples, 0.5 * clip.samples[:, 480:10080], atol=1e-6)
    assert source["bext_samples"] == 2**40 + 480
    first = source["clips"][0]
    assert (first["length_samples"], first["offset_samples"], first["used_samples"]) == (24000, 480, 9600)
    assert first["path"] == str(root / "original.wav")
    assert source["clips"][1]["used_samples"] is None


@pytest.mark.parametrize("broken", ["nan", "cut"])
def test_a_broken_clip_is_refused_by_the_name_the_client_gave(root, tmp_path, broken):
    path = root / "original.wav"
    if broken == "nan":
        samples = np.zeros((4800, 1), np.float32)
        samples[100] = np.nan
        soundfile.write(path, samples, 48000, subtype="FLOAT")
    else:
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InvalidInput, match="^original.wav"):
        stages.take_in(request(root, tmp_path), tmp_path / "work", quiet)


def test_a_chain_stops_when_it_is_told_to(root, tmp_path):
    def stop(done, total, name):
        raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        stages.take_in(request(root, tmp_path, pre=HALF), tmp_path / "work", stop)


def test_a_result_passes_its_chain_once(root, tmp_path):
    raw, finished = root / "original.wav", tmp_path / "finished.wav"
    stages.finish(HALF, raw, finished, quiet)
    first = finished.read_bytes()
    stages.finish(HALF, raw, finished, quiet)
    assert finished.read_bytes() == first
    assert np.allclose(read_clip(finished).samples, 0.5 * read_clip(raw).samples, atol=1e-6)


def varied(root: Path, out: Path) -> RenderRequest:
    (root / "d.safetensors").write_bytes(b"not listened to")
    names = {"clip": "original.wav", "from_directions": "d.safetensors"}
    inputs = {role: root / name for role, name in names.items()}
    return request(root, out, kind="vary", inputs=inputs, names=names, options={}, pre=HALF)


def test_a_file_that_is_not_audio_goes_as_it_is_and_through_no_plugin(root, tmp_path):
    files, source = stages.take_in(varied(root, tmp_path), tmp_path / "work", quiet)
    assert files["from_directions"] == root / "d.safetensors"
    assert files["clip"] != root / "original.wav"
    assert [clip["role"] for clip in source["clips"]] == ["clip"]


@pytest.fixture
def journal():
    journal = Journal(":memory:")
    yield journal
    journal.close()


def rendered(journal: Journal, asked: RenderRequest, results: list[dict], tmp_path: Path):
    entry, _ = journal.accept(asked)
    _, source = stages.take_in(asked, tmp_path / "work", quiet)
    journal.describe(entry.job_id, source)
    journal.advance(entry.job_id, Stage.SUBMITTED)
    return journal.advance(entry.job_id, Stage.RENDERED, results=results)


@pytest.mark.parametrize(("fields", "start", "source"), [
    ({"start_samples": 480000}, 480000, "requested"), ({}, 777, "bext"),
])
def test_a_result_lies_at_the_right_sample_with_everything_said(journal, root, tmp_path, fields, start, source):
    clip = read_clip(root / "original.wav")
    write_clip(root / "original.wav", clip, Bext(time_reference_samples=777, coding_history="A=PCM\r\n"))
    entry = rendered(journal, request(root, tmp_path / "out", post=HALF, **fields), [reference()], tmp_path)
    placed = stages.put_in_place(entry, reference(), root / "original.wav", "fused_1")
    record = Placement.model_validate_json(Path(placed["record"]).read_text())
    assert record.model_dump(mode="json") == placed["placement"]
    assert (record.start_samples, record.start_rate, record.start_source) == (start, 48000, source)
    assert [clip.role for clip in record.sources] == ["original", "reference"]
    assert record.provenance["seed"] == 5
    assert record.provenance["post"]["title"] == "half"
    bext = read_bext(placed["file"])
    assert bext.time_reference_samples == start
    assert bext.description == "glass bells"
    assert bext.originator_reference == entry.job_id
    assert bext.coding_history.startswith("A=PCM\r\nA=PCM,F=48000")
    assert Path(placed["file"]).name == f"original+reference-fused_1-{entry.job_id[:8]}.wav"


def test_a_file_is_called_by_the_words_that_tell_it_from_the_others(journal, root, tmp_path):
    stem = reference("stem_2") | {"provenance": {"stem": f"dog barking / {'far ' * 20}"}}
    entry = rendered(journal, request(root, tmp_path / "out"), [stem], tmp_path)
    placed = stages.put_in_place(entry, stem, root / "original.wav", "stem_2")
    assert Path(placed["file"]).name == (
        f"original+reference-stem_2_dog_barking_far_far_far_far_far_far_fa-{entry.job_id[:8]}.wav")
    assert read_bext(placed["file"]).description.startswith("dog barking / far")


def test_a_result_without_clips_counts_in_its_own_rate(journal, tmp_path):
    write_clip(tmp_path / "made.wav", Clip(np.full((1, 1600), 0.1), 16000))
    asked = RenderRequest(client="pd", request_id="r", origin="o", kind="generate", options={"prompt": "rain / wind"},
                          start_s="1.5", out=tmp_path / "out")
    entry = rendered(journal, asked, [], tmp_path)
    placed = stages.put_in_place(entry, reference("generated_1"), tmp_path / "made.wav", "generated_1")
    assert placed["placement"]["start_samples"] == 24000
    assert placed["placement"]["start_rate"] == 16000
    assert Path(placed["file"]).name == f"rain_wind-generated_1-{entry.job_id[:8]}.wav"


def test_only_sounds_are_placed_and_each_has_its_own_name(journal, root, tmp_path):
    results = [reference("a"), reference("a"), reference("entry", "application/x-safetensors"), reference("b")]
    entry = rendered(journal, request(root, tmp_path), results, tmp_path)
    assert [name for name, _ in stages.audio_results(entry)] == ["a", "a_2", "b"]


def test_files_that_are_no_sounds_lie_beside_them_and_the_records_name_them(journal, root, tmp_path):
    directions = reference("directions", "application/x-safetensors") | {"role": "directions"}
    entry_in_palette = reference("mine", "application/x-safetensors") | {"role": "adapter"}
    results = [reference("variation_1"), directions, entry_in_palette]
    entry = rendered(journal, varied(root, tmp_path / "out"), results, tmp_path)
    name = f"original-directions-{entry.job_id[:8]}.safetensors"
    assert stages.data_results(entry) == [(tmp_path / "out" / name, directions)]
    placed = stages.put_in_place(entry, results[0], root / "original.wav", "variation_1")
    assert placed["placement"]["provenance"]["files"] == {"directions": name}


def test_any_error_becomes_one_of_ours():
    assert isinstance(stages.described(PermissionError(13, "Permission denied", "/x")), StorageError)
    assert "please report" in stages.described(KeyError("x")).message
    ours = InvalidInput("as it is")
    assert stages.described(ours) is ours
    assert isinstance(stages.described(ValueError()), AthanorError)


def test_only_working_files_that_nobody_uses_are_cleared(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "raw-0.wav").write_bytes(b"x")
    os.utime(old, (0, 0))
    stages.clear_old(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["new"]
    stages.clear_old(tmp_path / "nothing")
