"""The training loop shared by all stages: budget, learning rate, averages of weights, checkpoints and curves.

All randomness of a step is keyed by (seed, step), so a resumed run draws what an uninterrupted one would have drawn.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    """How long a stage runs (whichever of minutes and steps ends first), where, and how it is logged."""

    minutes: float = 1e9
    steps: int = 1 << 60
    device: str = "auto"
    seed: int = 0
    batch: int = 64
    learning_rate: float = 5e-4
    anneal: bool = False
    ema_decay: float = 0.999
    warm_steps: int = 100
    log_every: int = 50
    save_every_s: float = 60.0


def pick_device(name: str) -> torch.device:
    """`auto` is cuda where there is one, else the CPU."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def settle() -> None:
    """Settings of the whole process that make training faster: for processes that do nothing else."""
    torch.backends.cudnn.benchmark = True  # sizes never change within a stage
    torch.set_flush_denormal(True)  # numbers too small to matter take a processor long


class Average:
    """Exponential moving average of a network's parameters and buffers, in a copy of its state."""

    def __init__(self, net: nn.Module) -> None:
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, decay: float) -> None:
        """Move the average towards the network by `1 - decay`."""
        now = net.state_dict()
        moving = [k for k, v in self.state.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.state[k] for k in moving], [now[k] for k in moving], 1 - decay)


class Loop:
    """State of one stage: networks, optimisers, averages, step count; saved to and resumed from `<name>.pt`."""

    def __init__(self, folder: Path, name: str, settings: Settings, nets: dict[str, nn.Module],
                 optimisers: dict[str, torch.optim.Optimizer], averaged: tuple[str, ...]) -> None:
        self.folder, self.name, self.settings = folder, name, settings
        self.nets, self.optimisers = nets, optimisers
        self.device = next(iter(nets.values())).parameters().__next__().device
        self.averages = {key: Average(nets[key]) for key in averaged}
        self.step, self.warm_from = 0, 0
        self._noted: dict[str, list[Tensor]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._restore(torch.load(self.path, map_location=self.device, weights_only=True))
        self._first_step, self._begun, self._saved = self.step, time.monotonic(), time.monotonic()

    @property
    def path(self) -> Path:
        """The checkpoint of this stage."""
        return self.folder / f"{self.name}.pt"

    def _restore(self, state: dict) -> None:
        for key, net in self.nets.items():
            if key in state["nets"]:
                net.load_state_dict(state["nets"][key])
        for key, average in self.averages.items():
            for k, v in state["averages"][key].items():
                average.state[k].copy_(v)
        for key, optimiser in self.optimisers.items():
            if key in state["optimisers"]:
                optimiser.load_state_dict(state["optimisers"][key])
        self.step = state["step"]
        self.warm_from = state["warm_from"] if state["optimisers"] else self.step

    def save(self, optimisers: bool = True) -> None:
        """Write the checkpoint, replacing the old one in one move."""
        state = {
            "step": self.step, "warm_from": self.warm_from,
            "nets": {k: net.state_dict() for k, net in self.nets.items()},
            "averages": {k: a.state for k, a in self.averages.items()},
            "optimisers": {k: o.state_dict() for k, o in self.optimisers.items()} if optimisers else {},
        }
        new = self.path.with_suffix(".new")
        torch.save(state, new)
        new.replace(self.path)
        self._saved = time.monotonic()

    def _progress(self) -> float:
        by_time = (time.monotonic() - self._begun) / (60 * self.settings.minutes)
        by_steps = (self.step - self._first_step) / max(1, self.settings.steps)
        return min(1.0, by_steps if self.settings.steps < 1 << 60 else by_time)

    def steps(self) -> Iterator[tuple[np.random.Generator, torch.Generator]]:
        """Yield the generators of each step until the budget ends; sets the learning rate, saves, logs."""
        ends = self._begun + 60 * self.settings.minutes
        while self.step - self._first_step < self.settings.steps and time.monotonic() < ends:
            warm = min(1.0, (self.step - self.warm_from + 1) / self.settings.warm_steps)
            down = max(0.02, 1 - self._progress()) if self.settings.anneal else 1.0
            for optimiser in self.optimisers.values():
                for group in optimiser.param_groups:
                    group["lr"] = self.settings.learning_rate * warm * down
            generator = torch.Generator(self.device).manual_seed(self.settings.seed * 1_000_003 + self.step)
            yield np.random.default_rng([self.settings.seed, self.step]), generator
            for key, average in self.averages.items():
                average.update(self.nets[key], min(self.settings.ema_decay, (1 + self.step) / (10 + self.step)))
            self.step += 1
            if self.step % self.settings.log_every == 0:
                self._write_log()
            if time.monotonic() - self._saved > self.settings.save_every_s:
                self.save()
        self.save()

    def note(self, **values: Tensor) -> None:
        """Keep scalars of this step for the next line of the curves, without waiting for the device."""
        for key, value in values.items():
            self._noted.setdefault(key, []).append(value.detach().float())

    def _write_log(self) -> None:
        means = {key: float(torch.stack(values).mean()) for key, values in self._noted.items()}
        self._noted = {}
        self.record(**means)

    def record(self, **values: float) -> None:
        """Append one line to `<name>.jsonl` and print it."""
        line = {"step": self.step, "seconds": round(time.monotonic() - self._begun, 1),
                **{k: round(v, 5) for k, v in values.items()}}
        with (self.folder / f"{self.name}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        print(self.name, json.dumps(line), flush=True)


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on cuda and on CPUs that multiply in it (there it saved a fifth of a step), nothing on others."""
    native = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def compact(folder: Path, name: str, out: Path) -> None:
    """Write a stage's checkpoint without optimiser and with the averages in place of the raw weights.

    It resumes too: the optimiser starts anew, with a short rise of the learning rate.
    """
    state = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
    nets = {key: state["averages"].get(key, weights) for key, weights in state["nets"].items()}
    out.mkdir(parents=True, exist_ok=True)
    torch.save({**state, "nets": nets, "optimisers": {}}, out / f"{name}.pt")


def averaged_state(path: Path, key: str) -> dict[str, Tensor]:
    """The averaged weights of one network in a stage's checkpoint, on the CPU."""
    return torch.load(path, map_location="cpu", weights_only=True)["averages"][key]
