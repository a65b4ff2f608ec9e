# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what is written is there after a kill, once, and in order."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.journal import _VERSIONS, Journal, Stage
from bridge.request import RenderRequest
from server.errors import RequestRefused, StorageError


def request(request_id: str = "1", client: str = "pd", **more) -> RenderRequest:
    return RenderRequest(client=client, request_id=request_id, origin=f"osc:{client}", kind="generate",
                         out=Path("results"), **more)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def finish(journal: Journal, job_id: str) -> None:
    for stage in (Stage.SUBMITTED, Stage.RENDERED, Stage.POST, Stage.PLACED):
        journal.advance(job_id, stage)


def test_a_request_is_accepted_with_its_job_id_before_anything_is_submitted(journal):
    entry, is_new = journal.accept(request())
    assert is_new
    assert entry.stage is Stage.PRE
    assert len(entry.job_id) == 32
    assert journal.unfinished() == [entry]


def test_a_repeat_gets_the_same_job(journal):
    first, _ = journal.accept(request())
    again, is_new = journal.accept(request())
    assert (again, is_new) == (first, False)
    finish(journal, first.job_id)
    assert journal.accept(request())[0].job_id == first.job_id


def test_an_acknowledged_id_may_be_used_again_for_the_same_words(journal):
    first, _ = journal.accept(request())
    finish(journal, first.job_id)
    journal.acknowledge(first.job_id)
    second, is_new = journal.accept(request())
    assert is_new
    assert second.job_id != first.job_id


def test_two_clients_may_use_the_same_request_id(journal):
    assert journal.accept(request(client="pd"))[0].job_id != journal.accept(request(client="max"))[0].job_id


def test_another_render_under_a_used_id_is_a_conflict_until_the_first_is_acknowledged(journal):
    first, _ = journal.accept(request())
    other = request(asked="@seed 1")
    with pytest.raises(RequestRefused, match="in use for another render") as raised:
        journal.accept(other)
    assert raised.value.code == "conflict"
    finish(journal, first.job_id)
    with pytest.raises(RequestRefused):
        journal.accept(other)
    journal.acknowledge(first.job_id)
    second, is_new = journal.accept(other)
    assert is_new
    assert journal.find("pd", "1") == second
    assert journal.find("anyone", first.job_id).job_id == first.job_id


def test_stages_carry_what_they_brought_and_tell_the_story(journal):
    job_id = journal.accept(request())[0].job_id
    journal.advance(job_id, Stage.SUBMITTED)
    journal.advance(job_id, Stage.RENDERED, results=[{"role": "fused", "digest": "d"}])
    journal.advance(job_id, Stage.POST)
    entry = journal.advance(job_id, Stage.PLACED, placed=[{"file": "a.wav"}])
    assert entry.results == ({"role": "fused", "digest": "d"},)
    assert entry.placed == ({"file": "a.wav"},)
    assert journal.story(job_id) == ["pre", "submitted", "rendered", "post", "placed"]
    assert journal.unfinished() == []
    assert journal.unacknowledged("pd") == [entry]
    journal.acknowledge(job_id)
    assert journal.unacknowledged() == []


@pytest.mark.parametrize("jump", [Stage.RENDERED, Stage.POST, Stage.PLACED])
def test_no_stage_is_skipped(journal, jump):
    job_id = journal.accept(request())[0].job_id
    with pytest.raises(AssertionError):
        journal.advance(job_id, jump)


def test_what_has_ended_stays_ended(journal):
    job_id = journal.accept(request())[0].job_id
    journal.advance(job_id, Stage.FAILED, error={"code": "x", "message": "y", "retryable": False})
    with pytest.raises(AssertionError):
        journal.advance(job_id, Stage.SUBMITTED)
    assert journal.entry(job_id).error["message"] == "y"


def test_what_the_clips_said_is_kept(journal):
    job_id = journal.accept(request())[0].job_id
    assert journal.entry(job_id).source is None
    assert journal.describe(job_id, {"bext_samples": 2**60}).source == {"bext_samples": 2**60}


def test_a_cancel_is_remembered(journal):
    job_id = journal.accept(request())[0].job_id
    journal.request_cancel(job_id)
    assert journal.unfinished()[0].cancel_requested


