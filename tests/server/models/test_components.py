# SPDX-License-Identifier: GPL-3.0-or-later
"""Components load in float32, quietly, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from server.errors import ModelUnavailable
from server.models.loading import load
from server.models.pool import parts_of


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder("audioldm"), tmp_path / "copy")


@pytest.mark.parametrize("layout", ["stable_audio", "audioldm2", "audioldm"])
def test_a_folder_saved_in_half_precision_loads_as_float32(tiny_folder, layout):
    backbone = load(str(tiny_folder(layout, dtype=torch.float16)), device="cpu")
    assert len(parts_of(backbone)) >= 4
    assert {p.dtype for part in parts_of(backbone) for p in part.parameters()} == {torch.float32}


def test_missing_weights_are_never_replaced_by_random_ones(copy):
    path = copy / "vocoder" / "model.safetensors"
    weights = load_file(path)
    del weights["conv_pre.bias"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="its part 'vocoder' fails .1 weights are missing, conv_pre.bias first"):
        load(str(copy), device="cpu")


@pytest.mark.parametrize("part", ["unet", "vocoder"])
def test_damaged_weights_are_named(copy, part):
    path = next((copy / part).glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match=f"its part '{part}' fails"):
        load(str(copy), device="cpu")


@pytest.mark.parametrize("part", ["vae", "text_encoder"])
def test_pickled_weights_are_not_read(copy, part):
    path = next((copy / part).glob("*.safetensors"))
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(ModelUnavailable, match=f"its part '{part}' fails"):
        load(str(copy), device="cpu")


def test_a_missing_part_is_named(copy):
    shutil.rmtree(copy / "tokenizer")
    with pytest.raises(ModelUnavailable, match="its part 'tokenizer' fails"):
        load(str(copy), device="cpu")


def test_loading_and_rendering_print_nothing(tiny_folder):
    code = (
        "import sys; from server.models.loading import load; b = load(sys.argv[1], device='cpu');"
        "b.condition('a bell', 1.0); b.decode(b.encode(__import__('torch').zeros(1, 1, 3000)), 3000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny_folder("audioldm2"))], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
