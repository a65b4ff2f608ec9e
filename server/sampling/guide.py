"""Guidance that evaluates only what it needs: `x0 = u + w (c - u)`, u unconditional and c conditional.

Weight 0 needs u alone, weight 1 needs c alone, any other both. What is needed goes through the network in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from server.sampling.levels import Level


class Denoiser(Protocol):
    """What guidance asks of a backbone; a conditioning is the backbone's own affair."""

    def denoise(self, x: Tensor, level: Level, conditionings: Sequence[Any]) -> Tensor: ...


def guided(
    backbone: Denoiser, conditional: Sequence[Any], null: Sequence[Any], weight: float | Sequence[float]
) -> Callable[[Tensor, Level], Tensor]:
    """A denoiser of `len(conditional)` items under guidance.

    Args:
        conditional, null: the prompt and the null prompt of each item.
        weight: guidance weight, one for all or one per item (so that guided and unguided items share a batch).

    Returns:
        `denoise(x, level)`. x is [items, ...], or a whole number of such batches one after the other, as when one
        trajectory is evaluated at several levels at once.

    Raises:
        ValueError: the three are not of one length, or x is not a whole number of batches of items.
    """
    n = len(conditional)
    weights = [float(weight)] * n if isinstance(weight, int | float) else [float(w) for w in weight]
    if not len(null) == len(weights) == n > 0:
        raise ValueError(f"{n} prompts, {len(null)} null prompts and {len(weights)} guidance weights: give one each")
    conditionings, source, without, with_prompt = _rows(conditional, null, weights)

    def denoise(x: Tensor, level: Level) -> Tensor:
        copies, rest = divmod(len(x), n)
        if rest:
            raise ValueError(f"a batch of {len(x)} is not a whole number of batches of {n} items")
        if source == list(range(n)):
            return backbone.denoise(x, level, conditionings * copies)
        index = _repeat(source, copies, n)
        answers = backbone.denoise(x[index], level.rows(index), conditionings * copies)
        u = answers[_repeat(without, copies, len(source))]
        c = answers[_repeat(with_prompt, copies, len(source))]
        return u + x.new_tensor(weights * copies).reshape(-1, *[1] * (x.ndim - 1)) * (c - u)

    return denoise


def _rows(
    conditional: Sequence[Any], null: Sequence[Any], weights: Sequence[float]
) -> tuple[list[Any], list[int], list[int], list[int]]:
    """The network's rows: conditioning and item of each, and for each item the row of its u and of its c.

    An item that needs one evaluation has it as both, which leaves it unchanged.
    """
    conditionings: list[Any] = []
    source: list[int] = []
    without: list[int] = []
    with_prompt: list[int] = []
    for item, w in enumerate(weights):
        needed = [null[item]] * (w != 1.0) + [conditional[item]] * (w != 0.0)
        without.append(len(source))
        conditionings += needed
        source += [item] * len(needed)
        with_prompt.append(len(source) - 1)
    return conditionings, source, without, with_prompt


def _repeat(index: Sequence[int], copies: int, stride: int) -> list[int]:
    """`index` into each of `copies` blocks of `stride` rows."""
    return [copy * stride + i for copy in range(copies) for i in index]
