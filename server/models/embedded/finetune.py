"""Fine-tune the embedded model on a corpus of a person's own sounds, and export the result as a model folder.

The noise predictor alone learns; autoencoder, vocoder and text tower stay as they are, so that words mean what they meant.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from server.errors import InvalidOption

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus
from .format import N_MELS, SAMPLE_RATE
from .latents import PoolPlan, Pools
from .loop import Loop, Settings, averaged_state, pick_device
from .networks import SCHEDULER, make_unet
from .text_tower import TextTower
from .train_unet import UnetPlan, descend

LOG_EVERY = 5
OnLog = Callable[[int, float, float], None]
"""Told the steps done, the seconds of this run and the mean error of the last `LOG_EVERY` steps."""


@dataclass(frozen=True)
class Lessons:
    """How long and how: `minutes` or `steps`, whichever ends first; the learning rate falls to nothing over them.

    pool: clips encoded at a time, each used `uses` times before the next are made.
    """

    minutes: float = 60.0
    steps: int = 1 << 60
    device: str = "auto"
    seed: int = 1
    batch: int = 16
    learning_rate: float = 3e-4
    pool: int = 256
    uses: int = 8

    def settings(self) -> Settings:
        """The training loop's settings."""
        return Settings(self.minutes, self.steps, self.device, self.seed, self.batch, self.learning_rate, anneal=True,
                        ema_decay=0.998, warm_steps=50, log_every=LOG_EVERY)


class _TellingLoop(Loop):
    """The training loop; tells each line of its curves to `on_log` too."""

    on_log: OnLog
    begun: float

    def record(self, **values: float) -> None:
        super().record(**values)
        self.on_log(self.step, time.monotonic() - self.begun, values.get("error", float("nan")))


def check_base(folder: Path) -> None:
    """Raise InvalidOption unless a model folder is of the embedded model's format, which the recipe trains alone."""
    try:
        vocoder = json.loads((folder / "vocoder" / "config.json").read_text(encoding="utf-8"))
        scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
        found = (vocoder["sampling_rate"], vocoder["model_in_dim"], scheduler["prediction_type"])
    except (OSError, ValueError, KeyError) as error:
        raise InvalidOption(f"{folder} cannot be trained on: {type(error).__name__} at its vocoder or scheduler. Only the "
                            "embedded model, and models trained from it, can.") from error
    if found != (SAMPLE_RATE, N_MELS, SCHEDULER["prediction_type"]):
        raise InvalidOption(f"{folder} cannot be trained on: it has {found[0]} Hz, {found[1]} bands and predicts "
                            f"{found[2]!r}; `athanor train` knows {SAMPLE_RATE} Hz, {N_MELS} bands and "
                            f"{SCHEDULER['prediction_type']!r}, as the embedded model has.")


def finetune(corpus: Corpus, base: Path, work: Path, lessons: Lessons, on_log: OnLog, *, scratch: bool = False) -> Loop:
    """Train, or go on training, on all clips of a corpus; keeps `unet.pt` in `work`, also when it is interrupted.

    Args:
        base: a model folder of the embedded model's format; its noise predictor is where a first run starts.
        scratch: start a first run from a network that knows nothing instead, of the same size.

    Raises:
        InvalidOption: as `check_base`.
        KeyboardInterrupt: as it came, after the checkpoint was written.
    """
    check_base(base)
    device = pick_device(lessons.device)
    rows = np.arange(len(corpus.items))  # nothing is held out: a person's archive is for learning
    vae = AutoencoderKL.from_pretrained(base / "vae", torch_dtype=torch.float32).eval().requires_grad_(False)
    vae.to(device, memory_format=torch.channels_last)
    vectors = TextTower.load(base, device)
    unet = _network(base, scratch, lessons.seed).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(unet.parameters(), lessons.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    loop = _TellingLoop(work, "unet", lessons.settings(), {"unet": unet}, {"all": optimiser}, ("unet",))
    loop.on_log, loop.begun = on_log, time.monotonic()
    plan = UnetPlan(PoolPlan(lessons.pool, lessons.uses, min(32, lessons.pool)))
    pools = Pools(Sampler(corpus, rows, Mixing()), Bank(corpus, rows, device), vae, vectors, plan.pool, lessons.seed,
                  work / "pools")
    try:
        descend(loop, pools, vectors([""]), plan, None)
    except KeyboardInterrupt:
        loop.save()
        raise
    return loop


def _network(base: Path, scratch: bool, seed: int) -> UNet2DConditionModel:
    if not scratch:
        return UNet2DConditionModel.from_pretrained(base / "unet", torch_dtype=torch.float32)
    torch.manual_seed(seed)
    return make_unet(tuple(UNet2DConditionModel.load_config(base / "unet")["block_out_channels"]))


def export_finetuned(base: Path, work: Path, out: Path) -> None:
    """Write the model folder `out`, replacing one that is there: the base's parts with the averaged network of `work`."""
    new = out.with_name(f"{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    index = json.loads((base / "model_index.json").read_text(encoding="utf-8"))
    shutil.copyfile(base / "model_index.json", new / "model_index.json")
    for part in index:
        if (base / part).is_dir() and part != "unet":
            shutil.copytree(base / part, new / part)
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(base / "unet"))
    unet.load_state_dict(averaged_state(work / "unet.pt", "unet"))
    unet.eval().half().save_pretrained(new / "unet")
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)
