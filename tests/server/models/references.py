# SPDX-License-Identifier: GPL-3.0-or-later
"""One sound of each layout as somebody else's code makes it: diffusers' pipelines, or a published loop written out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
import transformers
from torch import Tensor

from server.models.base import Backbone
from server.models.components import building
from server.models.stable_audio_small import NormedTransformer
from server.models.tiny_tokenizers import t5_tokenizer

SECONDS = 1.0
Reference = Callable[[Path, Backbone, str, Tensor, int, float], Tensor]
"""(folder, backbone, prompt, first noise, steps, guidance) to audio [batch, channels, time], time of SECONDS."""


def _pipeline(name: str, folder: Path) -> diffusers.DiffusionPipeline:
    with building():
        pipeline = getattr(diffusers, name).from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def audioldm(folder: Path, backbone: Backbone, prompt: str, x: Tensor, n_steps: int, weight: float) -> Tensor:
    pipeline = _pipeline("AudioLDMPipeline", folder)
    return torch.from_numpy(pipeline(prompt, audio_length_in_s=SECONDS, num_inference_steps=n_steps, guidance_scale=weight,
                                     eta=0.0, latents=x).audios)[:, None]


def musicldm(folder: Path, backbone: Backbone, prompt: str, x: Tensor, n_steps: int, weight: float) -> Tensor:
    pipeline = _pipeline("MusicLDMPipeline", folder)
    features = pipeline.text_encoder.get_text_features
    # The pipeline expects the tensor that transformers 4 gave.
    pipeline.text_encoder.get_text_features = lambda *args, **kwargs: features(*args, **kwargs).pooler_output
    return torch.from_numpy(pipeline(prompt, audio_length_in_s=SECONDS, num_inference_steps=n_steps, guidance_scale=weight,
                                     eta=0.0, latents=x).audios)[:, None]


def audioldm2(folder: Path, backbone: Backbone, prompt: str, x: Tensor, n_steps: int, weight: float) -> Tensor:
    """The pipeline pads its null prompt to the prompt's length, which changes it: it is given ours instead (that ours are
    right is another test's)."""
    pipeline = _pipeline("AudioLDM2Pipeline", folder)
    text, null = (backbone.condition(p, SECONDS).tensors for p in (prompt, None))
    n_tokens = text["t5"].shape[1]
    padded = torch.zeros_like(text["t5"])
    padded[:, : null["t5"].shape[1]] = null["t5"]
    return torch.from_numpy(pipeline(
        prompt_embeds=text["t5"], attention_mask=text["mask"], generated_prompt_embeds=text["generated"],
        negative_prompt_embeds=padded, negative_attention_mask=torch.eye(1, n_tokens, dtype=torch.long),
        negative_generated_prompt_embeds=null["generated"], audio_length_in_s=SECONDS, num_inference_steps=n_steps,
        guidance_scale=weight, eta=0.0, latents=x,
    ).audios)[:, None]


@torch.no_grad()
def tango(folder: Path, backbone: Backbone, prompt: str, x: Tensor, n_steps: int, weight: float) -> Tensor:
    """As its own `inference`: the null prompt padded to the prompt's length under a mask; here with DDIM steps."""
    encoder = transformers.T5EncoderModel.from_pretrained(folder / "text_encoder")
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    scheduler = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler")
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    with building():
        vocoder = transformers.SpeechT5HifiGan.from_pretrained(folder / "vocoder")
    batch = t5_tokenizer(max_length=128)(["", prompt], padding=True, return_tensors="pt")
    states = encoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask)[0]
    mask = batch.attention_mask == 1
    scheduler.set_timesteps(n_steps)
    for t in scheduler.timesteps:
        v = unet(torch.cat([x, x]), t, encoder_hidden_states=states, encoder_attention_mask=mask).sample
        null, text = v.chunk(2)
        x = scheduler.step(null + weight * (text - null), t, x, eta=0.0).prev_sample
    return vocoder(vae.decode(x / vae.config.scaling_factor).sample.squeeze(1))[:, None, : round(SECONDS * 16000)]


@torch.no_grad()
def stable_audio_small(folder: Path, backbone: Backbone, prompt: str, x: Tensor, n_steps: int, weight: float) -> Tensor:
    """The published ping-pong loop on a straight path, unguided, with the noise of seed 3 for its steps."""
    encoder = transformers.T5EncoderModel.from_pretrained(folder / "text_encoder")
    network = NormedTransformer.from_pretrained(folder / "transformer")
    projection = diffusers.StableAudioProjectionModel.from_pretrained(folder / "projection_model")
    vae = diffusers.AutoencoderOobleck.from_pretrained(folder / "vae")
    batch = t5_tokenizer(max_length=64)([prompt], padding="max_length", max_length=64, return_tensors="pt")
    states = encoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask)[0] * batch.attention_mask[..., None]
    total = projection.end_number_conditioner(torch.tensor([SECONDS]))
    rotary = diffusers.models.embeddings.get_1d_rotary_pos_embed(
        network.config.attention_head_dim // 2, x.shape[-1] + 1, use_real=True, repeat_interleave_real=False)
    times = torch.sigmoid(-torch.linspace(-6, 2, n_steps + 1))
    times[0], times[-1] = 1.0, 0.0
    for i, z in enumerate(step_noise(x, n_steps)):
        u = network(x, times[i : i + 1], encoder_hidden_states=torch.cat([states, total], 1), global_hidden_states=total,
                    rotary_embedding=rotary).sample
        x = (1 - times[i + 1]) * (x - times[i] * u) + times[i + 1] * z
    return vae.decode(x).sample[..., : round(SECONDS * 44100)]


def step_noise(x: Tensor, n_steps: int) -> Tensor:
    """Noise of each step, [steps, *x]."""
    return torch.randn(n_steps, *x.shape, generator=torch.Generator().manual_seed(3))


REFERENCES: dict[str, Reference] = {
    "audioldm": audioldm, "musicldm": musicldm, "audioldm2": audioldm2, "tango": tango,
    "stable_audio_small": stable_audio_small,
}
