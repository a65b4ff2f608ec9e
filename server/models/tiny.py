# SPDX-License-Identifier: GPL-3.0-or-later
"""The real model classes at toy size: a folder with random weights, laid out as on the hub.

Rates, hops, latent channels and schedules are those of the real checkpoints; only widths and depths are small, so that
everything above a backbone can be tested through the real loading path in milliseconds. The sounds are noise.

    python -m server.models.tiny audioldm|audioldm2|musicldm|tango|stable_audio|stable_audio_small|patches FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from server.models import tango
from server.models.components import building, diffusers, transformers
from server.models.patches import save_bank, write_index
from server.models.stable_audio_small import NormedTransformer
from server.models.tiny_tokenizers import roberta_tokenizer, t5_tokenizer

Parts = Mapping[str, Any]
TEXT_WIDTH = 32
N_BYTE_TOKENS, N_CHARACTER_TOKENS = 261, 98
SIGMA_MIN, SIGMA_MAX = 0.3, 500.0


def build(
    layout: str,
    folder: Path | str,
    *,
    seed: int = 0,
    language_model: str = "GPT2LMHeadModel",
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a tiny random checkpoint in a hub folder layout (below 3 MB, below a second) and return its path.

    Args:
        layout: one of `LAYOUTS`, or patches (on an audioldm in the folder `base`).
        folder: created if missing; files in it are overwritten.
        seed: of the weights; the global random state is left as it was.
        language_model: AudioLDM2 alone: GPT2LMHeadModel, or GPT2Model as in the official folders.
        dtype: what the weights are stored in.

    Raises:
        KeyError: no such layout.
    """
    folder = Path(folder)
    if layout == "patches":
        return _patches(build("audioldm", folder / "base", seed=seed, dtype=dtype), folder, seed)
    pipeline, make = LAYOUTS[layout]
    with building(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = make(language_model) if layout == "audioldm2" else make()
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__}
    for name, part in parts.items():
        (part.to(dtype) if isinstance(part, torch.nn.Module) else part).save_pretrained(folder / name)
        index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return folder


def _stable_audio() -> Parts:
    transformer = diffusers.StableAudioDiTModel(
        sample_size=128, num_key_value_attention_heads=1, global_states_input_dim=2 * TEXT_WIDTH, **_TRANSFORMER
    )
    scheduler = diffusers.CosineDPMSolverMultistepScheduler(
        sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=1.0, sigma_schedule="exponential", solver_order=2,
        prediction_type="v_prediction", solver_type="midpoint",
    )
    return {
        "vae": _oobleck(),
        "text_encoder": _t5_encoder(),
        "projection_model": _timing_projection(512),
        "tokenizer": t5_tokenizer(max_length=128),
        "transformer": transformer,
        "scheduler": scheduler,
    }


def _stable_audio_small() -> Parts:
    transformer = NormedTransformer(
        sample_size=64, num_key_value_attention_heads=2, global_states_input_dim=TEXT_WIDTH, **_TRANSFORMER
    )
    return {
        "vae": _oobleck(),
        "text_encoder": _t5_encoder(),
        "projection_model": _timing_projection(256),
        "tokenizer": t5_tokenizer(max_length=64),
        "transformer": transformer,
    }


def _audioldm2(language_model: str) -> Parts:
    clap = transformers.ClapModel(transformers.ClapConfig(
        text_config=_clap_text_config().to_dict(), audio_config=_clap_audio_config(), projection_dim=TEXT_WIDTH,
    ))
    gpt2 = transformers.GPT2Config(
        vocab_size=64, n_positions=256, n_embd=48, n_layer=2, n_head=2, max_new_tokens=8, initializer_range=0.2
    )
    unet = diffusers.AudioLDM2UNet2DConditionModel(
        sample_size=256, in_channels=8, out_channels=8, block_out_channels=(8, 16, 16, 24), layers_per_block=1,
        norm_num_groups=8, attention_head_dim=2, cross_attention_dim=[[None, 48, TEXT_WIDTH]] * 4, **_UNET_BLOCKS,
    )
    return {
        "vae": _mel_autoencoder(),
        "text_encoder": clap,
        "text_encoder_2": _t5_encoder(),
        "projection_model": diffusers.AudioLDM2ProjectionModel(
            text_encoder_dim=TEXT_WIDTH, text_encoder_1_dim=TEXT_WIDTH, langauge_model_dim=48
        ),
        "language_model": getattr(transformers, language_model)(gpt2),
        "tokenizer": roberta_tokenizer(max_length=77),
        "tokenizer_2": t5_tokenizer(max_length=128),
        "feature_extractor": transformers.ClapFeatureExtractor(),
        "unet": unet,
        "scheduler": _ddim(),
        "vocoder": _vocoder(),
    }


def _musicldm() -> Parts:
    clap = transformers.ClapModel(transformers.ClapConfig(
        text_config=_clap_text_config().to_dict(), audio_config=_clap_audio_config(), projection_dim=TEXT_WIDTH,
    ))
    return _audioldm() | {"text_encoder": clap, "feature_extractor": transformers.ClapFeatureExtractor()}


