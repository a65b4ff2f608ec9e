# SPDX-License-Identifier: GPL-3.0-or-later
import re

import numpy as np
import pytest

from bridge.home import journal_path
from bridge.interchange.results import find_results
from bridge.journal import Journal, Stage
from bridge.placement import make_folder, record_path
from bridge.request import RenderRequest
from server.audio import Clip, write_clip
from server.errors import InvalidInput


def test_files_records_and_folders_mean_the_same_results_once(make_result):
    sound, other = make_result("a", start=5), make_result("b")
    (sound.parent / "notes.json").write_text('{"not": "a record"}')
    (sound.parent / "broken.json").write_text("{")
    found = find_results([str(record_path(sound)), str(sound), str(sound.parent)])
    assert [path for path, _ in found] == [sound, other]
    assert found[0][1].start_samples == 5


def test_a_job_of_the_bridge_means_its_results(make_result, tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    sound = make_result("a")
    make_folder(journal_path().parent)
    journal = Journal(journal_path())
    request = RenderRequest(client="pd", request_id="r1", kind="fuse", origin="osc:pd", options={}, inputs={}, names={},
                            asked="x", out=str(tmp_path))
    entry, _ = journal.accept(request)
    for stage in (Stage.SUBMITTED, Stage.RENDERED, Stage.POST):
        journal.advance(entry.job_id, stage)
    journal.advance(entry.job_id, Stage.PLACED, placed=[{"file": str(sound), "record": "", "placement": {}}])
    journal.close()
    assert [path for path, _ in find_results([entry.job_id[:8]])] == [sound]


@pytest.mark.parametrize(("name", "message"), [
    ("nothing-here.wav", "'nothing-here.wav' is no file, no folder and no job"),
    ("{folder}/alone.wav", r"alone.wav has no placement record beside it \(alone.json\)"),
    ("{folder}/empty", "holds no result with a placement record"),
    ("{folder}/results/gone.json", "gone.wav is not there; its placement record is"),
    ("{folder}/results/changed.wav", "has 100 samples at 48000 Hz, its record says 480"),
    ("{folder}/other.json", "other.json: not a placement record"),
])
def test_what_is_no_result_is_refused(make_result, tmp_path, monkeypatch, name, message):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "no home"))
    short = Clip(np.zeros((1, 100), np.float32), 48000)
    write_clip(tmp_path / "alone.wav", short)
    write_clip(make_result("changed"), short)
    make_result("gone").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InvalidInput) as refused:
        find_results([name.format(folder=tmp_path)])
    assert re.search(message, refused.value.message)
