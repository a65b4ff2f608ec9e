# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny checkpoints: small, seeded, in the hub's layout."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from server.models import tiny
from server.models.catalogue import folder_revision

LAYOUTS = sorted(tiny.LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_checkpoint_is_below_3_mb_and_complete(tiny_folder, layout):
    folder = tiny_folder(layout)
    index = json.loads((folder / "model_index.json").read_text())
    parts = {name for name in index if not name.startswith("_")}
    assert parts == {path.name for path in folder.iterdir() if path.is_dir()}
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 3_000_000
    assert not list(folder.rglob("*.bin"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_seed_is_all_that_decides(tmp_path, layout):
    state = torch.random.get_rng_state()
    revisions = [folder_revision(tiny.build(layout, tmp_path / str(i), seed=seed)) for i, seed in enumerate((0, 0, 1))]
    assert revisions[0] == revisions[1] != revisions[2]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_language_model_is_saved_as_asked(tiny_folder):
    index = json.loads((tiny_folder("audioldm2", language_model="GPT2Model") / "model_index.json").read_text())
    assert index["language_model"] == ["transformers", "GPT2Model"]


def test_command_line(tmp_path):
    folder = tmp_path / "audioldm"
    command = [sys.executable, "-m", "server.models.tiny", "audioldm", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == str(folder) and done.stderr == ""
    assert (folder / "model_index.json").is_file()
