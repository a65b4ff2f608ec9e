# SPDX-License-Identifier: GPL-3.0-or-later
"""Residency: reuse, least recently used out first, pins, changed folders, and one explanation of memory."""

from __future__ import annotations

import shutil
import time
import weakref

import pytest
import torch

from server.errors import InvalidOption, OutOfMemory
from server.models import pool as pool_module
from server.models.catalogue import find
from server.models.loading import locate
from server.models.pool import ModelPool, default_budget_bytes, out_of_memory_explained, weight_bytes


@pytest.fixture
def names(tiny_folder):
    return {layout: str(tiny_folder(layout)) for layout in ("audioldm", "audioldm2", "stable_audio")}


def loaded(pool):
    return [model.name for model in pool.resident()]


def test_a_resident_model_is_reused(names):
    pool = ModelPool(budget_bytes=10**9)
    with pool.use(names["audioldm"], device="cpu") as first:
        pass
    with pool.use(names["audioldm"], device="cpu") as second:
        assert second is first
        with pool.use(names["audioldm"], device="cpu", dtype="bfloat16") as half:
            assert half is not first and half.dtype is torch.bfloat16


def test_the_least_recently_used_goes_first_and_is_gone(tiny_folder):
    first, second, third = (str(tiny_folder("stable_audio", seed=seed)) for seed in (1, 2, 3))
    pool = ModelPool(budget_bytes=int(2.5 * locate(find(first)).n_bytes))
    with pool.use(first, device="cpu") as backbone:
        gone = weakref.ref(backbone)
    del backbone
    for name in (second, first, second):
        with pool.use(name, device="cpu"):
            pass
    assert loaded(pool) == [first, second]
    with pool.use(third, device="cpu"):
        assert loaded(pool) == [second, third]
    assert gone() is None


def test_a_model_in_use_is_never_unloaded(names):
    pool = ModelPool(budget_bytes=1)
    with pool.use(names["audioldm"], device="cpu") as backbone, pool.use(names["audioldm2"], device="cpu"):
        assert pool.unload_unused() == []
        assert loaded(pool) == [names["audioldm"], names["audioldm2"]]
        assert all(model.in_use for model in pool.resident())
        assert backbone.encode(torch.zeros(1, 1, 700)).shape == (1, 8, 2, 16)
    del backbone
    pool.unload_unused()
    assert pool.resident() == []


def test_a_model_that_somebody_still_holds_is_noticed(names):
    pool = ModelPool(budget_bytes=10**9)
    with pool.use(names["audioldm"], device="cpu") as backbone:
        kept = backbone
    del backbone
    with pytest.raises(AssertionError, match="something still holds"):
        pool.unload_unused()
    assert kept.facts.layout == "audioldm"


def test_a_pin_ends_with_an_error_too(names):
    pool = ModelPool(budget_bytes=10**9)
    with pytest.raises(InvalidOption), pool.use(names["audioldm"], device="cpu"):
        raise InvalidOption("from the job")
    assert not pool.resident()[0].in_use


def test_a_changed_folder_is_loaded_anew(names, tmp_path):
    folder = shutil.copytree(names["audioldm"], tmp_path / "mine")
    pool = ModelPool(budget_bytes=10**9)
    with pool.use(str(folder), device="cpu") as first:
        revision = first.facts.revision
    other = tmp_path / "mine" / "scheduler" / "scheduler_config.json"
    other.write_text(other.read_text().replace('"beta_end": 0.0195', '"beta_end": 0.0196'))
    with pool.use(str(folder), device="cpu") as second:
        assert second is not first and second.facts.revision != revision


def test_sizes_count_every_weight_once(names, tiny_backbone):
    on_disk = locate(find(names["stable_audio"])).n_bytes
    assert 0.8 * on_disk < weight_bytes(tiny_backbone("stable_audio")) < 1.2 * on_disk
    assert default_budget_bytes(torch.device("cpu")) > 10**8


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
    ],
)
def test_running_out_of_memory_is_one_error(error):
    with pytest.raises(OutOfMemory, match="'big' does not fit.*shorter clip") as caught, out_of_memory_explained("big"):
        raise error
    assert caught.value.retryable


def test_a_real_allocation_that_cannot_be_had():
    with pytest.raises(OutOfMemory), out_of_memory_explained("big"):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="something else"), out_of_memory_explained("big"):
        raise RuntimeError("something else")


def test_a_pinned_model_stays_until_it_is_unpinned(names):
    pool = ModelPool(budget_bytes=1)
    pool.pin(names["audioldm"])
    with pool.use(names["audioldm2"], device="cpu"):
        assert loaded(pool) == [names["audioldm"], names["audioldm2"]]
    assert [model.pinned for model in pool.resident()] == [True, False]
    assert pool.unload_unused() == [names["audioldm2"]]
    with pytest.raises(InvalidOption, match="is pinned or in use and stays loaded.*unpin"):
        pool.unload(names["audioldm"])
    pool.unpin(names["audioldm"])
    pool.unload(names["audioldm"])
    pool.unload(names["audioldm"])
    assert pool.resident() == []


def test_what_has_not_been_used_for_long_is_freed(names, monkeypatch):
    pool = ModelPool(budget_bytes=10**9)
    for layout in ("audioldm", "stable_audio"):
        with pool.use(names[layout], device="cpu"):
            pass
    assert pool.unload_unused(60.0) == []
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 61.0)
    with pool.use(names["stable_audio"], device="cpu"):
        pass
    assert pool.unload_unused(60.0) == [names["audioldm"]] and loaded(pool) == [names["stable_audio"]]


def test_two_models_are_resident_together_and_one_that_does_not_fit_drives_out_the_rest(names, monkeypatch):
    pool, build, failed = ModelPool(budget_bytes=10**9), pool_module.loading.build, []
    for layout in ("stable_audio", "audioldm2"):
        with pool.use(names[layout], device="cpu"):
            pass
    assert loaded(pool) == [names["stable_audio"], names["audioldm2"]]

    def short_of_memory(*located, **how):
        if len(pool.resident()) > 1 or not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return build(*located, **how)

    monkeypatch.setattr(pool_module.loading, "build", short_of_memory)
    pool.pin(names["audioldm2"])
    with pool.use(names["audioldm"], device="cpu"):
        assert loaded(pool) == [names["audioldm2"], names["audioldm"]] and failed == [1]


def test_a_model_is_pinned_and_let_go_by_any_of_its_names(names, tmp_path):
    (tmp_path / "models.toml").write_text(f'[mine]\nsource = "{names["audioldm"]}"\ndevice = "cpu"\n')
    pool = ModelPool(budget_bytes=10**9, home=tmp_path)
    with pool.use(names["audioldm"], device="cpu"):
        pass
    pool.pin("mine")
    assert [(model.name, model.pinned) for model in pool.resident()] == [("mine", True)] and pool.unload_unused() == []
    pool.unpin(names["audioldm"])
    pool.unload("mine")
    assert pool.resident() == []