def test_clients_are_remembered_with_their_newest_address(journal):
    journal.remember_client("pd", "udp", "127.0.0.1:9102", "")
    journal.remember_client("ardour", "spool", "ardour", "3819 /access_action LuaAction/script-2")
    journal.remember_client("pd", "udp", "127.0.0.1:9103", "")
    assert journal.clients() == {"pd": ("udp", "127.0.0.1:9103", ""),
                                 "ardour": ("spool", "ardour", "3819 /access_action LuaAction/script-2")}


def test_an_unknown_job_is_an_error(journal):
    with pytest.raises(RequestRefused, match="no job 'nothing'"):
        journal.entry("nothing")
    assert journal.find("pd", "nothing") is None


def test_everything_is_there_after_kill_9(tmp_path):
    path = tmp_path / "journal.db"
    writer = (
        "import os, signal; from pathlib import Path; from bridge.journal import Journal, Stage; "
        "from bridge.request import RenderRequest; "
        f"journal = Journal(Path({str(path)!r})); "
        "entry, _ = journal.accept(RenderRequest(client='pd', request_id='1', origin='osc:pd', kind='generate', "
        "out=Path('results'))); journal.advance(entry.job_id, Stage.SUBMITTED); print(entry.job_id, flush=True); "
        "os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, 'SIGKILL') else os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", writer], capture_output=True, text=True, timeout=60)
    assert killed.returncode != 0
    journal = Journal(path)
    (entry,) = journal.unfinished()
    assert (entry.job_id, entry.stage) == (killed.stdout.strip(), Stage.SUBMITTED)
    journal.close()


def test_a_damaged_file_and_a_missing_folder_are_clear_errors(tmp_path):
    (tmp_path / "bad.db").write_bytes(b"this is not a database, it is a text of more than a hundred bytes" * 4)
    with pytest.raises(StorageError, match="bad.db"):
        Journal(tmp_path / "bad.db")
    with pytest.raises(StorageError, match="cannot be used"):
        Journal(tmp_path / "no folder" / "journal.db")


def test_a_journal_in_memory_lives_with_its_process():
    journal = Journal(":memory:")
    job_id = journal.accept(request())[0].job_id
    finish(journal, job_id)
    assert journal.entry(job_id).stage is Stage.PLACED
    journal.close()


def test_a_selection_is_kept_for_each_client_until_it_is_cleared(tmp_path):
    journal = Journal(tmp_path / "j.db")
    assert [journal.select("live", name, f"asked {name}", f"{{{name}}}") for name in ("a", "b")] == [1, 2]
    assert journal.select("live", "a", "asked a", "{a}") == 1  # the same request once more
    assert [journal.select(name, "a", "asked", "{}") for name in ("pd", "127.0.0.1:54321")] == [1, 1]
    for name in ("live", "pd"):
        journal.remember_client(name, "udp", "127.0.0.1:7400", "")
    journal.close()
    journal = Journal(tmp_path / "j.db")
    assert len(journal.selection("127.0.0.1:54321")) == 1  # another process may read a journal that is in use
    journal.clear_selections_of_strangers()
    assert journal.selection("127.0.0.1:54321") == []
    assert [(s.place, s.request_id, s.asked, s.clip) for s in journal.selection("live")] == [
        (1, "a", "asked a", "{a}"), (2, "b", "asked b", "{b}")]
    journal.clear_selection("live")
    assert journal.selection("live") == []
    assert len(journal.selection("pd")) == 1
    journal.close()


def test_whereabouts_are_kept_and_the_newest_word_holds(tmp_path):
    journal = Journal(tmp_path / "j.db")
    assert journal.whereabouts("job") == ""
    journal.tell_whereabouts("job", "track 3")
    journal.tell_whereabouts("job", "track 4")
    assert journal.whereabouts("job") == "track 4"
    journal.close()


def test_a_journal_of_the_first_version_is_brought_up_to_the_newest(tmp_path):
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(f"{_VERSIONS[0]} PRAGMA user_version = 1;")
    connection.execute("INSERT INTO client VALUES ('pd', '127.0.0.1', 7400, 1.0)")
    connection.commit()
    connection.close()
    journal = Journal(tmp_path / "old.db")
    assert journal.select("pd", "a", "asked", "{}") == 1
    assert journal.clients() == {"pd": ("udp", "127.0.0.1:7400", "")}
    journal.close()
