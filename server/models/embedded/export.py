"""From checkpoints to the folder that ships: diffusers' AudioLDM layout, half-precision safetensors."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from .loop import averaged_state
from .networks import SCHEDULER

INDEX = {
    "_class_name": "AudioLDMPipeline", "_diffusers_version": "0.42.1",
    "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "ClapTextModelWithProjection"],
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"], "vocoder": ["transformers", "SpeechT5HifiGan"],
}
TEXT = ("text_encoder", "tokenizer")  # final since their own stage
SHARD = "14MB"  # the largest file


def load_trained(work: Path) -> dict[str, torch.nn.Module]:
    """The averaged networks of the stages vae, vocoder and unet, on the CPU."""
    nets = {"unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(work / "unet")),
            "vocoder": SpeechT5HifiGan(SpeechT5HifiGanConfig.from_pretrained(work / "vocoder"))}
    for name, net in nets.items():
        net.load_state_dict(averaged_state(work / f"{name}.pt", name))
    return {**nets, "vae": AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32)}


def export(work: Path, out: Path) -> None:
    """Write the folder: one subfolder per component, fp16 weights, `model_index.json`; replaces what it finds there."""
    for name, net in load_trained(work).items():
        shutil.rmtree(out / name, ignore_errors=True)
        net.eval().half().save_pretrained(out / name, safe_serialization=True, max_shard_size=SHARD)
        forget_origin(out / name / "config.json")
    for name in TEXT:
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(work / name, out / name)
    (out / "scheduler").mkdir(parents=True, exist_ok=True)
    write_json(out / "scheduler" / "scheduler_config.json", SCHEDULER)
    write_json(out / "model_index.json", INDEX)


def forget_origin(config: Path) -> None:
    """Take the folder that a network was loaded from out of its config: it means nothing elsewhere."""
    write_json(config, {k: v for k, v in json.loads(config.read_text(encoding="utf-8")).items() if k != "_name_or_path"})


def write_json(path: Path, content: dict) -> None:
    """A config file of a model folder, as people can read it."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
