# SPDX-License-Identifier: GPL-3.0-or-later
"""The Bitwig controller script under Node, on a FAKE of Bitwig's interface, with a real bridge and server behind it."""

import json
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bridge.routes import find_route
from server.audio import read_clip
from tests.hosts.table import proved

pytestmark = pytest.mark.hosts
REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "bridge" / "hosts" / "bitwig" / "athanor.control.js"
FAKE = Path(__file__).with_name("bitwig") / "fake_bitwig.js"


@pytest.fixture
def bitwig(require_host, house, tmp_path):
    node = require_host("node")

    def run(until: str, **scenario: object) -> dict:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            own = sock.getsockname()[1]
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps({"script": str(SCRIPT), "bridge": house.port, "own": own, "until": until, **scenario}))
        ended = subprocess.run([str(node), str(FAKE), str(path)], capture_output=True, text=True, timeout=90)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


@pytest.fixture(scope="module")
def proof():
    """What the tests of this module have shown; written into the table when all are done."""
    yield from proved("Bitwig Studio, launcher", "controller interface 10", real=False)


def debug(options: str = "@steps 2 @step_s 0.01") -> dict:
    return {"what": "debug", "clips": "original.wav", "options": options}


def test_a_result_lies_in_the_next_empty_slot_and_is_acknowledged(bitwig, house, proof):
    begun = time.monotonic()
    seen = bitwig("results on Keys", settings=debug(), press="Render", full=[0, 1, 2], selected=1)
    (number, slot), = seen["slots"].items()
    assert (number, slot["taken"]) == ("3", True)
    assert (house.root / "results") == Path(slot["path"]).parent
    assert np.array_equal(read_clip(slot["path"]).samples, read_clip(house.root / "original.wav").samples)
    assert (seen["sent"][-1][0], seen["sent"][-1][3:]) == ("/athanor/v1/job/placed", ["@where", "Bitwig, Keys, slot 4"])
    for address, *_ in seen["sent"]:
        find_route(address)
    again = bitwig("nothing more", limitMs=1500, settings=debug())
    assert again["slots"] == {}, "what was placed is not announced again"
    proof.update(audio="equal to the source", seconds=time.monotonic() - begun)


def test_a_render_is_cancelled(bitwig, proof):
    seen = bitwig("Athanor: cancelled", settings=debug("@steps 400 @step_s 0.05"), press="Render", cancelAfter="debug: ")
    assert seen["sent"][-1][0] == "/athanor/v1/job/ack"
    assert seen["slots"] == {}
    proof["cancel"] = True


def test_an_error_is_shown_in_words(bitwig, proof):
    seen = bitwig("did you mean", settings=debug() | {"clips": "orginal.wav"}, press="Render")
    assert "did you mean 'original.wav'" in seen["notices"][0]
    assert seen["errors"] == seen["notices"]
    proof["error_shown"] = True


def test_a_bridge_that_starts_later_than_bitwig_is_found(bitwig, house):
    house.kill_bridge()
    seen = bitwig("Start it with: athanor up", settings=debug(), press="Render", pressAfterMs=100)
    assert [sent[0] for sent in seen["sent"]] == ["/athanor/v1/hello"]
    starting = threading.Timer(0.5, house.start_bridge)
    starting.start()
    seen = bitwig("results on Keys", settings=debug(), press="Render")
    starting.join()
    assert len(seen["slots"]) == 1


def test_results_wait_where_no_slot_is_empty(bitwig):
    seen = bitwig("empty slots on Keys", settings=debug(), press="Render", slots=2, full=[0, 1])
    assert "1 results, and 0 empty slots on Keys. Select another track" in seen["notices"][-1]
    assert [sent[0] for sent in seen["sent"]][-1] != "/athanor/v1/job/placed"
    assert len(bitwig("results on Keys", settings=debug())["slots"]) == 1, "the next session gets it"


def test_results_that_come_together_do_not_take_each_other_s_slot(bitwig):
    for _ in range(2):
        bitwig("empty slots on Keys", settings=debug(), press="Render", slots=1, full=[0])
    seen = bitwig("no such notice", settings=debug(), limitMs=4000)
    assert len({slot["path"] for slot in seen["slots"].values()}) == 2
    assert [sent[0] for sent in seen["sent"]].count("/athanor/v1/job/placed") == 2
