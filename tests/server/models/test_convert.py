# SPDX-License-Identifier: GPL-3.0-or-later
"""Published files become the folder that they were made of, weight by weight; what is none of them is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from server.errors import ModelUnavailable
from server.models.convert import convert, published_layout
from server.models.convert_tango import UNET
from server.models.loading import load
from server.models.stable_audio_small import NormedTransformer
from tests.server.models import published

MAKE = {"tango": published.tango, "stable_audio_small": published.stable_audio_small}


def beside(folder: Path):
    """Text encoders that lie in the folder itself."""
    return lambda name, patterns: folder / name.rpartition("/")[2]


@pytest.mark.parametrize("layout", MAKE)
def test_published_files_become_the_same_model(tmp_path, layout, normal):
    files = MAKE[layout](tmp_path / "model", tmp_path / "published")
    assert published_layout(files).layout == layout
    out = convert(files, tmp_path / "out", beside(files))
    assert not list(out.rglob("*.bin")) and not (tmp_path / "out.unfinished").exists()
    for weights in (tmp_path / "model").glob("*/*.safetensors"):
        ours, theirs = (published.tensors(folder / weights.parent.name) for folder in (out, tmp_path / "model"))
        if weights.parent.name == "projection_model":  # a start that nothing reads
            ours, theirs = ({k: v for k, v in one.items() if k.startswith("end")} for one in (ours, theirs))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), weights.parent.name
    one, other = load(str(out), device="cpu"), load(str(tmp_path / "model"), device="cpu")
    x, level = normal(1, *one.latent_shape(5000)), one.levels(6).at(3)
    answers = [b.denoise(x, level, [b.condition("a bell", 0.5)]) for b in (one, other)]
    assert one.facts.layout == layout and torch.equal(*answers)
    assert torch.equal(one.decode(x, 5000), other.decode(x, 5000))
    assert one.facts.max_s == other.facts.max_s and one.tokenizer.model_max_length == other.tokenizer.model_max_length


class Surprise:
    def __reduce__(self):
        return print, ("code in a pickle ran",)


def test_code_in_a_pickle_is_not_run(tmp_path, capsys):
    files = published.tango(tmp_path / "model", tmp_path / "published")
    torch.save({"unet.conv_in.weight": Surprise()}, files / "pytorch_model_main.bin")
    with pytest.raises(ModelUnavailable, match="cannot be read as weights .* Code in it was not run"):
        convert(files, tmp_path / "out", beside(files))
    assert capsys.readouterr().out == "" and not (tmp_path / "out").exists()


def test_another_model_in_the_same_files_is_refused(tmp_path):
    files = published.tango(tmp_path / "model", tmp_path / "published")
    main = torch.load(files / "pytorch_model_main.bin", weights_only=True)
    torch.save({k: v for k, v in main.items() if "conv_out" not in k}, files / "pytorch_model_main.bin")
    with pytest.raises(ModelUnavailable, match="The network in these files is not the one .*conv_out.weight"):
        convert(files, tmp_path / "out", beside(files))
    (files / "vae_config.json").write_text("{}", encoding="utf-8")
    torch.save(main, files / "pytorch_model_main.bin")
    with pytest.raises(ModelUnavailable, match="cannot be converted .KeyError: 'ddconfig'"):
        convert(files, tmp_path / "out", beside(files))
    with pytest.raises(ModelUnavailable, match="no model in a known layout"):
        convert(tmp_path, tmp_path / "out", beside(files))


def test_the_larger_model_of_that_layout_is_refused(tmp_path):
    files = published.stable_audio_small(tmp_path / "model", tmp_path / "published")
    config = json.loads((files / "model_config.json").read_text())
    config["model"]["diffusion"]["diffusion_objective"] = "v"
    (files / "model_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match="trained for 'v'.*Take Stable Audio Open 1.0 in the diffusers layout"):
        convert(files, tmp_path / "out", beside(files))


def test_the_sizes_are_those_of_the_published_models():
    """Parameters counted on no memory: 865.9 M of Tango's network, 340.9 M of stable-audio-open-small's."""
    with torch.device("meta"):
        tango = UNet2DConditionModel(**UNET)
        small = NormedTransformer(
            sample_size=256, in_channels=64, out_channels=64, num_layers=16, attention_head_dim=128, num_attention_heads=8,
            num_key_value_attention_heads=8, cross_attention_dim=1024, cross_attention_input_dim=768,
            global_states_input_dim=768)
    counts = [sum(p.numel() for p in network.parameters()) / 1e6 for network in (tango, small)]
    assert counts == pytest.approx([865.9, 340.9], abs=0.1)
