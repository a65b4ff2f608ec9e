# SPDX-License-Identifier: GPL-3.0-or-later
"""Tango's published files as parts of a model folder.

    pytorch_model_main.bin   `unet.*` and `text_encoder.*` (Flan-T5 large), in the libraries' own names
    pytorch_model_vae.bin    AudioLDM's autoencoder in the names of latent diffusion's first code, and `vocoder.*`
    vae_config.json          `ddconfig` of the autoencoder, and `scale_factor`

Their configs name a Stable Diffusion repository for the schedule, which the hub no longer has: it is written here. That
of the network lies in the code's own repository (configs/diffusion_model_config.json) and is used where it is beside the
files. Tokenizer and config of the text encoder are Flan-T5's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.models import tango
from server.models.components import diffusers, load_tokenizer, transformers
from server.models.foreign_weights import Names, State, filled, part, read_weights, renamed

MAIN, VAE, VAE_CONFIG, UNET_CONFIG = (
    "pytorch_model_main.bin", "pytorch_model_vae.bin", "vae_config.json", "diffusion_model_config.json")
TEXT_MODEL = "google/flan-t5-large"
TEXT_FILES = ("*.json", "*.model")  # the encoder's weights come with Tango, trained on
UNET = {
    "sample_size": 32, "in_channels": 8, "out_channels": 8, "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2, "attention_head_dim": (5, 10, 20, 20), "cross_attention_dim": 1024,
    "use_linear_projection": True, "upcast_attention": True,
}
_RATES, _DILATIONS = (5, 4, 2, 2, 2), (1, 3, 5)  # of AudioLDM's vocoder; its widths and kernels are read from its weights

_ATTENTION: Names = (
    (r"mid\.attn_1\.norm\.", "mid_block.attentions.0.group_norm."),
    (r"mid\.attn_1\.([qkv])\.", r"mid_block.attentions.0.to_\1."),
    (r"mid\.attn_1\.proj_out\.", "mid_block.attentions.0.to_out.0."),
)
_AUTOENCODER: Names = (
    *_ATTENTION,
    (r"mid\.block_1\.", "mid_block.resnets.0."),
    (r"mid\.block_2\.", "mid_block.resnets.1."),
    (r"nin_shortcut", "conv_shortcut"),
    (r"norm_out", "conv_norm_out"),
    (r"encoder\.down\.(\d+)\.block\.(\d+)\.", r"encoder.down_blocks.\1.resnets.\2."),
    (r"encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
)


def parts(folder: Path, text: Path) -> dict[str, Any]:
    """The parts of a `server.models.tango` folder by their names; `text` holds Flan-T5's configs and tokenizer.

    Raises:
        ModelUnavailable: a file cannot be read, or holds another model.
    """
    main, vae = read_weights(folder / MAIN), read_weights(folder / VAE)
    config = json.loads((folder / VAE_CONFIG).read_text(encoding="utf-8"))
    encoder = {name: tensor for name, tensor in part(main, "text_encoder.").items() if not name.startswith("decoder.")}
    return {
        "unet": filled(diffusers.UNet2DConditionModel, _network_config(folder), part(main, "unet."), "network"),
        "text_encoder": filled(
            transformers.T5EncoderModel, transformers.T5Config.from_pretrained(text), encoder, "text encoder"),
        "tokenizer": load_tokenizer(text, ""),
        "vae": _autoencoder(vae, config),
        "vocoder": _vocoder(part(vae, "vocoder.")),
        "scheduler": diffusers.DDPMScheduler(**tango.SCHEDULE),
    }


def _network_config(folder: Path) -> dict[str, Any]:
    beside = folder / UNET_CONFIG
    if not beside.is_file():
        return UNET
    return {k: v for k, v in json.loads(beside.read_text(encoding="utf-8")).items() if not k.startswith("_")}


def _autoencoder(state: State, config: dict[str, Any]) -> Any:
    inner = config["ddconfig"]
    widths = [inner["ch"] * multiple for multiple in inner["ch_mult"]]
    n = len(widths)
    decoder = [(rf"decoder\.up\.{i}\.block\.(\d+)\.", rf"decoder.up_blocks.{n - 1 - i}.resnets.\1.") for i in range(n)]
    decoder += [(rf"decoder\.up\.{i}\.upsample\.", f"decoder.up_blocks.{n - 1 - i}.upsamplers.0.") for i in range(n)]
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(("vocoder.", "loss."))}
    names = renamed(kept, [*_AUTOENCODER, *decoder])
    # Latent diffusion's attention has 1x1 convolutions where the library has matrices.
    flat = {name: tensor.flatten(1) if ".attentions." in name and tensor.ndim == 4 else tensor
            for name, tensor in names.items()}
    settings = {
        "in_channels": inner["in_channels"], "out_channels": inner["out_ch"], "latent_channels": config["embed_dim"],
        "block_out_channels": widths, "layers_per_block": inner["num_res_blocks"], "norm_num_groups": 32,
        "down_block_types": ["DownEncoderBlock2D"] * n, "up_block_types": ["UpDecoderBlock2D"] * n,
        "scaling_factor": config["scale_factor"],
    }
    return filled(diffusers.AutoencoderKL, settings, flat, "autoencoder")


def _vocoder(state: State) -> Any:
    state = renamed(state, [(r"^ups\.", "upsampler.")])
    first = state["conv_pre.weight"]
    kernels = [state[f"upsampler.{i}.weight"].shape[2] for i in range(len(_RATES))]
    per_step = len({name.split(".")[1] for name in state if name.startswith("resblocks.")}) // len(_RATES)
    resblocks = [state[f"resblocks.{j}.convs1.0.weight"].shape[2] for j in range(per_step)]
    n_dilations = len({name.split(".")[3] for name in state if name.startswith("resblocks.0.convs1.")})
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=first.shape[1], upsample_initial_channel=first.shape[0], sampling_rate=16000,
        upsample_rates=list(_RATES), upsample_kernel_sizes=kernels, resblock_kernel_sizes=resblocks,
        resblock_dilation_sizes=[list(_DILATIONS[:n_dilations])] * per_step, normalize_before=False,
    )
    plain = {"mean": first.new_zeros(first.shape[1]), "scale": first.new_ones(first.shape[1])}
    return filled(transformers.SpeechT5HifiGan, config, state | plain, "vocoder")
