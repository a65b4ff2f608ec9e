# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON and messages: what goes in comes out by the table's names, and any JSON is a message or a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.arguments import parse
from bridge.http.calls import answer_json, event_json, event_name, message_of
from bridge.packets import Message
from bridge.routes import DONE, ERROR, EVENTS, OK, PREFIX, ROUTES
from server.errors import InvalidOption

FUSE, HELLO = ROUTES[f"{PREFIX}/render/fuse"], ROUTES[f"{PREFIX}/hello"]
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                    max_leaves=8)
NAMES = st.sampled_from(["request", "original", "reference", "options", "client", "x"])


def test_arguments_stand_in_the_table_s_order_and_options_behind_them():
    message = message_of(FUSE, {"reference": "b", "request": "r", "original": "a",
                                "options": {"sweep": True, "seed": 7, "prompt": None, "directions": [1, "two"]}})
    assert message.values == ("r", "a", "b", "@sweep", 1, "@seed", 7, "@directions", 1, "two")


def test_what_is_left_out_before_what_is_given_is_empty():
    assert message_of(FUSE, {"request": "r", "reference": "b"}).values == ("r", "", "b")
    assert message_of(HELLO, {"client": "live", "profile": 1}).values == ("live", 0, "", 1)
    assert message_of(HELLO, {"client": "live"}).values == ("live",)


@pytest.mark.parametrize(("body", "reason"), [
    ([], "must be a JSON object"), ({}, "'request' is missing"), ({"request": "r", "options": [1]}, "options must be"),
    ({"request": {}}, "neither a text nor a number"), ({"request": "r", "options": {"seed": [None]}}, "holds a null"),
    ({"request": "r", "options": {"seed": float("nan")}}, "not a number"), ({"request": "@x"}, "begins with @"),
    ({"request": "\ud800"}, "surrogate"), ({"request": "a\0b"}, "NUL"),
    ({"request": "r", "orginal": "a"}, "did you mean 'original'?"),
])
def test_what_is_no_request_says_why(body, reason):
    with pytest.raises(InvalidOption, match=reason):
        message_of(FUSE, body)


@given(JSON | st.dictionaries(NAMES, JSON))
def test_any_json_is_a_message_that_can_be_parsed_or_a_reason(body):
    for route in (FUSE, HELLO):
        try:
            parse(route, message_of(route, body))
        except InvalidOption as error:
            assert error.message


def test_answers_and_events_carry_the_table_s_names():
    accepted = Message(OK, ("r", FUSE.address, "job1"))
    assert answer_json(FUSE, [accepted]) == (200, {"ok": True, "request": "r", "job": "job1"})
    assert answer_json(FUSE, [Message(ERROR, ("r", FUSE.address, "unknown_job", "no."))]) == (
        404, {"ok": False, "request": "r", "code": "unknown_job", "message": "no."})
    arguments = next(event.arguments for event in EVENTS if event.address == DONE)
    told = event_json(Message(DONE, tuple(range(len(arguments)))))
    assert told == {"event": "done"} | {argument.name: number for number, argument in enumerate(arguments)}
    assert event_name(Message(DONE)) == "done"
