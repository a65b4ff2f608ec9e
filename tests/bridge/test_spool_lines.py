# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages as lines: what is written is read back, and what is no message is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.packets import Message
from bridge.spool_lines import MAX_BYTES, message_text, read_message
from server.errors import ProtocolError


def test_a_message_is_one_line_with_tabs():
    text = message_text(Message("/athanor/v1/ok", ("r1", -3, 0.5, "two\tparts\nC:\\x")))
    assert text == "/athanor/v1/ok\tr1\t-3\t0.5\ttwo\\tparts\\nC:\\\\x\n"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30), max_size=4))
def test_texts_survive_the_way_there_and_back(texts):
    assert read_message(message_text(Message("/a", tuple(texts))).encode()) == Message("/a", tuple(texts))


def test_a_line_may_lack_its_end_and_begin_with_a_byte_order_mark():
    assert read_message(b"\xef\xbb\xbf/a\tb") == read_message(b"/a\tb\r\n") == Message("/a", ("b",))


@pytest.mark.parametrize("data", [b"", b"words", b"/a\n/b\n", b"/a\t\xff", b"/a\t\\x", b"/a\t\\", b"/" * (MAX_BYTES + 1)])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ProtocolError):
        read_message(data)
