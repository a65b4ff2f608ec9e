# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory runs out, models come and go, and a pinned one outlives the worker. Real models at toy size."""

from __future__ import annotations

import gc
import math
import os
import signal
import weakref
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from harness import Server, until

from server.errors import OutOfMemory
from server.kinds import parse_options
from server.methods import run
from server.methods.context import Context
from server.models import tiny
from server.models.base import Backbone
from server.models.loading import load
from server.models.pool import ModelPool

LOADING_S = 120.0  # a worker that imports torch on a busy machine


class Cramped(Backbone):
    """A model on a device where no more than `fits` items are denoised at once. Counts what it is asked for."""

    def __init__(self, inner: Backbone, fits: int) -> None:
        self.inner, self.fits, self.asked = inner, fits, []
        self.facts, self.device, self.dtype, self.network = inner.facts, inner.device, inner.dtype, inner.network
        for name in ("levels", "latent_shape", "encode", "decode", "condition"):
            setattr(self, name, getattr(inner, name))

    levels = latent_shape = encode = decode = condition = None  # the inner model's, set above

    def denoise(self, x, level, conditionings):
        self.asked.append(len(x))
        if len(x) > self.fits:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(x)} GiB.")
        return self.inner.denoise(x, level, conditionings)


@pytest.fixture
def render(tmp_path: Path):
    """`render(backbone, **options)`: the outputs of a generate job with it, whose context counts calls of `free_memory`."""
    freed: list[int] = []

    def made(backbone: Backbone, **options: object):
        context = Context("job", {}, tmp_path, lambda name: backbone, lambda step: None,
                          free_memory=lambda: freed.append(1) or ["other"])
        return run("generate", {}, parse_options("generate", {"steps": 4, "seconds": 1, "seed": 3, "prompt": "rain",
                                                              "guidance": 1, "raw_level": True} | options), context)

    made.freed = freed
    return made


def test_a_job_that_runs_out_of_memory_goes_on_with_a_smaller_batch(tmp_path, render) -> None:
    """Failure test 28: a fake allocator fails at 8 and 4 items; at 2 it fits, with the audio of the full batch."""
    inner = load(str(tiny.build("audioldm", tmp_path / "toy")), device="cpu")
    roomy, cramped = Cramped(inner, 8), Cramped(inner, 2)
    whole, parts = render(roomy, variations=8), render(cramped, variations=8)
    assert roomy.asked == [8] * 4 and cramped.asked == [8, 8, 4, *[2] * 16]
    assert render.freed == [1], "other models go before the batch is halved"
    for one, other in zip(whole, parts, strict=True):
        error = np.abs(one.clip.samples - other.clip.samples).max() / np.abs(one.clip.samples).max()
        assert 20 * math.log10(max(error, 1e-9)) < -80
        assert one.provenance.keys() | {"memory"} == other.provenance.keys()
        assert other.provenance["memory"] == {"freed_models": True, "rows_at_once": 2}
    cramped.asked.clear()
    cramped.fits = 8
    render(cramped, variations=8)
    assert cramped.asked == [8] * 4, "the next job begins with the full batch"
    with pytest.raises(OutOfMemory, match="does not fit the memory.*shorter clip"):
        render(Cramped(inner, 0))


def alternate(folders: list[str], times: int) -> list[int]:
    """Render with each model in turn, of which only one has room; the resident set size after each, bytes."""
    pool, sizes, gone = ModelPool(budget_bytes=1), [], None
    for turn in range(times):
        with pool.use(folders[turn % 2], device="cpu") as backbone:
            assert gone is None or gone() is None, "the other model is still in memory"
            assert [model.name for model in pool.resident()] == [folders[turn % 2]]
            gone = weakref.ref(backbone)
            x = torch.zeros(1, *backbone.latent_shape(8000))
            with torch.no_grad():
                backbone.denoise(x, backbone.levels(4).at(1), [backbone.condition("rain", 1.0)])
        del backbone
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss)
    return sizes


def test_two_models_in_turn_leave_nothing_behind(tmp_path) -> None:
    """Failure test 31: memory stays flat, and what was unloaded is gone."""
    sizes = alternate([str(tiny.build(layout, tmp_path / layout)) for layout in ("stable_audio", "audioldm")], 6)
    settled = sizes[len(sizes) // 3]
    assert max(sizes[-2:]) - settled < 30 * 2**20, sizes


@pytest.mark.timeout(300)
async def test_pins_outlive_the_worker_and_what_is_idle_is_unloaded(serve) -> None:
    server: Server = await serve(idle_unload_s="0.5")
    for name in ("kept", "other"):
        tiny.build("audioldm", server.home / name)
    (server.home / "models.toml").write_text("".join(f'[{name}]\nsource = "{name}"\n' for name in ("kept", "other")))
    client = await server.client()

    async def loaded() -> set[str]:
        return {model["name"] for model in (await client.models())["backbones"] if model["resident"]}

    async def only_kept() -> bool:
        return await loaded() == {"kept"}

    await client.model("pin", "kept")
    await client.model("load", "other")
    assert "kept" in await loaded()
    await until(only_kept, "the idle model unloaded, the pinned one not", LOADING_S)
    pid = await server.worker_pid(client)
    os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        return (await client.stats())["worker"]["pid"] not in (None, pid)

    await until(replaced, "a new worker", LOADING_S)
    await until(only_kept, "the pinned model loaded again", LOADING_S)
    assert [one["name"] for one in (await client.models())["backbones"] if one["pinned"]] == ["kept"]
