# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from server.models.embedded.loop import Loop, Settings, averaged_state, compact


def same(left: object, right: object) -> bool:
    """Whether two checkpoints agree in every bit."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def line(folder: Path, steps: int, **options: object) -> Loop:
    """A stage that fits a line, by `steps` more steps."""
    settings = Settings(steps=steps, device="cpu", seed=2, learning_rate=0.1, log_every=2, **options)
    torch.manual_seed(0)
    net = nn.Linear(1, 1)
    loop = Loop(folder, "line", settings, {"net": net}, {"net": torch.optim.AdamW(net.parameters())}, ("net",))
    for _, generator in loop.steps():
        x = torch.randn(16, 1, generator=generator)
        error = (net(x) - 3 * x).square().mean()
        loop.optimisers["net"].zero_grad()
        error.backward()
        loop.optimisers["net"].step()
        loop.note(error=error)
    return loop


def test_a_resumed_stage_ends_where_an_uninterrupted_one_does(
    vae_steps: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    whole = vae_steps(tmp_path / "whole", 4)
    vae_steps(tmp_path / "parts", 2)
    parts = vae_steps(tmp_path / "parts", 2)
    left, right = (torch.load(path, weights_only=True) for path in (whole, parts))
    assert left["step"] == right["step"] == 4
    assert same(left, right)


def test_curves_are_written_line_by_line(tmp_path: Path) -> None:
    line(tmp_path, 4)
    lines = [json.loads(text) for text in (tmp_path / "line.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in lines] == [2, 4]
    assert all(entry["error"] > 0 for entry in lines)


def test_the_rate_rises_first_and_falls_when_annealed(tmp_path: Path) -> None:
    def rate(loop: Loop) -> float:
        return loop.optimisers["net"].param_groups[0]["lr"]

    assert rate(line(tmp_path / "a", 1)) == pytest.approx(0.1 / 100)
    assert rate(line(tmp_path / "b", 300)) == pytest.approx(0.1)
    assert rate(line(tmp_path / "c", 300, anneal=True)) == pytest.approx(0.1 * 0.02)


def test_averages_follow_the_weights(tmp_path: Path) -> None:
    loop = line(tmp_path, 50, ema_decay=0.0)
    average = averaged_state(loop.path, "net")
    assert all(torch.allclose(average[k], v) for k, v in loop.nets["net"].state_dict().items())


def test_a_compact_checkpoint_holds_the_averages_and_goes_on(tmp_path: Path) -> None:
    line(tmp_path / "full", 20)
    compact(tmp_path / "full", "line", tmp_path / "compact")
    state = torch.load(tmp_path / "compact" / "line.pt", weights_only=True)
    assert state["optimisers"] == {} and same(state["nets"]["net"], averaged_state(tmp_path / "full" / "line.pt", "net"))
    loop = line(tmp_path / "compact", 3)
    assert loop.step == 23 and loop.warm_from == 20
