# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server import link
from server.errors import ProtocolError

WHO = {"incarnation": "1.1", "job_id": "j", "attempt": 1}
WORDS = [
    link.Ready(incarnation="1.1", pid=3),
    link.Beat(incarnation="1.1"),
    link.Step(**WHO, phase="sampling", step=1, n_steps=2),
    link.Done(**WHO, products=[]),
    link.Failed(**WHO, code="internal", message="m", retryable=False),
    link.Stopped(**WHO),
]
ORDERS = [link.Run(job_id="j", attempt=1, kind="debug", options={"a": 1}, inputs={}, digests={}),
          link.Cancel(job_id="j", attempt=1), link.Stop()]


@pytest.mark.parametrize("word", WORDS)
def test_words_come_back(word: link.OfAttempt) -> None:
    assert link.parse_word(link.encode(word)) == word


@pytest.mark.parametrize("order", ORDERS)
def test_orders_come_back(order: link.Run) -> None:
    assert link.parse_order(link.encode(order)) == order


@pytest.mark.parametrize("frame", [b"", b"{}", b"[]", b'{"type":"ready"}', b'{"type":"run"}', b"\xff", b'{"type":"what"}'])
def test_anything_else_is_refused(frame: bytes) -> None:
    for parse in (link.parse_word, link.parse_order):
        with pytest.raises(ProtocolError):
            parse(frame)
