# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the past are found by words, by file and by job, whoever wrote their records."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bridge.history import find_past, matching, of_journal, past_results, read_past
from bridge.journal import Journal
from bridge.placement import Origin, Start, place, record_path
from bridge.recall_desk import placed_again
from bridge.request import RenderRequest
from server.audio import Clip
from server.errors import InvalidInput, RequestRefused


def put(folder: Path, name: str, job: str, minute: int = 0, role: str = "generated", **provenance) -> Path:
    """A result of that name and job, with its record."""
    origin = Origin(job, "r", datetime(2026, 11, 20, 4, minute, tzinfo=UTC), Start(0, 48000, "zero"), "generate",
                    track="Vox 1", result=name)
    said = {"kind": "generate", "options": {"prompt": "glass bells"}, "seed": 5} | provenance
    place(Clip(np.full((1, 100), 0.1), 48000), folder / f"{name}.wav", role, origin, said)
    return folder / f"{name}.wav"


@pytest.fixture
def journal():
    journal = Journal(":memory:")
    yield journal
    journal.close()


def placed(journal, sound: Path, client: str = "live", request_id: str = "r"):
    """An entry whose result is `sound`."""
    request = RenderRequest(client=client, request_id=request_id, origin="o", kind="generate", out=sound.parent)
    record = read_past(sound).record
    return journal.accept(request, [{"file": str(sound), "record": str(record_path(sound)),
                                     "placement": record.model_dump(mode="json")}])[0]


def test_results_of_journal_and_folder_come_once_and_newest_first(root, journal, tmp_path):
    old = put(root / "results", "old", "a" * 32, minute=1)
    new = put(root / "results" / "deep", "new", "b" * 32, minute=3)
    elsewhere = put(tmp_path / "elsewhere", "mid", "c" * 32, minute=2)
    gone = put(root / "results", "gone", "d" * 32, minute=4)
    for sound in (old, elsewhere):
        placed(journal, sound, request_id=sound.stem)
    gone.unlink()
    (root / "results" / "other.json").write_text("{}")
    found = past_results(root, of_journal(journal))
    assert [past.sound for past in found] == [path.resolve() for path in (new, elsewhere, old)]
    assert [past.is_ours for past in found] == [False, True, True]
    assert [past.client for past in found] == ["", "live", "live"]


def test_words_find_it_in_any_order_and_case(root):
    put(root / "results", "fused_1", "a" * 32)
    found = past_results(root, {})
    for words in ("", "GLASS", "bells vox", "fused_1", "generate bells", "aaaaaaaa"):
        assert matching(found, words) == found, words
    assert matching(found, "glass drum") == []


def test_a_job_is_found_by_the_beginning_of_its_id_and_a_result_by_its_file_or_record(root):
    first, second = (put(root / "results", name, "ab" * 16) for name in ("one", "two"))
    put(root / "results", "three", "ab" * 15 + "cc")
    found = find_past("ab" * 16, None, root, {})
    assert [past.sound.name for past in found] == ["one.wav", "two.wav"]
    assert find_past("one", first, root, {})[0].sound == first.resolve()
    assert find_past("two", record_path(second), root, {})[0].sound == second.resolve()
    for name, reason in (("ababab", "2 jobs begin"), ("ab", "neither a result"), ("f" * 32, "neither a result")):
        with pytest.raises(RequestRefused, match=reason):
            find_past(name, None, root, {})
    with pytest.raises(InvalidInput, match="no placement record"):
        find_past("original.wav", root / "original.wav", root, {})


def test_only_the_record_that_the_journal_knows_is_ours(root, journal):
    sound = put(root / "results", "one", "a" * 32)
    placed(journal, sound)
    assert find_past("x", sound, root, of_journal(journal))[0].is_ours
    put(root / "results", "one", "a" * 32, kind="fuse")
    changed = find_past("x", sound, root, of_journal(journal))[0]
    assert not changed.is_ours
    assert changed.record.provenance["kind"] == "fuse"


def test_what_was_put_back_is_still_its_first_clients_and_says_where_it_lies(root, journal):
    sound = put(root / "results", "one", "a" * 32)
    first = placed(journal, sound)
    results = find_past("x", sound, root, of_journal(journal))
    entry = placed_again(results, "ardour", "p1", "asked", journal)
    assert placed_again(results, "ardour", "p1", "asked", journal).job_id == entry.job_id != first.job_id
    assert [(e.request.client, e.acknowledged) for e in journal.unacknowledged("ardour")] == [("ardour", False)]
    journal.tell_whereabouts(first.job_id, "track 1")
    assert [(past.client, past.where) for past in of_journal(journal).values()] == [("live", "track 1")]
    journal.tell_whereabouts(entry.job_id, "track 7")
    assert [(past.client, past.where) for past in of_journal(journal).values()] == [("live", "track 7")]
    sound.unlink()
    with pytest.raises(InvalidInput, match="not there any more"):
        placed_again(results, "ardour", "p2", "asked", journal)


def test_a_folder_that_a_command_wrote_to_is_a_root_of_its_own(tmp_path):
    sound = put(tmp_path / "out", "one", "a" * 32)
    assert [past.sound for past in past_results(tmp_path / "out", {})] == [sound.resolve()]
    assert past_results(tmp_path / "none", {}) == []


@pytest.mark.parametrize(("change", "is_there"), [
    ({"created": "2026-11-20T04:00:00"}, True), ({"created": "0001-01-01"}, None), ({"file": ""}, False),
    ({"created": "yesterday"}, False),
])
def test_a_strange_record_costs_no_other_result(root, change, is_there):
    good, odd = put(root / "results", "good", "a" * 32), put(root / "results", "odd", "b" * 32)
    record = record_path(odd)
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    found = [past.sound for past in past_results(root, {})]
    assert good in found
    assert is_there is None or (odd in found) is is_there  # whether the year 1 can be had depends on where one is
