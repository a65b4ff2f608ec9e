# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions that were found, kept as one safetensors file, and what they add to a model's estimate at any level.

The file holds `vectors` [levels, n, ...] (one level where they were found at a fixed one), `eigenvalues` [curve levels, n],
and in its metadata key `athanor` a card: model and revision, latent shape, the SNR of every level, how they were found.
Directions are vectors in a model's latents: they fit clips of as many latent frames on the same weights, and no others.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from server.errors import InvalidInput
from server.models.base import BackboneFacts

FORMAT = "directions/1"


@dataclass(frozen=True, eq=False)
class Directions:
    """Principal components and how far one standard deviation goes along each at every level.

    vectors: [levels, n, *latent shape of one item] float32 on the CPU, of unit length; snr_db: of those levels; curve:
    eigenvalues [curve levels, n]; curve_db: SNR of those levels, rising; per_step: whether each level has its own vectors;
    card: how they were found, JSON values.
    """

    vectors: Tensor
    snr_db: tuple[float, ...]
    curve: Tensor
    curve_db: tuple[float, ...]
    per_step: bool
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many directions."""
        return self.vectors.shape[1]

    def deviations(self, snr_db: float) -> Tensor:
        """sqrt(lambda) of every direction at a level, [n]: the eigenvalues of the nearest two, interpolated in dB."""
        place = min(max(bisect_left(self.curve_db, snr_db), 1), len(self.curve_db) - 1) if len(self.curve_db) > 1 else 0
        logs = self.curve.clamp(min=1e-12).log()
        if place == 0:
            return (0.5 * logs[0]).exp()
        low, high = self.curve_db[place - 1], self.curve_db[place]
        share = min(max((snr_db - low) / (high - low), 0.0), 1.0)
        return (0.5 * torch.lerp(logs[place - 1], logs[place], share)).exp()

    def shift(self, snr_db: float, weights: Tensor) -> Tensor:
        """What is added to x0hat at a level, [rows, ...]: the sum over i of weights [rows, n] sqrt(lambda_i) v_i."""
        nearest = min(range(len(self.snr_db)), key=lambda i: abs(self.snr_db[i] - snr_db))
        return torch.tensordot(weights * self.deviations(snr_db), self.vectors[nearest], dims=1)

    def first(self, n: int) -> Directions:
        """The `n` strongest of them alone."""
        return Directions(self.vectors[:, :n], self.snr_db, self.curve[:, :n], self.curve_db, self.per_step, self.card)


def to_bytes(directions: Directions, facts: BackboneFacts) -> bytes:
    """The directions as the bytes of their file, bound to the model's revision."""
    card = {"format": FORMAT, "backbone": facts.name, "layout": facts.layout, "revision": facts.revision,
            "latent_shape": list(directions.vectors.shape[2:]), "latent_hz": facts.latent_hz,
            "snr_db": list(directions.snr_db), "curve_db": list(directions.curve_db), "per_step": directions.per_step,
            "found": dict(directions.card)}
    tensors = {"vectors": directions.vectors.contiguous(), "eigenvalues": directions.curve.contiguous()}
    return safetensors.torch.save(tensors, metadata={"athanor": json.dumps(card, sort_keys=True)})


def read(path: Path, facts: BackboneFacts, latent_shape: Sequence[int]) -> Directions:
    """The directions in a file, for a model and a clip whose latents have `latent_shape`.

    Raises:
        InvalidInput: not a directions file, or one for another model, revision or length.
    """
    card, tensors = _opened(path)
    if (card["layout"], card["revision"]) != (facts.layout, facts.revision):
        raise InvalidInput(f"The directions were found on {card['backbone']} revision {card['revision'][:14]}; the model "
                           f"here is {facts.name} revision {facts.revision[:14]}. Choose that model, or find them again.")
    if card["latent_shape"] != list(latent_shape):
        had, has = (shape[1] / facts.latent_hz for shape in (card["latent_shape"], latent_shape))
        raise InvalidInput(f"The directions belong to a clip of {had:.2f} s ({card['latent_shape'][1]} latent frames); "
                           f"this clip has {has:.2f} s ({latent_shape[1]}). Cut it to that length, or find its own.")
    return Directions(tensors["vectors"], tuple(card["snr_db"]), tensors["eigenvalues"], tuple(card["curve_db"]),
                      card["per_step"], card["found"])


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            card = json.loads((file.metadata() or {}).get("athanor", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        if not _is_whole(card, tensors):
            raise ValueError("card and tensors do not belong together")
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput("The input 'from_directions' is not a directions file that vary gave back.") from None
    return card, tensors


def _is_whole(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bool:
    """Whether the card is one of this format and says of the tensors what they are; KeyError where something is missing."""
    if card["format"] != FORMAT:
        return False
    vectors, curve = tensors["vectors"], tensors["eigenvalues"]
    wanted = [len(card["snr_db"]), curve.shape[1], *card["latent_shape"]]
    said = {"backbone", "layout", "revision", "per_step", "found"} <= card.keys()
    return (said and 0 not in wanted and list(vectors.shape) == wanted and 0 < len(card["curve_db"]) == len(curve)
            and curve.ndim == 2 and all(bool(t.isfinite().all()) for t in (vectors, curve)))
