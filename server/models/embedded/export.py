"""From checkpoints to the folder that ships: diffusers' AudioLDM layout, half-precision safetensors."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .loop import averaged_state
from .networks import SCHEDULER, make_text_encoder, make_unet, make_vocoder

INDEX = {
    "_class_name": "AudioLDMPipeline", "_diffusers_version": "0.42.1",
    "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "ClapTextModelWithProjection"],
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"], "vocoder": ["transformers", "SpeechT5HifiGan"],
}


def load_trained(work: Path, unet_channels: tuple[int, ...], vocoder_channels: int) -> dict[str, torch.nn.Module]:
    """The averaged networks of all stages, on the CPU; the channels are those that they were trained with."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    state: dict[str, dict[str, Tensor]] = {
        "unet": averaged_state(work / "unet.pt", "unet"), "text_encoder": averaged_state(work / "unet.pt", "text_encoder"),
        "vocoder": averaged_state(work / "vocoder.pt", "vocoder"),
    }
    nets = {"unet": make_unet(unet_channels), "text_encoder": make_text_encoder(len(tokenizer)),
            "vocoder": make_vocoder(state["vocoder"]["mean"].numpy(), state["vocoder"]["scale"].numpy(), vocoder_channels)}
    for name, net in nets.items():
        net.load_state_dict(state[name])
    return {**nets, "vae": AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32)}


def export(work: Path, out: Path, unet_channels: tuple[int, ...], vocoder_channels: int) -> None:
    """Write the folder: one subfolder per component, fp16 weights, `model_index.json`."""
    for name, net in load_trained(work, unet_channels, vocoder_channels).items():
        net.eval().half().save_pretrained(out / name, safe_serialization=True)
    PreTrainedTokenizerFast.from_pretrained(work / "tokenizer").save_pretrained(out / "tokenizer")
    (out / "scheduler").mkdir(parents=True, exist_ok=True)
    _write(out / "scheduler" / "scheduler_config.json", SCHEDULER)
    _write(out / "model_index.json", INDEX)


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
