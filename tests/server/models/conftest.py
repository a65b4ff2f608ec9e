# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny checkpoints of every layout, built once, and the backbones loaded from them. Nothing here reaches the hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from server.models import tiny
from server.models.base import Backbone
from server.models.loading import load


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_folder(layout, **options of tiny.build)`: the folder of a tiny checkpoint, built once per session."""
    root = tmp_path_factory.mktemp("tiny")
    built: dict[str, Path] = {}

    def folder(layout: str, **options: object) -> Path:
        name = "-".join([layout, *(f"{key}_{value}" for key, value in options.items())])
        if name not in built:
            built[name] = tiny.build(layout, root / name, **options)
        return built[name]

    return folder


@pytest.fixture(scope="session")
def tiny_backbone(tiny_folder: Callable[..., Path]) -> Callable[..., Backbone]:
    """`tiny_backbone(layout, **options of load)`: the backbone of a tiny checkpoint on the CPU, loaded once per session."""
    loaded: dict[str, Backbone] = {}

    def backbone(layout: str, **options: str) -> Backbone:
        name = "-".join([layout, *options.values()])
        if name not in loaded:
            loaded[name] = load(str(tiny_folder(layout)), device="cpu", **options)
        return loaded[name]

    return backbone


@pytest.fixture
def normal() -> Callable[..., torch.Tensor]:
    """`normal(*shape, seed=0)`: seeded normal numbers, float32."""

    def draw(*shape: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    return draw