def _tango() -> Parts:
    unet = diffusers.UNet2DConditionModel(
        sample_size=32, in_channels=8, out_channels=8, block_out_channels=(8, 16, 16, 16), layers_per_block=1,
        norm_num_groups=8, attention_head_dim=(1, 2, 2, 2), cross_attention_dim=TEXT_WIDTH, use_linear_projection=True,
        upcast_attention=True, down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    )
    return {
        "vae": _mel_autoencoder(),
        "text_encoder": _t5_encoder(),
        "tokenizer": t5_tokenizer(max_length=128),
        "unet": unet,
        "scheduler": diffusers.DDPMScheduler(**tango.SCHEDULE),
        "vocoder": _vocoder(),
    }


def _audioldm() -> Parts:
    widths = (16, 24, 32, 32)
    unet = diffusers.UNet2DConditionModel(
        sample_size=128, in_channels=8, out_channels=8, block_out_channels=widths, layers_per_block=1,
        norm_num_groups=8, attention_head_dim=2, cross_attention_dim=widths, class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=TEXT_WIDTH, class_embeddings_concat=True, **_UNET_BLOCKS,
    )
    return {
        "vae": _mel_autoencoder(),
        "text_encoder": transformers.ClapTextModelWithProjection(_clap_text_config()),
        "tokenizer": roberta_tokenizer(max_length=77),
        "unet": unet,
        "scheduler": _ddim(),
        "vocoder": _vocoder(),
    }


def _patches(base: Path, folder: Path, seed: int) -> Path:
    """A bank of noise: three classes of two clips of 16 frames."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(3, TEXT_WIDTH, generator=draw), dim=1)
    save_bank(folder, torch.randn(6, 16, 8 * 16, generator=draw), torch.arange(6) // 2, directions, {
        "classes": ["one", "two", "three"], "sharpness": 10.0, "windows": [[None, 2, 1]],
        "memory_windows": [[10.0, 1000, 0], [None, 2, 1]], "novelty": {"slack": 1.5, "scales": [2, 0]}})
    write_index(folder, base)
    return folder


def _oobleck() -> torch.nn.Module:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=8, downsampling_ratios=[2, 4, 4, 8, 8], channel_multiples=[1, 2, 2, 4, 4],
        decoder_channels=4, decoder_input_channels=4, audio_channels=2, sampling_rate=44100,
    )


def _timing_projection(max_value: int) -> torch.nn.Module:
    return diffusers.StableAudioProjectionModel(
        text_encoder_dim=TEXT_WIDTH, conditioning_dim=TEXT_WIDTH, min_value=0, max_value=max_value
    )


_TRANSFORMER: dict[str, Any] = {
    "in_channels": 4, "out_channels": 4, "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
    "cross_attention_dim": TEXT_WIDTH, "cross_attention_input_dim": TEXT_WIDTH, "time_proj_dim": 32,
}
_UNET_BLOCKS: dict[str, Any] = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}


def _t5_encoder() -> torch.nn.Module:
    # A factor of 3 keeps the toy encoder's answers to different prompts well apart.
    return transformers.T5EncoderModel(transformers.T5Config(
        vocab_size=N_CHARACTER_TOKENS, d_model=TEXT_WIDTH, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        initializer_factor=3.0,
    ))


def _clap_text_config() -> Any:
    return transformers.ClapTextConfig(
        vocab_size=N_BYTE_TOKENS, hidden_size=TEXT_WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=96, projection_dim=TEXT_WIDTH, initializer_factor=10.0,
    )


def _clap_audio_config() -> dict[str, Any]:
    return {
        "spec_size": 64, "num_mel_bins": 16, "window_size": 4, "patch_embeds_hidden_size": 8, "hidden_size": 16,
        "depths": [1, 1], "num_attention_heads": [1, 1], "num_hidden_layers": 2, "projection_dim": TEXT_WIDTH,
        "patch_size": 4, "patch_stride": [4, 4],
    }


def _mel_autoencoder() -> torch.nn.Module:
    return diffusers.AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=8, block_out_channels=(8, 8, 16), layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, norm_num_groups=4,
        scaling_factor=0.9227914214134216,
    )


def _vocoder() -> torch.nn.Module:
    """The official kernels, whose transposed convolutions emit 32 samples too many."""
    return transformers.SpeechT5HifiGan(transformers.SpeechT5HifiGanConfig(
        model_in_dim=64, sampling_rate=16000, upsample_initial_channel=32, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4], resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3], [1, 3]], initializer_range=0.2, normalize_before=False,
    ))


def _ddim() -> Any:
    return diffusers.DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear",
        clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    )


LAYOUTS: dict[str, tuple[str, Callable[..., Parts]]] = {
    "stable_audio": ("StableAudioPipeline", _stable_audio),
    "audioldm2": ("AudioLDM2Pipeline", _audioldm2),
    "audioldm": ("AudioLDMPipeline", _audioldm),
    "musicldm": ("MusicLDMPipeline", _musicldm),
    "tango": ("TangoPipeline", _tango),
    "stable_audio_small": ("StableAudioSmallPipeline", _stable_audio_small),
}


def main() -> None:
    """Build one folder from the command line."""
    parser = argparse.ArgumentParser(prog="python -m server.models.tiny", description=__doc__.splitlines()[0])
    parser.add_argument("layout", choices=sorted([*LAYOUTS, "patches"]))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(build(arguments.layout, arguments.folder, seed=arguments.seed))


if __name__ == "__main__":
    main()
