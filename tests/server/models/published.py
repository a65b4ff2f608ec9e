# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny checkpoints in the layouts that their authors publish: what `server.models.convert` does, the other way."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import safetensors.torch
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from server.models import tiny

VAE = {"ddconfig": {"ch": 32, "ch_mult": [1, 1, 2], "num_res_blocks": 1, "in_channels": 1, "out_ch": 1}, "embed_dim": 8,
       "scale_factor": 0.92}


def tensors(folder: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(next(folder.glob("*.safetensors")))


def tango(model: Path, out: Path) -> Path:
    """`out` in Tango's published layout; `model` becomes the folder that must come of it, its autoencoder a larger one:
    the published layout knows none with fewer than 32 channels."""
    tiny.build("tango", model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoencoderKL(
            in_channels=1, out_channels=1, latent_channels=8, block_out_channels=(32, 32, 64), layers_per_block=1,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, scaling_factor=0.92,
        ).save_pretrained(model / "vae")
    out.mkdir()
    main = {f"unet.{k}": v for k, v in tensors(model / "unet").items()}
    encoder = tensors(model / "text_encoder")
    main |= {f"text_encoder.{k}": v for k, v in encoder.items()}
    main["text_encoder.encoder.embed_tokens.weight"] = encoder["shared.weight"]
    torch.save(main, out / "pytorch_model_main.bin")
    vae = {_ldm_name(k): v[:, :, None, None] if "attentions" in k and v.ndim == 2 else v
           for k, v in tensors(model / "vae").items()}
    vocoder = {k.replace("upsampler.", "ups."): v
               for k, v in tensors(model / "vocoder").items() if k not in ("mean", "scale")}
    torch.save(vae | {f"vocoder.{k}": v for k, v in vocoder.items()}, out / "pytorch_model_vae.bin")
    (out / "vae_config.json").write_text(json.dumps(VAE), encoding="utf-8")
    shutil.copy(model / "unet" / "config.json", out / "diffusion_model_config.json")
    (out / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\ntags:\n- music\n---\n# Tango\n", encoding="utf-8")
    shutil.copytree(model / "tokenizer", out / "flan-t5-large")
    shutil.copy(model / "text_encoder" / "config.json", out / "flan-t5-large")
    return out


def _ldm_name(name: str) -> str:
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{2 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{2 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
    name = name.replace("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out")
    name = re.sub(r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1", name)
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def stable_audio_small(model: Path, out: Path) -> Path:
    """`out` in the layout of stable-audio-open-small; `model` becomes the folder that must come of it."""
    tiny.build("stable_audio_small", model)
    out.mkdir()
    state = {f"model.model.{k}": v for k, v in _transformer(tensors(model / "transformer")).items()}
    state |= {f"pretransform.model.{_oobleck_name(k)}": v.flatten() if k.endswith(("alpha", "beta")) else v
              for k, v in tensors(model / "vae").items()}
    prefix = "end_number_conditioner.time_positional_embedding."
    state |= {f"conditioner.conditioners.seconds_total.embedder.embedding.{k.removeprefix(prefix)}": v
              for k, v in tensors(model / "projection_model").items() if k.startswith(prefix)}
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, out / "model.safetensors")
    coder = {"channels": 8, "c_mults": [1, 2, 2, 4, 4], "strides": [2, 4, 4, 8, 8]}
    (out / "model_config.json").write_text(json.dumps({
        "sample_size": 64 * 2048, "sample_rate": 44100, "model": {
            "diffusion": {"diffusion_objective": "rf_denoiser", "config": {
                "io_channels": 4, "embed_dim": 32, "depth": 2, "num_heads": 2, "cond_token_dim": 32,
                "global_cond_dim": 32}},
            "pretransform": {"config": {"downsampling_ratio": 2048, "encoder": {"config": coder | {"in_channels": 2}},
                                        "decoder": {"config": coder | {"channels": 4, "latent_dim": 4}}}},
            "conditioning": {"cond_dim": 32, "configs": [
                {"id": "prompt", "type": "t5", "config": {"max_length": 64}},
                {"id": "seconds_total", "type": "number", "config": {"min_val": 0, "max_val": 256}}]},
        }}), encoding="utf-8")
    shutil.copytree(model / "text_encoder", out / "t5-base")
    shutil.copytree(model / "tokenizer", out / "t5-base", dirs_exist_ok=True)
    return out


def _transformer(state: dict[str, Tensor]) -> dict[str, Tensor]:
    new: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if re.search(r"attn1\.to_[kv]\.|attn2\.to_v\.", name):
            continue
        if "attn1.to_q." in name:
            tensor = torch.cat([state[name.replace("to_q", f"to_{letter}")] for letter in "qkv"])
            name = name.replace("to_q", "to_qkv")
        elif "attn2.to_k." in name:
            tensor = torch.cat([tensor, state[name.replace("to_k", "to_v")]])
            name = name.replace("to_k", "to_kv")
        new[_transformer_name(name)] = tensor[:, None] if name == "time_proj.weight" else tensor
    return new | {"transformer.rotary_pos_emb.inv_freq": torch.ones(4)}


def _transformer_name(name: str) -> str:
    for norm, theirs in (("norm1", "pre_norm"), ("norm2", "cross_attend_norm"), ("norm3", "ff_norm")):
        name = name.replace(f".{norm}.weight", f".{theirs}.gamma").replace(f".{norm}.bias", f".{theirs}.beta")
    for ours, theirs in (
        ("transformer_blocks.", "transformer.layers."), ("attn1.", "self_attn."), ("attn2.", "cross_attn."),
        ("norm_q.", "q_norm."), ("norm_k.", "k_norm."), ("to_out.0.", "to_out."), ("ff.net.", "ff.ff."),
        ("timestep_proj.", "to_timestep_embed."), ("time_proj.", "timestep_features."),
        ("cross_attention_proj.", "to_cond_embed."), ("global_proj.", "to_global_embed."),
    ):
        name = name.replace(ours, theirs)
    return re.sub(r"^proj_(in|out)\.", r"transformer.project_\1.", name)


def _oobleck_name(name: str) -> str:
    half = name.partition(".")[0]
    inside = {"encoder": {"res_unit1": 0, "res_unit2": 1, "res_unit3": 2, "snake1": 3, "conv1": 4},
              "decoder": {"snake1": 0, "conv_t1": 1, "res_unit1": 2, "res_unit2": 3, "res_unit3": 4}}[half]
    unit = {"snake1": 0, "conv1": 1, "snake2": 2, "conv2": 3}
    steps = name.split(".")[1:]
    if steps[0] != "block":
        return ".".join([half, "layers", str({"conv1": 0, "snake1": 6, "conv2": 7}[steps[0]]), *steps[1:]])
    path = [half, "layers", str(int(steps[1]) + 1), "layers", str(inside[steps[2]])]
    if steps[2].startswith("res_unit"):
        return ".".join([*path, "layers", str(unit[steps[3]]), *steps[4:]])
    return ".".join([*path, *steps[3:]])
