"""The networks of the embedded model, as diffusers classes, and their schedule."""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from .format import CLIP_FRAMES, LATENT_CHANNELS
from .text_tower import TEXT_DIMENSION

SCHEDULER = {
    "_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.0015, "beta_end": 0.0195,
    "beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1,
    "prediction_type": "v_prediction",
}


def make_unet(channels: tuple[int, ...] = (40, 80, 112)) -> UNet2DConditionModel:
    """Velocity predictor on `[batch, 8, frames, 8]`, conditioned on a text vector through the class labels."""
    unet = UNet2DConditionModel(
        sample_size=CLIP_FRAMES, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, block_out_channels=channels,
        layers_per_block=1, attention_head_dim=tuple(c // 16 for c in channels), norm_num_groups=8,
        cross_attention_dim=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=TEXT_DIMENSION,
        class_embeddings_concat=True,
    )
    with torch.no_grad():  # a unit vector of 128 entries has small entries, and the time code must not drown them
        unet.class_embedding.weight *= 2 * TEXT_DIMENSION**0.5
    return unet


def alphas_cumprod(n_steps: int = 1000) -> Tensor:
    """abar of the scaled-linear schedule, `[n_steps]` float32."""
    root = torch.linspace(SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5, n_steps, dtype=torch.float64)
    return torch.cumprod(1 - root**2, 0).float()


def folder_size(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
