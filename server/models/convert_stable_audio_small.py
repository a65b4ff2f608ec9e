# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Audio Open Small's published files as parts of a model folder.

    model_config.json   what the training code built the model by
    model.safetensors   or model.ckpt: `model.model.*` the transformer, `pretransform.model.*` the autoencoder,
                        `conditioner.conditioners.seconds_total.*` the length; the text encoder is T5 base itself
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.errors import ModelUnavailable
from server.models.components import diffusers, load_module, load_tokenizer, transformers
from server.models.foreign_weights import Names, State, filled, part, read_weights, renamed
from server.models.stable_audio_small import NormedTransformer

CONFIG, WEIGHTS = "model_config.json", ("model.safetensors", "model.ckpt")
TEXT_MODEL = "google-t5/t5-base"
TEXT_FILES = ("*.json", "spiece.model", "model.safetensors")
OBJECTIVE = "rf_denoiser"

_TRANSFORMER: Names = (
    (r"^to_timestep_embed\.", "timestep_proj."),
    (r"^timestep_features\.", "time_proj."),
    (r"^to_cond_embed\.", "cross_attention_proj."),
    (r"^to_global_embed\.", "global_proj."),
    (r"^transformer\.project_(in|out)\.", r"proj_\1."),
    (r"^transformer\.layers\.", "transformer_blocks."),
    (r"\.pre_norm\.", ".norm1."), (r"\.cross_attend_norm\.", ".norm2."), (r"\.ff_norm\.", ".norm3."),
    (r"\.gamma$", ".weight"), (r"\.beta$", ".bias"),
    (r"\.self_attn\.", ".attn1."), (r"\.cross_attn\.", ".attn2."),
    (r"\.([qk])_norm\.", r".norm_\1."),
    (r"\.to_out\.", ".to_out.0."), (r"\.ff\.ff\.", ".ff.net."),
)
_UNIT: Names = tuple((rf"(res_unit\d)\.layers\.{i}\.", rf"\1.{name}.") for i, name in
                     enumerate(("snake1", "conv1", "snake2", "conv2")))


def parts(folder: Path, text: Path) -> dict[str, Any]:
    """The parts of a `server.models.stable_audio_small` folder by their names; `text` holds T5 base.

    Raises:
        ModelUnavailable: a file cannot be read, or holds another model.
    """
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    diffusion = config["model"]["diffusion"]
    objective = diffusion.get("diffusion_objective")
    if objective != OBJECTIVE:
        raise ModelUnavailable(f"{folder} holds a model trained for {objective!r}; of this layout, {OBJECTIVE!r} alone is "
                               "known (stable-audio-open-small). Take Stable Audio Open 1.0 in the diffusers layout.")
    state = read_weights(next(folder / name for name in WEIGHTS if (folder / name).is_file()))
    conditioners = {one["id"]: one["config"] for one in config["model"]["conditioning"]["configs"]}
    tokenizer = load_tokenizer(text, "")
    tokenizer.model_max_length = conditioners["prompt"]["max_length"]
    return {
        "transformer": _transformer(part(state, "model.model."), config),
        "vae": _autoencoder(part(state, "pretransform.model."), config),
        "projection_model": _projection(part(state, "conditioner.conditioners.seconds_total."), config,
                                        conditioners["seconds_total"]),
        "text_encoder": load_module(transformers.T5EncoderModel, text, ""),
        "tokenizer": tokenizer,
    }


def _transformer(state: State, config: dict[str, Any]) -> Any:
    built = config["model"]["diffusion"]["config"]
    width = built["embed_dim"] // built["num_heads"]
    named: State = {}
    for name, tensor in renamed({n: t for n, t in state.items() if "rotary_pos_emb" not in n}, _TRANSFORMER).items():
        if name == "time_proj.weight":
            tensor = tensor.flatten()
        fused = {"to_qkv": "qkv", "to_kv": "kv"}.get(name.split(".")[-2])
        if fused is None:
            named[name] = tensor
            continue
        for letter, one in zip(fused, tensor.chunk(len(fused)), strict=True):
            named[name.replace(f"to_{fused}", f"to_{letter}")] = one
    ratio = config["model"]["pretransform"]["config"]["downsampling_ratio"]
    settings = {
        "sample_size": config["sample_size"] // ratio,
        "in_channels": built["io_channels"], "out_channels": built["io_channels"],
        "num_layers": built["depth"], "attention_head_dim": width, "num_attention_heads": built["num_heads"],
        "num_key_value_attention_heads": named["transformer_blocks.0.attn2.to_k.weight"].shape[0] // width,
        "cross_attention_dim": named["cross_attention_proj.2.weight"].shape[0],
        "cross_attention_input_dim": built["cond_token_dim"], "global_states_input_dim": built["global_cond_dim"],
        "time_proj_dim": 2 * len(named["time_proj.weight"]),
    }
    return filled(NormedTransformer, settings, named, "transformer")


def _autoencoder(state: State, config: dict[str, Any]) -> Any:
    built = config["model"]["pretransform"]["config"]
    encoder, decoder = built["encoder"]["config"], built["decoder"]["config"]
    n = len(encoder["strides"])
    block = {"encoder": ("res_unit1", "res_unit2", "res_unit3", "snake1", "conv1"),
             "decoder": ("snake1", "conv_t1", "res_unit1", "res_unit2", "res_unit3")}
    names: list[tuple[str, str]] = []
    for half, inside in block.items():
        names += [(rf"^{half}\.layers\.0\.", f"{half}.conv1."), (rf"^{half}\.layers\.{n + 1}\.", f"{half}.snake1."),
                  (rf"^{half}\.layers\.{n + 2}\.", f"{half}.conv2.")]
        names += [(rf"^{half}\.layers\.{i + 1}\.layers\.", f"{half}.block.{i}.layers.") for i in range(n)]
        names += [(rf"^({half}\.block\.\d+)\.layers\.{i}\.", rf"\1.{name}.") for i, name in enumerate(inside)]
    shaped = {name: tensor.reshape(1, -1, 1) if name.endswith((".alpha", ".beta")) else tensor
              for name, tensor in renamed(state, [*names, *_UNIT]).items()}
    return filled(diffusers.AutoencoderOobleck, {
        "encoder_hidden_size": encoder["channels"], "downsampling_ratios": encoder["strides"],
        "channel_multiples": encoder["c_mults"], "decoder_channels": decoder["channels"],
        "decoder_input_channels": decoder["latent_dim"], "audio_channels": encoder["in_channels"],
        "sampling_rate": config["sample_rate"],
    }, shaped, "autoencoder")


def _projection(state: State, config: dict[str, Any], length: dict[str, Any]) -> Any:
    """The length's conditioner twice: the class wants one for the start too, which this model does not read."""
    named = renamed(state, [(r"^embedder\.embedding\.", "time_positional_embedding.")])
    both = {f"{end}_number_conditioner.{name}": tensor.clone()
            for end in ("start", "end") for name, tensor in named.items()}
    width = config["model"]["conditioning"]["cond_dim"]
    return filled(diffusers.StableAudioProjectionModel, {
        "text_encoder_dim": width, "conditioning_dim": width,
        "min_value": length["min_val"], "max_value": length["max_val"],
    }, both, "length conditioner")
