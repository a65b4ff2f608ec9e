# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models are resident: least recently used goes first, never one that a job is using or a person has pinned.

For the worker's main thread alone. The budget is for weights; what a render needs beside them is the caller's reserve.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from server.errors import InvalidOption
from server.models import loading
from server.models.base import Backbone
from server.models.catalogue import find
from server.models.memory import is_out_of_memory, out_of_memory

WEIGHT_SHARE = 0.7  # of a device's memory; the rest is for activations


@dataclass(frozen=True)
class Key:
    """What makes two requests the same resident model. revision: so that a changed folder is loaded anew."""

    folder: Path
    revision: str
    device: str
    dtype: torch.dtype
    window: str | None


@dataclass(eq=False)
class _Resident:
    name: str
    backbone: Backbone
    n_bytes: int
    names: set[str] = field(default_factory=set)  # all that it was asked for by: a folder may have several
    n_users: int = 0
    pinned: bool = False
    used: float = field(default_factory=time.monotonic)

    @property
    def is_free(self) -> bool:
        """Whether its memory may be taken."""
        return not self.n_users and not self.pinned


@dataclass(frozen=True)
class ResidentModel:
    """One line of what is loaded: weights in bytes, whether a job is using it, and whether it stays when none does."""

    name: str
    device: str
    n_bytes: int
    in_use: bool
    pinned: bool


class ModelPool:
    """Loads backbones and keeps them until their memory is needed.

    budget_bytes: of each device; None takes 70 % of its memory. A model larger than the budget is loaded alone.
    """

    def __init__(self, *, budget_bytes: int | None = None, home: Path | None = None) -> None:
        self._budget_bytes = budget_bytes
        self._home = home
        self._resident: OrderedDict[Key, _Resident] = OrderedDict()

    @contextmanager
    def use(
        self, name: str, *, device: str | None = None, dtype: str | None = None, window: str | None = None
    ) -> Iterator[Backbone]:
        """The backbone called `name`, pinned while the block runs; arguments as `loading.load`.

        Raises:
            InvalidOption, ModelUnavailable: as `loading.load`.
            OutOfMemory: the block, or loading, ran out of memory.
        """
        with out_of_memory_explained(name):
            key, resident = self._obtain(name, device, dtype, window)
            self._resident.move_to_end(key)
            resident.n_users += 1
            try:
                yield resident.backbone
            finally:
                resident.n_users -= 1
                resident.used = time.monotonic()

    def resident(self) -> list[ResidentModel]:
        """What is loaded, least recently used first."""
        return [ResidentModel(r.name, key.device, r.n_bytes, r.n_users > 0, r.pinned) for key, r in self._resident.items()]

    def pin(self, name: str) -> None:
        """Load the model and keep it until it is unpinned. Raises as `use`."""
        with self.use(name):
            for resident in self._called(name).values():
                resident.name, resident.pinned = name, True

    def unpin(self, name: str) -> None:
        """Let the model go when its memory is needed, as any other; no matter if it is not loaded."""
        for resident in self._called(name).values():
            resident.pinned = False

    def unload(self, name: str) -> None:
        """Free the model of that name now; no matter if it is not loaded.

        Raises:
            InvalidOption: it is pinned, or a job is using it.
        """
        keys = list(self._called(name))  # nothing here may hold the model while it is let go
        if not all(self._resident[key].is_free for key in keys):
            raise InvalidOption(f"{name} is pinned or in use and stays loaded. `athanor models unpin {name}` lets it go.")
        for key in keys:
            self._unload(key)

    def unload_unused(self, idle_s: float = 0.0) -> list[str]:
        """Free every model that is not pinned and that no job has used for `idle_s` seconds; returns their names."""
        before = time.monotonic() - idle_s
        old = {key: r.name for key, r in self._resident.items() if r.is_free and r.used <= before}
        for key in old:
            self._unload(key)
        return list(old.values())

    def _called(self, name: str) -> dict[Key, _Resident]:
        return {key: resident for key, resident in self._resident.items() if name in resident.names}

    def _obtain(self, name: str, device: str | None, dtype: str | None, window: str | None) -> tuple[Key, _Resident]:
        source = find(name, self._home)
        chosen = loading.choose_device(device or source.device or "auto")
        precision = loading.choose_dtype(dtype or source.dtype or "float32", chosen)
        located = loading.locate(source)
        key = Key(located.folder, located.revision, str(chosen), precision, window or source.window)
        if key not in self._resident:
            self._make_room(key.device, located.n_bytes)
            backbone = self._build(located, device=chosen, dtype=precision, window=key.window)
            self._resident[key] = _Resident(name, backbone, weight_bytes(backbone))
        self._resident[key].names.add(name)
        return key, self._resident[key]

    def _build(self, located: loading.Located, **how: Any) -> Backbone:
        """The adapter; where its weights do not fit beside others, the budget notwithstanding, those that are free go."""
        try:
            return loading.build(located, **how)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self.unload_unused()
        return loading.build(located, **how)

    def _make_room(self, device: str, n_bytes: int) -> None:
        budget = self._budget_bytes if self._budget_bytes is not None else default_budget_bytes(torch.device(device))
        unused = [key for key, resident in self._resident.items() if key.device == device and resident.is_free]
        for key in unused:
            if self._used_bytes(device) + n_bytes <= budget:
                return
            self._unload(key)

    def _used_bytes(self, device: str) -> int:
        return sum(resident.n_bytes for key, resident in self._resident.items() if key.device == device)

    def _unload(self, key: Key) -> None:
        resident = self._resident.pop(key)
        assert resident.is_free, "a model that is in use or pinned is never unloaded"
        reference = weakref.ref(resident.backbone)
        del resident
        gc.collect()
        assert reference() is None, f"something still holds the unloaded model {key.folder}"
        if torch.device(key.device).type == "cuda":
            torch.cuda.empty_cache()


def weight_bytes(backbone: Backbone) -> int:
    """Bytes of all weights and buffers of a backbone's parts, each counted once."""
    tensors = {id(t): t for module in parts_of(backbone) for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def parts_of(backbone: Backbone) -> list[nn.Module]:
    """Every network that a backbone holds: as an attribute, or in a dataclass of parts."""
    attributes = list(vars(backbone).values())
    grouped = [value for group in attributes if is_dataclass(group) for value in vars(group).values()]
    return [part for part in attributes + grouped if isinstance(part, nn.Module)]


def default_budget_bytes(device: torch.device) -> int:
    """70 % of the memory of `device`; of the machine's for a CPU and for mps, which shares it."""
    if device.type == "cuda":
        return int(WEIGHT_SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(WEIGHT_SHARE * psutil.virtual_memory().total)


@contextmanager
def out_of_memory_explained(name: str) -> Iterator[None]:
    """The one place where torch's several ways of running out of memory become OutOfMemory."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(name, str(error)) from error
