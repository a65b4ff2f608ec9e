"""Stage `dit`: the transformer that predicts velocities, on pools of encoded clips; codec and text encoder stay."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..augment import Bank, Mixing, Sampler
from ..corpus import Corpus
from ..latents import Encoded, PoolPlan
from ..listen import taught
from ..loop import Loop, Settings, autocast, pick_device
from ..text_tower import TEXT_DIMENSION
from .pools import Pool, Pools
from .projection import make_projection
from .shape import CHANNELS, HOP, N_BANDS, SAMPLE_RATE
from .text_states import TextStates
from .train_codec import load_codec

HEAD = 64  # width of an attention head
WINDOW = 640  # latent frames of the longest clip, 10.24 s
DROP = 0.1  # share of items under the null prompt: no tokens at all, not even those of the times
NOISY = 0.8  # times are drawn as a uniform number to this power: more of the noisy ones, where the class is decided
LEVEL_WEIGHT = 4.0  # of a level in the error, where a line has 1: there are six times as many lines
LOUDEST_OF = 3  # see `pieces`
PROBES = (0.1, 0.3, 0.5, 0.7, 0.9)
LISTEN_STEPS, GUIDANCE = 12, 3.0


@dataclass(frozen=True)
class DitPlan:
    """Layers and width; frames of most training pieces (every `whole_every`-th step sees whole clips, fewer); pools.

    listen_every: steps between two figures of held-out error and class agreement, for which an ear is taught `ear_steps`.
    """

    pool: PoolPlan = PoolPlan()
    layers: int = 6
    width: int = 256
    frames: int = 80
    whole_every: int = 3
    listen_every: int = 2000
    ear_steps: int = 400


@dataclass(frozen=True)
class Told:
    """What the network is told of each clip: text states `[batch, tokens, 128]`, and the null prompt in place of some."""

    states: Tensor
    dropped: Tensor


def make_dit(layers: int, width: int) -> StableAudioDiTModel:
    """A fresh network of `width`, a multiple of 64."""
    heads = width // HEAD
    return StableAudioDiTModel(
        sample_size=WINDOW, in_channels=CHANNELS, out_channels=CHANNELS, num_layers=layers, attention_head_dim=HEAD,
        num_attention_heads=heads, num_key_value_attention_heads=heads, cross_attention_dim=TEXT_DIMENSION,
        cross_attention_input_dim=TEXT_DIMENSION, time_proj_dim=width, global_states_input_dim=2 * TEXT_DIMENSION,
    )


class Velocity(nn.Module):
    """The network with the codes of seconds, called as the Stable Audio layout calls them."""

    def __init__(self, dit: StableAudioDiTModel, projection: nn.Module) -> None:
        super().__init__()
        self.dit, self.projection = dit, projection

    def forward(self, x: Tensor, time: Tensor, told: Told) -> Tensor:
        """Velocities of noisy latents `[batch, 84, frames]` at times `[batch]`, 0 to 1."""
        seconds = torch.full((len(x),), x.shape[2] * HOP / SAMPLE_RATE, device=x.device)
        timing = self.projection(start_seconds=torch.zeros_like(seconds), end_seconds=seconds)
        first, last = timing.seconds_start_hidden_states, timing.seconds_end_hidden_states
        tokens = torch.cat([told.states, first, last], 1) * ~told.dropped[:, None, None]
        rotary = get_1d_rotary_pos_embed(HEAD // 2, x.shape[2] + 1, use_real=True, repeat_interleave_real=False)
        with autocast(x.device):
            return self.dit(x, time, encoder_hidden_states=tokens, global_hidden_states=torch.cat([first, last], 2),
                            rotary_embedding=tuple(part.to(x.device) for part in rotary), return_dict=False)[0].float()


def noised(x0: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """The network's input and the velocity, of latents at times `[batch]`: alpha = cos(pi t / 2), sigma = sin(pi t / 2)."""
    alpha, sigma = ((math.pi / 2 * time).cos()[:, None, None], (math.pi / 2 * time).sin()[:, None, None])
    return alpha * x0 + sigma * noise, alpha * noise - sigma * x0


