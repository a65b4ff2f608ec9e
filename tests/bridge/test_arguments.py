# SPDX-License-Identifier: GPL-3.0-or-later
"""From OSC values to arguments and options, as Max, Pure Data and strict encoders send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.arguments import parse, request_id_of
from bridge.packets import Message
from bridge.routes import HELLO, PING, PREFIX, ROUTES, STATUS, Argument, Option, Route
from server.errors import InvalidOption

FUSE = ROUTES[f"{PREFIX}/render/fuse"]


def fuse(*values):
    return parse(FUSE, Message(FUSE.address, values))


def test_a_message_as_max_sends_it():
    call = fuse("req1", "original.wav", "reference.wav", "@prompt", "glass bells", "@snr_db", -9, "@chain", "space",
                "@start", 480000)
    assert call.request_id == "req1"
    assert call.values == {"request": "req1", "original": "original.wav", "reference": "reference.wav"}
    assert call.options == {"prompt": "glass bells", "snr_db": -9, "chain": "space", "start": 480000}
    assert call.client == ""


def test_numbers_for_texts_are_read_as_pure_data_means_them():
    call = fuse(1.0, "808", "909")
    assert call.values == {"request": "1", "original": "808", "reference": "909"}


def test_several_values_of_an_option_are_joined():
    call = fuse("1", "a", "b", "@snr_db", -12.0, -6.5, "@prompt", "glass", "bells", 5.0)
    assert call.options == {"snr_db": "-12 -6.5", "prompt": "glass bells 5"}


def test_texts_that_stand_by_themselves_stay_apart():
    route = Route("/r", "render", "", (Argument("request", "s", ""),), options=(Option("stem", "", several=True),))
    assert parse(route, Message("/r", ("1", "@stem", "cello", "dog barking", 808.0))).options == {
        "stem": ["cello", "dog barking", "808"]}
    assert parse(route, Message("/r", ("1", "@stem", "cello"))).options == {"stem": ["cello"]}
    assert parse(route, Message("/r", ("1", "@stem", ""))).options == {}


def test_an_empty_text_leaves_an_option_unset():
    assert fuse("1", "a", "b", "@seed", "").options == {}


def test_the_client_is_named_apart_from_the_options():
    call = fuse("1", "a", "@client", "term")
    assert (call.client, call.options) == ("term", {})


def test_optional_arguments_may_be_left_out():
    assert parse(PING, Message(PING.address)).request_id == ""
    assert parse(HELLO, Message(HELLO.address, ("pd",))).values == {"client": "pd"}
    assert parse(HELLO, Message(HELLO.address, ("pd", 9102.0, "my patch", 1))).values["reply_port"] == 9102


@pytest.mark.parametrize(("values", "message"), [
    ((), "takes request \\[original\\] \\[reference\\]; 0 arguments"),
    (("1", "a", "b", "c"), "4 arguments came"),
    (("1", "a", "b", "@snr", -9), r"no option @snr; did you mean 'snr_db'\?"),
    (("1", "a", "b", "@seed"), "@seed has no value"),
    (("1", "a", "b", "@seed", 1, "@seed", 2), "@seed is given twice"),
    (("1", b"blob"), "argument 2 .* neither a text nor a number"),
])
def test_what_does_not_fit_is_refused_with_a_reason(values, message):
    with pytest.raises(InvalidOption, match=message):
        fuse(*values)


@pytest.mark.parametrize("port", ["x", 1.5, float("nan"), float("inf"), ""])
def test_what_should_be_a_whole_number_is_checked(port):
    with pytest.raises(InvalidOption, match="reply_port"):
        parse(HELLO, Message(HELLO.address, ("pd", port)))


def test_the_same_message_is_asked_in_the_same_words():
    assert fuse("1", "a", "b").asked == fuse("1", "a", "b").asked
    assert fuse("1", "a", "b").asked != fuse("1", "a", "c").asked


@given(st.lists(st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.binary(max_size=4)), max_size=6))
def test_nothing_but_invalid_option_is_raised(values):
    for route in (FUSE, STATUS, HELLO, PING):
        message = Message(route.address, tuple(values))
        assert isinstance(request_id_of(message), str)
        try:
            parse(route, message)
        except InvalidOption:
            pass
