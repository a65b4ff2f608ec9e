# SPDX-License-Identifier: GPL-3.0-or-later
"""Torch on one thread, and tiny checkpoints of every layout: built once, loaded once. Nothing here reaches the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from server.models.base import Backbone


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Toy networks on one thread: on a busy machine several spend their time waiting for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_folder(layout, **options of tiny.build)`: the folder of a tiny checkpoint, built once per session."""
    from server.models import tiny

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
    from server.models.loading import load

    loaded: dict[str, Backbone] = {}

    def backbone(layout: str, **options: str) -> Backbone:
        name = "-".join([layout, *options.values()])
        if name not in loaded:
            loaded[name] = load(str(tiny_folder(layout)), device="cpu", **options)
        return loaded[name]

    return backbone