def error(network: Velocity, latents: Tensor, told: Told, time: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the velocity, levels weighed more than lines; per clip `[batch]`."""
    x, wanted = noised(latents, noise, time)
    weight = torch.ones(CHANNELS, device=x.device)
    weight[-N_BANDS:] = LEVEL_WEIGHT
    each = (network(x, time, told) - wanted).square().mean(2)
    return (each * weight).sum(1) / weight.sum()


def step_error(network: Velocity, latents: Tensor, states: Tensor, generator: torch.Generator) -> Tensor:
    """The error at random times, a tenth of the items under the null prompt; a scalar to descend."""
    n, device = len(latents), latents.device
    time = torch.rand(n, device=device, generator=generator) ** NOISY
    dropped = torch.rand(n, device=device, generator=generator) < DROP
    noise = torch.randn(latents.shape, device=device, generator=generator)
    return error(network, latents, Told(states, dropped), time, noise).mean()


@torch.no_grad()
def generated(network: Velocity, states: Tensor, frames: int, seed: int) -> Tensor:
    """Latents `[batch, 84, frames]` of text states under guidance, by a few plain steps."""
    n, device = len(states), states.device
    generator = torch.Generator(device).manual_seed(seed)
    x = torch.randn(n, CHANNELS, frames, device=device, generator=generator)
    twice = Told(torch.cat([states, states]), torch.arange(2 * n, device=device) < n)
    times = torch.linspace(0.998, 0.03, LISTEN_STEPS, device=device)
    for now, then in zip(times, [*times[1:], times.new_zeros(())], strict=True):
        angle, next_angle = math.pi / 2 * now, math.pi / 2 * then
        u, c = network(torch.cat([x, x]), now.expand(2 * n), twice).chunk(2)
        v = u + GUIDANCE * (c - u)
        x0, noise = angle.cos() * x - angle.sin() * v, angle.sin() * x + angle.cos() * v
        x = next_angle.cos() * x0 + next_angle.sin() * noise
    return x


@dataclass(frozen=True)
class Listener:
    """Hears how far the training is: held-out error by time, and whether generated latents are of the class asked for."""

    network: Velocity  # takes the averaged weights
    held_out: Pool
    states: Tensor  # of the held-out clips
    ear: nn.Module
    asked: Tensor  # text states of every class's name
    frames: int

    @torch.no_grad()
    def figures(self, averages: dict[str, dict[str, Tensor]]) -> dict[str, float]:
        """The figures of networks with these states."""
        self.network.dit.load_state_dict(averages["dit"])
        self.network.projection.load_state_dict(averages["projection"])
        latents = self.held_out.latents.float()
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(17)).to(latents)
        told = Told(self.states, torch.zeros(len(latents), dtype=torch.bool, device=latents.device))
        found = {}
        for t in PROBES:
            time = torch.full((len(latents),), t, device=latents.device)
            found[f"held_out_{t}"] = float(error(self.network, latents, told, time, noise).mean())
        heard = [self.ear(generated(self.network, part, self.frames, 3)[..., None]).argmax(1)
                 for part in self.asked.split(25)]
        wanted = torch.arange(len(self.asked), device=latents.device)
        return {**found, "agreement": float((torch.cat(heard) == wanted).float().mean())}


def pieces(latents: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """A piece `[batch, 84, frames]` of each clip, the loudest of three: most of many a clip is silence."""
    n, channels, whole = latents.shape
    starts = torch.randint(0, whole - frames + 1, (n, LOUDEST_OF, 1), device=latents.device, generator=generator)
    places = starts + torch.arange(frames, device=latents.device)
    levels = latents[:, -N_BANDS:].float().mean(1)
    chosen = levels[:, None].expand(-1, LOUDEST_OF, -1).gather(2, places).mean(2).argmax(1)
    of_piece = places[torch.arange(n), chosen]
    return latents.gather(2, of_piece[:, None].expand(-1, channels, -1)).float()


def attention(device: torch.device) -> AbstractContextManager:
    """On a CPU, attention by plain products: for pieces this short a tenth of a step is saved, most of it going back."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def descend(loop: Loop, network: Velocity, pools: Pools, told: Callable[[list[str]], Tensor], plan: DitPlan,
            listener: Listener | None) -> None:
    """Run the loop's steps."""
    optimiser, batch, index, states = loop.optimisers["all"], loop.settings.batch, -1, None
    for _, generator in loop.steps():
        number = plan.pool.number_at(loop.step, batch)
        pool = pools.get(number)
        if number != index:
            index, states = number, told(pool.captions)
        whole = pool.latents.shape[2]
        frames = plan.frames if loop.step % plan.whole_every else whole
        count = max(1, batch * plan.frames // frames)  # a step costs the same either way
        rows = torch.randint(0, plan.pool.clips, (count,), device=loop.device, generator=generator)
        latents = pieces(pool.latents[rows], frames, generator)
        with attention(loop.device):
            loss = step_error(network, latents, states[rows], generator)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        loop.note(error=loss)
        if listener and loop.step % plan.listen_every == plan.listen_every - 1:
            loop.record(**listener.figures({key: average.state for key, average in loop.averages.items()}))


def train_dit(corpus: Corpus, work: Path, settings: Settings, plan: DitPlan, mixing: Mixing) -> Loop:
    """Train or go on training; needs `codec.pt` and the folder `text/`, writes `dit.pt`."""
    device = pick_device(settings.device)
    codec, text = load_codec(work, device), TextStates.load(work / "text", device)

    def network() -> Velocity:
        projection = make_projection(text)
        projection.text_projection.requires_grad_(False)
        return Velocity(make_dit(plan.layers, plan.width), projection).to(device)

    torch.manual_seed(settings.seed)
    trained = network()
    optimiser = torch.optim.AdamW([p for p in trained.parameters() if p.requires_grad], settings.learning_rate,
                                  betas=(0.9, 0.99), weight_decay=1e-3)
    trained.dit.save_config(work / "dit")
    loop = Loop(work, "dit", settings, {"dit": trained.dit, "projection": trained.projection}, {"all": optimiser},
                ("dit", "projection"))

    def pools_of(split: str, mixed: Mixing, sizes: PoolPlan, seed: int, folder: Path | None = None) -> Pools:
        rows = corpus.of_split(split)
        return Pools(Sampler(corpus, rows, mixed), Bank(corpus, rows, device), codec, sizes, seed, folder)

    def told(prompts: list[str]) -> Tensor:
        return text(prompts)[0]

    pools = pools_of("train", mixing, plan.pool, settings.seed, work / "pools")
    few = min(64, plan.pool.clips)
    held_out = pools_of("test", Mixing(0.2, 0, 0), PoolPlan(few, 1, few), 1).get(0, varied=False)
    first = pools.get(plan.pool.number_at(loop.step, settings.batch))
    listener = Listener(network().eval(), held_out, told(held_out.captions), _ear(first, text, plan.ear_steps),
                        told([corpus.names[k] for k in sorted(corpus.classes)]), plan.frames)
    descend(loop, trained, pools, told, plan, listener)
    return loop


def _ear(pool: Pool, text: TextStates, steps: int) -> nn.Module:
    """An ear that was taught on a pool: frames as rows of images one pixel wide."""
    return taught(Encoded(pool.latents[..., None], text.vectors(pool.captions), pool.heard), seed=1, steps=steps)
