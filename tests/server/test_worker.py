# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from server import link
from server.worker import Worker, _explain, _is_device_fault


def test_started_by_hand_it_says_what_it_is() -> None:
    ended = subprocess.run([sys.executable, "-m", "server.worker"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=60)
    assert ended.returncode == 1
    assert "athanor serve" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize(("error", "code"), [
    (MemoryError(), "out_of_memory"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
    (ZeroDivisionError("division by zero"), "internal"),
    (ModuleNotFoundError("No module named 'torch'", name="torch"), "model_unavailable"),
    (ModuleNotFoundError("No module named 'tomato'", name="tomato"), "internal"),
])
def test_unexpected_errors_become_sentences(error: Exception, code: str) -> None:
    explained = _explain(error)
    assert explained.code == code
    assert len(explained.message.split()) > 8, "a sentence, with what to do"


@pytest.mark.parametrize(("error", "is_fault"), [
    (torch.OutOfMemoryError("CUDA error: out of memory"), False),
    (RuntimeError("CUDA error: device-side assert triggered"), True),
    (RuntimeError("shape mismatch"), False),
    (ValueError("CUDA error: in a message of ours"), False),
])
def test_only_device_errors_that_poison_the_process_end_it(error: Exception, is_fault: bool) -> None:
    assert _is_device_fault(error) is is_fault


def test_what_was_let_go_before_it_was_loaded_is_not_loaded_and_orders_come_first(monkeypatch) -> None:
    unpin, unload = link.Model(action="unpin", name="b"), link.Model(action="unload", name="c")
    orders = iter([None, unpin, unload, None, link.Stop()])
    line = SimpleNamespace(next_order=lambda timeout_s: next(orders), modelled=lambda order, error: None)
    worker = Worker(SimpleNamespace(pins=["a", "b", "c"], warm=False, idle_unload_s=0.0), line)
    done: list[tuple[str, str]] = []
    monkeypatch.setattr(worker, "_model", lambda order: done.append((order.action, order.name)))
    worker.serve()
    assert done == [("pin", "a"), ("unpin", "b"), ("unload", "c"), ("pin", "c")]


def test_what_earlier_jobs_left_goes_where_memory_is_wanted_and_stays_while_nothing_is_idle() -> None:
    worker = Worker(SimpleNamespace(pins=[], warm=False, idle_unload_s=5.0), SimpleNamespace())
    worker._cache.put("inversion", object(), 10)
    worker._free(5.0)
    assert worker._cache.get("inversion") is not None
    worker._free()
    assert worker._cache.get("inversion") is None
