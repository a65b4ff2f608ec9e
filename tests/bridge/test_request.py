# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what is the same one, and how positions and options are read."""

from pathlib import Path

import pytest

from bridge.placement import Start
from bridge.request import RenderRequest, checked_options
from plugin_host import parse_chain
from server.errors import InvalidInput, InvalidOption


def request(**more) -> RenderRequest:
    fields = {"client": "pd", "request_id": "1", "origin": "osc:pd", "kind": "generate", "out": Path("results")}
    return RenderRequest(**(fields | more))


def test_a_request_survives_the_journal():
    asked = request(inputs={"original": Path("a.wav")}, options={"snr_db": [-9.0]}, start_samples=2**40,
                    start_rate=48000, post=parse_chain("softer", [{"builtin": "Gain", "parameters": {"gain_db": -6.0}}]))
    assert RenderRequest.model_validate_json(asked.model_dump_json()) == asked



def test_the_requested_start_counts_at_the_named_rate_else_the_sources():
    assert request().requested_start(44100) is None
    assert request(start_samples=7).requested_start(44100) == Start(7, 44100, "requested")
    assert request(start_s="0.5").requested_start(16000) == Start(8000, 16000, "requested")
    assert request(start_samples=7, start_rate=48000).requested_start(44100) == Start(7, 48000, "requested")


def test_only_the_given_options_are_kept_checked_and_as_json():
    given = {"prompt": "glass bells", "steps": 20.0, "snr_db": "-9 -6", "raw_level": 1}
    assert checked_options("fuse", given, frozenset({"original", "reference"})) == {
        "prompt": "glass bells", "steps": 20, "snr_db": [-9.0, -6.0], "raw_level": True}


def test_wrong_options_name_the_nearest():
    with pytest.raises(InvalidOption, match="'promt'.*'prompt'"):
        checked_options("fuse", {"promt": "x"}, frozenset({"original", "reference"}))
    with pytest.raises(InvalidInput, match="reference"):
        checked_options("fuse", {}, frozenset({"original"}))
