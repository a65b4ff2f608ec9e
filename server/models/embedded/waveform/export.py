"""From a work folder to the folder that ships: diffusers' Stable Audio layout, in half precision where that serves.

The work folder holds `text/` (`text_states`), `vae/` (a diffusers folder), `dit/config.json`, and the checkpoint `dit.pt`
with the averages of `dit` and of `projection`.
"""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderOobleck, CosineDPMSolverMultistepScheduler, StableAudioDiTModel
from torch import Tensor, nn

from server.models.components import load_module

from ..export import forget_origin, write_json
from ..loop import averaged_state
from .projection import make_projection
from .text_states import TextStates

SHARD = "13MB"  # the largest file
LARGEST_SIGMA = 500.0
INDEX = {
    "_class_name": "StableAudioPipeline", "_diffusers_version": "0.42.1",
    "projection_model": ["stable_audio", "StableAudioProjectionModel"],
    "scheduler": ["diffusers", "CosineDPMSolverMultistepScheduler"], "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"], "transformer": ["diffusers", "StableAudioDiTModel"],
    "vae": ["diffusers", "AutoencoderOobleck"],
}


def load_trained(work: Path) -> dict[str, nn.Module]:
    """The networks by their folder's name: averages of `transformer` and `projection_model`, and `vae`; CPU, float32."""
    transformer = StableAudioDiTModel.from_config(StableAudioDiTModel.load_config(work / "dit"))
    transformer.load_state_dict(averaged_state(work / "dit.pt", "dit"))
    projection = make_projection(TextStates.load(work / "text"))
    told = projection.text_projection.state_dict()
    codes = averaged_state(work / "dit.pt", "projection")
    projection.load_state_dict({**codes, **{f"text_projection.{key}": value for key, value in told.items()}})
    return {"transformer": transformer, "projection_model": projection, "vae": load_module(AutoencoderOobleck, work, "vae")}


def export(work: Path, out: Path, sigma_min: float) -> None:
    """Write the folder: one subfolder per component and `model_index.json`; replaces what it finds there.

    sigma_min: the smallest noise of the schedule, relative to latents of deviation 1; the next level is none.
    """
    for name, net in load_trained(work).items():
        _fresh(out / name)
        # The autoencoder is written, not learned, and adds up large numbers that cancel: it must not be rounded.
        small = halve_exact(net) if name == "vae" else net.half()
        small.eval().save_pretrained(out / name, max_shard_size=SHARD)
        forget_origin(out / name / "config.json")
    for name in ("text_encoder", "tokenizer"):
        _fresh(out / name)
        shutil.copytree(work / "text" / name, out / name, dirs_exist_ok=True)
    CosineDPMSolverMultistepScheduler(
        sigma_min=sigma_min, sigma_max=LARGEST_SIGMA, sigma_data=1.0, sigma_schedule="exponential",
        prediction_type="v_prediction", solver_type="midpoint", solver_order=2,
    ).save_pretrained(_fresh(out / "scheduler"))
    write_json(out / "model_index.json", INDEX)


def halve_exact(net: nn.Module) -> nn.Module:
    """Bring each weight of a network that loses nothing by it to half precision, in place."""
    for weight in net.parameters():
        weight.data = halved(weight.data)
    return net


def halved(value: Tensor) -> Tensor:
    """The tensor in float16 if that is exact, else as it is."""
    half = value.half()
    return half if torch.equal(half.to(value.dtype), value) else value


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
