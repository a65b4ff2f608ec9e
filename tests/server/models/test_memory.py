# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder: free what nobody uses, then fewer rows at a time, then an error; once per job, with the same answers."""

from __future__ import annotations

import weakref

import pytest
import torch

from server.errors import OutOfMemory
from server.models.memory import Ladder, is_out_of_memory


class Card:
    """A device on which `fits` rows fit, and that counts what it is asked for."""

    def __init__(self, fits: int) -> None:
        self.fits, self.asked = fits, []

    def __call__(self, first: int, end: int) -> torch.Tensor:
        self.asked.append(end - first)
        if end - first > self.fits:
            raise torch.OutOfMemoryError(f"no room for {end - first}")
        return torch.arange(first, end, dtype=torch.float32)


def test_models_go_first_then_the_batch_is_halved_and_stays_small():
    freed, card = [], Card(2)
    ladder = Ladder("big", lambda: freed.append(len(card.asked)) or ["other"])
    assert ladder.rows(card, 8).tolist() == list(range(8))
    assert card.asked == [8, 8, 4, 2, 2, 2, 2] and freed == [1]
    assert ladder.record() == {"freed_models": True, "rows_at_once": 2}
    card.asked.clear()
    assert ladder.rows(card, 5).tolist() == list(range(5))
    assert card.asked == [2, 2, 1] and freed == [1]
    assert Ladder("big").rows(Card(8), 8).shape == (8,), "the next job begins with full batches"


def test_what_fits_is_done_at_once_or_as_many_as_asked_for():
    card = Card(9)
    ladder = Ladder("big")
    ladder.rows(card, 9)
    ladder.rows(card, 9, 4)
    assert card.asked == [9, 4, 4, 1] and ladder.record() == {}


def test_freeing_other_models_may_be_enough():
    card = Card(1)
    ladder = Ladder("big", lambda: setattr(card, "fits", 8) or ["other"])
    assert len(ladder.rows(card, 8)) == 8 and ladder.record() == {"freed_models": True}


def test_only_what_was_freed_is_said():
    ladder = Ladder("big", list)
    assert len(ladder.rows(Card(2), 4)) == 4 and ladder.record() == {"rows_at_once": 2}
    card = Card(2)  # what earlier jobs left was enough, and no model had to go
    ladder = Ladder("big", lambda: setattr(card, "fits", 4) or [])
    assert len(ladder.rows(card, 4)) == 4 and ladder.record() == {}


def test_one_row_that_does_not_fit_is_an_error_that_says_what_to_do():
    card = Card(0)
    with pytest.raises(OutOfMemory, match=r"'big' does not fit .*\(no room for 1\).*shorter clip"):
        Ladder("big").rows(card, 4)
    assert card.asked == [4, 4, 2, 1]


def test_the_failed_attempt_holds_nothing_when_the_next_begins():
    held = []

    def evaluate(first: int, end: int) -> torch.Tensor:
        assert all(reference() is None for reference in held)
        activations = torch.zeros(1000)
        held.append(weakref.ref(activations))
        if end - first > 1:
            raise RuntimeError("CUDA out of memory")
        return activations[:1].clone()

    assert len(Ladder("big").rows(evaluate, 2)) == 2 and len(held) == 4


def test_other_errors_are_not_climbed():
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(ValueError("out of memory"))
    card = Card(0)
    with pytest.raises(RuntimeError, match="shapes differ"):
        Ladder("big").rows(lambda a, b: card.asked.append(1) or (_ for _ in ()).throw(RuntimeError("shapes differ")), 4)
    assert card.asked == [1]
