# SPDX-License-Identifier: GPL-3.0-or-later
"""From a name to a backbone: devices, precisions, windows, folders, and a hub that answers or does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch

from server.errors import InvalidOption, ModelUnavailable
from server.models.catalogue import Source
from server.models.loading import choose_device, choose_dtype, load, locate
from tests.server.fake_hub import COMMIT, hub

# In a process of its own, because the hub library reads its environment when it is imported.
LOCATE = """
import json, sys
from server.errors import AthanorError
from server.models.catalogue import find, revision_of
from server.models.loading import locate
try:
    source = find(sys.argv[1])
    model = locate(source)
    revisions = [model.revision, revision_of(source)]
    print(json.dumps({"layout": model.layout, "revisions": revisions, "folder": str(model.folder)}))
except AthanorError as error:
    print(json.dumps(error.to_wire()))
"""


def locate_elsewhere(name: str, **environment: str) -> dict:
    done = subprocess.run([sys.executable, "-c", LOCATE, name], capture_output=True, text=True, timeout=100,
                          env={**os.environ, **environment})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_offline_a_hub_model_that_is_not_here_says_what_to_do(tmp_path):
    error = locate_elsewhere("stable-audio-open", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert (error["code"], error["retryable"]) == ("model_unavailable", False)
    for part in ("not on this machine", "https://huggingface.co/stabilityai/stable-audio-open-1.0", "Accept the licence",
                 "athanor models get stable-audio-open", "athanor models add", "Stability AI Community License"):
        assert part in error["message"]


def test_a_hub_model_is_downloaded_once_and_pinned_to_its_commit(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder("audioldm"), tmp_path / "repository")
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "vae" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"a variant")
    (folder / "everything.safetensors").write_bytes(b"another layout of the same weights")
    with hub(folder, "cvssp/audioldm-s-full-v2") as (address, asked):
        environment = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
        first = locate_elsewhere("audioldm", **environment)
        assert (first["layout"], first["revisions"]) == ("audioldm", [COMMIT, COMMIT])
        assert "unet/diffusion_pytorch_model.safetensors" in asked
        assert not [name for name in asked if name.endswith(".bin") or ".fp16." in name or name == "everything.safetensors"]
    assert locate_elsewhere("audioldm", **{**environment, "HF_HUB_OFFLINE": "1"}) == first
    assert load(first["folder"], device="cpu").facts.layout == "audioldm"


def test_devices(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(InvalidOption, match="no device 'gpu'"):
        choose_device("gpu")
    with pytest.raises(InvalidOption, match="This machine has no cuda:77"):
        choose_device("cuda:77")


def test_a_card_has_one_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert {str(choose_device(name)) for name in ("auto", "cuda", "cuda:0")} == {"cuda:0"}
    assert str(choose_device("cuda:1")) == "cuda:1"


def test_precisions():
    assert choose_dtype("bfloat16", torch.device("cpu")) is torch.bfloat16
    assert choose_dtype("float16", torch.device("cuda")) is torch.float16
    with pytest.raises(InvalidOption, match="not computed on a CPU"):
        choose_dtype("float16", torch.device("cpu"))
    with pytest.raises(InvalidOption, match="allowed: float32, float16, bfloat16"):
        choose_dtype("fp16", torch.device("cpu"))


def test_a_configured_name_is_loaded_as_configured(tiny_folder, tmp_path):
    (tmp_path / "models.toml").write_text(
        f'[toy]\nsource = {json.dumps(str(tiny_folder("stable_audio")))}\nwindow = "cropped"\ndtype = "bfloat16"\n'
        'device = "cpu"\n', encoding="utf-8",
    )
    toy = load("toy", home=tmp_path)
    assert (toy.facts.name, toy.window, toy.dtype) == ("toy", "cropped", torch.bfloat16)
    assert load("toy", home=tmp_path, window="full", dtype="float32").window == "full"


@pytest.mark.parametrize(("layout", "window"), [("audioldm", "full"), ("stable_audio", "half")])
def test_a_window_that_a_model_does_not_have_is_refused(tiny_folder, layout, window):
    with pytest.raises(InvalidOption, match="it is full or cropped"):
        load(str(tiny_folder(layout)), device="cpu", window=window)


def test_a_configured_folder_that_is_gone_is_said_so(tmp_path):
    (tmp_path / "models.toml").write_text('[toy]\nsource = "/no/such/folder"\n', encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="has no model_index.json"):
        load("toy", home=tmp_path)


def test_revision_is_the_folders_fingerprint_and_keys_its_prompts(tiny_folder, tiny_backbone):
    backbone = tiny_backbone("audioldm")
    assert backbone.facts.revision.startswith("sha256-") and len(backbone.facts.revision) == 39
    assert backbone.condition("a bell", 1.0).key.startswith(backbone.facts.revision)


def test_missing_weights_of_a_model_that_ships_are_the_installation_s_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("server.models.loading.SHIPPED", (tmp_path / "weights",))
    with pytest.raises(ModelUnavailable, match="weights of 'waveform' are missing.*Install athanor-audio again"):
        locate(Source("waveform", str(tmp_path / "weights")))
    with pytest.raises(ModelUnavailable, match="'waveform' should be in"):
        locate(Source("waveform", str(tmp_path / "elsewhere")))
