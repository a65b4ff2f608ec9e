# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from server.models.embedded.waveform.pools import Pools
from server.models.embedded.waveform.shape import CHANNELS


def test_a_pool_is_a_function_of_its_number(pools: Callable[[Path | None], Pools]) -> None:
    here = pools(None)
    first, second = here.get(0), here.get(1)
    again = pools(None).get(0)
    assert first.latents.shape == (4, CHANNELS, 320) and len(first.captions) == 4 and first.heard.shape == (4, 3)
    assert torch.equal(first.latents, again.latents) and first.captions == again.captions
    assert not torch.equal(first.latents, second.latents)


def test_a_kept_pool_is_read_and_not_made_again(pools: Callable[[Path | None], Pools], tmp_path: Path) -> None:
    made = pools(tmp_path).get(0)
    file = tmp_path / "pool-0.pt"
    content = torch.load(file, weights_only=True)
    torch.save({**content, "latents": content["latents"] + 1}, file)
    assert torch.equal(pools(tmp_path).get(0).latents, made.latents + 1)


def test_latents_are_of_unit_size(pools: Callable[[Path | None], Pools]) -> None:
    latents = pools(None).get(0).latents.float()
    assert 0.4 < latents.std() < 2 and latents.isfinite().all()
