# SPDX-License-Identifier: GPL-3.0-or-later
"""The Max patch's script under Node on a FAKE of Max, with a real bridge and server behind it."""

import json
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from bridge.routes import find_route
from server.audio import read_clip
from tests.hosts.max_fake import displayed, run_max
from tests.hosts.table import proved

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(240)]  # the first job waits for the server's worker


@pytest.fixture
def max_script(require_host, house, tmp_path):
    node = require_host("node")

    def run(until: str, *steps: tuple, **scenario):
        said = [{"after": after, "say": say} for after, *say in steps]
        return run_max(node, tmp_path, "max/athanor.js", bridge=house.port, until=until, steps=said, **scenario)

    return run


@pytest.fixture(scope="module")
def proof():
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Max", "[js] of Max 8", real=False)


def test_a_dropped_file_comes_back_as_a_result(max_script, house, proof):
    begun = time.monotonic()
    seen = max_script("5: done", ("5: ready", ["clip", str(house.root / "original.wav")], ["menu", "debug"],
                                  ["text", '@steps 2 @step_s 0.01 @track "my track"'], ["render"]))
    (result,) = [message for message in seen["out"] if message[0] == 3]
    assert (result[1], result[3:]) == ("result", ["echo", 1, 1])
    assert np.array_equal(read_clip(result[2]).samples, read_clip(house.root / "original.wav").samples)
    assert displayed(seen, "playlist") == [f"append {result[2]}"]
    assert displayed(seen, "results")[-1] == f"append {Path(result[2]).name}"
    assert json.loads(Path(result[2]).with_suffix(".json").read_text())["track"] == "my track"
    assert (seen["sent"][-1][0], seen["sent"][-1][3:]) == ("/athanor/v1/job/placed", ["@where", "Max, max"])
    for address, *_ in seen["sent"]:
        find_route(address)
    proof.update(clip_out=True, audio="equal to the source", seconds=time.monotonic() - begun)


def test_menus_hold_the_kinds_and_the_presets_but_no_chains(max_script):
    seen = max_script("append preset vary_wander")
    offered = [text.removeprefix("append ") for text in displayed(seen, "what")]
    assert offered[:3] == ["clear", "fuse", "learn"]
    assert {"preset edit_four", "preset separate_stems"} <= set(offered)
    assert not {"preset glue", "preset space"} & set(offered)


def test_a_buffer_goes_out_once_its_file_is_whole(max_script, house):
    seen = max_script("5: done", ("5: ready", ["buffer", "voice"]), ("2: clips .*wav", ["debug", "@steps", 1]),
                      buffers={"voice": {"frames": 4800, "channels": 2, "rate": 44100}}, args=["patch-2", 7433])
    (written,) = seen["sounds"]
    assert Path(written).parent == house.root / "clips"
    (result,) = [message[2] for message in seen["out"] if message[:2] == [3, "result"]]
    back = read_clip(result)
    assert (back.n_samples, back.channels, back.sample_rate) == (4800, 2, 44100)
    assert np.array_equal(back.samples, read_clip(written).samples)
    assert [message for message in seen["out"] if message[0] == 1] == [[1, "port", 7433]]


def test_progress_moves_and_a_job_is_cancelled(max_script, proof):
    seen = max_script("5: cancelled", ("5: ready", ["debug", "original.wav", "@steps", 400, "@step_s", 0.05]),
                      ("debug: .*[1-9]/400", ["cancel"]))
    assert any(message[0] == 4 and 0 < message[1] < 1 for message in seen["out"])
    assert displayed(seen, "progress")[-1] == "0"
    assert seen["sent"][-1][0] == "/athanor/v1/job/ack"
    assert [message for message in seen["out"] if message[0] == 3] == []
    proof["cancel"] = True


@pytest.mark.parametrize(("say", "told"), [(["debug", "orginal.wav"], "did you mean 'original.wav'"),
                                           (["fuze", "original.wav"], "did you mean"),
                                           (["debug", "original.wav", "@stepz", 3], "did you mean 'steps'"),
                                           (["buffer", "empty"], "buffer~ empty is empty")])
def test_errors_are_shown_in_words_and_nothing_is_rendered(max_script, proof, say, told):
    seen = max_script("5: error", ("5: ready", say))
    assert told in displayed(seen, "status")[-1]
    assert [message for message in seen["out"] if message[:2] == [5, "started"]] == []
    proof["error_shown"] = True


def test_what_hears_no_clip_gets_none(max_script):
    seen = max_script("5: (started|error)", ("append preset vary_wander", ["clip", "original.wav"],
                      ["preset", "generate_texture", "@seconds", 1, "@backbone", "none"]))
    assert not any(sent[0].endswith("/clip/add") for sent in seen["sent"])
    seen = max_script("5: (started|error)", ("append preset vary_wander", ["clip", "original.wav"],
                      ["preset", "vary_wander", "@backbone", "none"]))
    assert any(sent[0].endswith("/clip/add") for sent in seen["sent"])


@pytest.mark.parametrize(("said", "sent"), [
    (["@prompt ..."], []), (['@to "glass bell" @strength 0.5'], ["@to", "glass bell", "@strength", "0.5"]),
    (["@to", "glass bell", "@strength", 0.5], ["@to", "glass bell", "@strength", 0.5]),
    (["@to", '"glass', 'bell"'], ["@to", "glass bell"])])
def test_options_are_read_however_max_takes_the_text_apart(max_script, said, sent):
    seen = max_script("5: error", ("5: ready", ["menu", "nothing"], ["text", *said], ["render"]))
    assert seen["sent"][-1][0].endswith("/render/nothing")
    assert seen["sent"][-1][2:] == sent


def test_another_port_is_tried_where_one_is_in_use(max_script):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        try:
            other.bind(("127.0.0.1", 7400))
        except OSError:
            pass  # in use as it is
        seen = max_script("5: ready")
    assert [message[2] for message in seen["out"] if message[0] == 1][:2] == [7400, 7401]
