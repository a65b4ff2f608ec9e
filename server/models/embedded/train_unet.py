"""Stage `unet`: the noise predictor, on pools of encoded clips; autoencoder and text tower stay as they are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus
from .format import CLIP_FRAMES
from .latents import Encoded, PoolPlan, Pools, Vectors
from .listen import Ear, agreement, directions, taught
from .loop import Loop, Settings, autocast, pick_device
from .networks import SCHEDULER, alphas_cumprod, make_unet

DROP = 0.1  # share of items under the null prompt
NOISY = 0.8  # levels are drawn as a uniform number to this power: more of the noisy ones, where the class is decided
PROBES = (50, 250, 500, 800)


@dataclass(frozen=True)
class UnetPlan:
    """What a stage trains on and how often it listens to itself.

    frames: random pieces of so many latent frames, except every `whole_every`-th step, which sees whole clips: half the
    length is half the cost. listen_every: steps between two figures of held-out error and class agreement.
    """

    pool: PoolPlan = PoolPlan()
    frames: int = CLIP_FRAMES
    whole_every: int = 3
    listen_every: int = 1000
    per_class: int = 2


@dataclass(frozen=True)
class Target:
    """What the network is asked for at a level: the velocity alpha e - sigma x0, or the noise e (Salimans & Ho 2022)."""

    alpha: Tensor
    sigma: Tensor
    prediction: str = SCHEDULER["prediction_type"]

    def noised(self, x0: Tensor, noise: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The network's input and its target, both shaped as `x0` [batch, ...]; `levels` int64 [batch]."""
        alpha, sigma = (v[levels].reshape(-1, *[1] * (x0.ndim - 1)) for v in (self.alpha, self.sigma))
        wanted = alpha * noise - sigma * x0 if self.prediction == "v_prediction" else noise
        return alpha * x0 + sigma * noise, wanted


def target(device: torch.device) -> Target:
    """The schedule of the model, on a device."""
    abar = alphas_cumprod().to(device)
    return Target(abar.sqrt(), (1 - abar).sqrt())


def error(unet: nn.Module, batch: Encoded, vectors: Tensor, levels: Tensor, noise: Tensor, aim: Target) -> Tensor:
    """Mean squared error of the network's answer, per clip `[batch]`."""
    x, wanted = aim.noised(batch.latents.float(), noise, levels)
    with autocast(x.device):
        answer = unet(x.contiguous(memory_format=torch.channels_last), levels, encoder_hidden_states=None,
                      class_labels=vectors).sample
    return (answer.float() - wanted).square().mean((1, 2, 3))


def step_error(unet: nn.Module, batch: Encoded, null: Tensor, aim: Target, generator: torch.Generator) -> Tensor:
    """The error at random levels, a tenth of the items under the null prompt; a scalar to descend.

    The velocity's plain error weighs that of x0 by SNR + 1: by its detail where little noise is left, by its class where
    nearly all is noise.
    """
    n, device = len(batch.latents), batch.latents.device
    levels = (torch.rand(n, device=device, generator=generator) ** NOISY * len(aim.alpha)).long()
    dropped = torch.rand(n, 1, device=device, generator=generator) < DROP
    noise = torch.randn(batch.latents.shape, device=device, generator=generator)
    return error(unet, batch, torch.where(dropped, null, batch.vectors), levels, noise, aim).mean()


@torch.no_grad()
def held_out_error(unet: nn.Module, batch: Encoded, aim: Target) -> dict[str, float]:
    """Error of held-out clips at fixed noise levels."""
    generator = torch.Generator(batch.latents.device).manual_seed(17)
    noise = torch.randn(batch.latents.shape, device=batch.latents.device, generator=generator)
    found = {}
    for t in PROBES:
        levels = torch.full((len(noise),), t, device=noise.device)
        found[f"held_out_{t}"] = float(error(unet, batch, batch.vectors, levels, noise, aim).mean())
    return found


@dataclass(frozen=True)
class Listener:
    """Hears how far the training is: held-out error, and whether generated latents are of the class asked for."""

    unet: nn.Module  # takes the averaged weights
    held_out: Encoded
    ear: Ear
    asked: Tensor
    null: Tensor
    aim: Target
    per_class: int

    def figures(self, state: dict[str, Tensor]) -> dict[str, float]:
        """The figures of a network with this state."""
        self.unet.load_state_dict(state)
        shape = tuple(self.held_out.latents.shape[1:])
        heard = agreement(self.unet, self.ear, self.asked, self.null, shape, self.per_class)
        return {**held_out_error(self.unet, self.held_out, self.aim), "agreement": heard}


def descend(loop: Loop, pools: Pools, null: Tensor, plan: UnetPlan, listener: Listener | None) -> None:
    """Run the loop's steps."""
    unet, optimiser = loop.nets["unet"], loop.optimisers["all"]
    aim, clips, batch_size = target(loop.device), plan.pool.clips, loop.settings.batch
    for _, generator in loop.steps():
        pool = pools.get(plan.pool.number_at(loop.step, batch_size))
        batch = pool.at(torch.randint(0, clips, (batch_size,), device=loop.device, generator=generator))
        batch = batch if loop.step % plan.whole_every == 0 else batch.piece(plan.frames, generator)
        loss = step_error(unet, batch, null, aim, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        loop.note(error=loss)
        if listener and loop.step % plan.listen_every == plan.listen_every - 1:
            loop.record(**listener.figures(loop.averages["unet"].state))


def train_unet(corpus: Corpus, work: Path, settings: Settings, plan: UnetPlan, channels: tuple[int, ...], mixing: Mixing,
               vectors: Vectors) -> Loop:
    """Train or go on training; needs the finished folder `vae/`, writes `unet.pt`. `vectors` is the text tower."""
    device = pick_device(settings.device)
    vae = AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32)
    vae.to(device, memory_format=torch.channels_last)
    torch.manual_seed(settings.seed)
    unet = make_unet(channels).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(unet.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    unet.save_config(work / "unet")
    loop = Loop(work, "unet", settings, {"unet": unet}, {"all": optimiser}, ("unet",))

    def pools_of(split: str, mixed: Mixing, sizes: PoolPlan, seed: int, folder: Path | None = None) -> Pools:
        rows = corpus.of_split(split)
        return Pools(Sampler(corpus, rows, mixed), Bank(corpus, rows, device), vae, vectors, sizes, seed, folder)

    pools = pools_of("train", mixing, plan.pool, settings.seed, work / "pools")
    few = min(64, plan.pool.clips)
    held_out = pools_of("test", Mixing(0.2, 0, 0), PoolPlan(few, 1, few), 1).get(0, varied=False)
    null = vectors([""])
    first = pools.get(plan.pool.number_at(loop.step, settings.batch))
    averaged = make_unet(channels).to(device).eval()
    listener = Listener(averaged, held_out, taught(first, settings.seed), directions(first), null, target(device),
                        plan.per_class)
    descend(loop, pools, null, plan, listener)
    return loop
