from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from server.sampling.guide import guided
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, solve


@dataclass
class Counting:
    """A backbone whose prompts are numbers; it keeps what it was asked."""

    asked: list[list[float]] = field(default_factory=list)

    def denoise(self, x: Tensor, level, conditionings) -> Tensor:
        assert len(conditionings) == len(x)
        self.asked.append(list(conditionings))
        alpha, _ = level.factors(x)
        prompt = x.new_tensor(conditionings).reshape(-1, *[1] * (x.ndim - 1))
        return alpha * torch.sin(x) + prompt


X = torch.linspace(-1, 1, 12).reshape(2, 6)
PROMPTS, NULL = [3.0, 4.0], [0.0, 0.5]


def plain(x, level, prompts):
    return Counting().denoise(x, level, prompts)


@pytest.mark.parametrize(
    "weight, asked", [(0.0, [0.0, 0.5]), (1.0, [3.0, 4.0]), (7.0, [0.0, 3.0, 0.5, 4.0]), (0.4, [0.0, 3.0, 0.5, 4.0])]
)
def test_only_what_is_needed_is_evaluated_in_one_batch(audioldm2, weight, asked):
    backbone, level = Counting(), audioldm2(10).at(3)
    answer = guided(backbone, PROMPTS, NULL, weight)(X, level)
    assert backbone.asked == [asked]
    u, c = plain(X, level, NULL), plain(X, level, PROMPTS)
    torch.testing.assert_close(answer, u + weight * (c - u))


def test_each_item_has_its_own_weight(audioldm2):
    backbone, level = Counting(), audioldm2(10).at(3)
    x = torch.cat([X, X[:1]])
    answer = guided(backbone, [3.0, 4.0, 5.0], [0.0, 0.5, 0.7], [7.0, 0.0, 1.0])(x, level)
    assert backbone.asked == [[0.0, 3.0, 0.5, 5.0]]
    torch.testing.assert_close(answer[0], 7 * plain(X[:1], level, [3.0])[0] - 6 * plain(X[:1], level, [0.0])[0])
    assert torch.equal(answer[1:], plain(x[1:], level, [0.5, 5.0]))


def test_one_level_per_item_follows_its_rows(audioldm2):
    levels = audioldm2(10)
    answer = guided(Counting(), PROMPTS, NULL, 3.0)(X, levels.at([2, 5]))
    for item, index in enumerate((2, 5)):
        alone = guided(Counting(), PROMPTS[item : item + 1], NULL[item : item + 1], 3.0)
        torch.testing.assert_close(answer[item : item + 1], alone(X[item : item + 1], levels.at(index)))


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0, [1.0, 3.0]])
def test_whole_batches_one_after_the_other(audioldm2, weight):
    """As edit-friendly inversion asks: the same items at several levels."""
    levels, backbone = audioldm2(10), Counting()
    denoise = guided(backbone, PROMPTS, NULL, weight)
    x = torch.cat([X, 2 * X, 3 * X])
    together = denoise(x, levels.at([1, 1, 4, 4, 7, 7]))
    assert len(backbone.asked) == 1
    for block, index in enumerate((1, 4, 7)):
        rows = slice(2 * block, 2 * block + 2)
        torch.testing.assert_close(together[rows], denoise(x[rows], levels.at(index)))


def test_evaluations_of_a_whole_render(audioldm2):
    noise = KeyedNoise(1, (0, 1))
    for weight, rows in ((0.0, 2), (1.0, 2), (7.0, 4)):
        backbone = Counting()
        solve(guided(backbone, PROMPTS, NULL, weight), State(noise.initial((6,))), audioldm2(25), noise=noise)
        assert [len(asked) for asked in backbone.asked] == [rows] * 25


def test_lengths_that_do_not_match_are_refused(audioldm2):
    with pytest.raises(ValueError, match="2 prompts, 1 null prompts"):
        guided(Counting(), PROMPTS, NULL[:1], 7.0)
    with pytest.raises(ValueError, match="3 guidance weights"):
        guided(Counting(), PROMPTS, NULL, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="batch of 3"):
        guided(Counting(), PROMPTS, NULL, 7.0)(torch.zeros(3, 6), audioldm2(10).at(3))
