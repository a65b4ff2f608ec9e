"""Evaluation as training goes: in what share of freshly generated latents a small classifier hears the class asked for.

The classifier learns from the pool that the noise predictor learns from, so its figure serves to compare checkpoints of one
run and designs at equal cost, not to state a quality: `athanor evaluate` does that, on held-out sources and on sound.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.models.prediction import x0_of
from server.sampling.levels import Level, levels_even_in_snr
from server.sampling.noise import KeyedNoise
from server.sampling.solve import State, solve

from .latents import Encoded
from .networks import SCHEDULER, alphas_cumprod

STEPS, GUIDANCE = 20, 3.0


class Ear(nn.Module):
    """Three convolutions over latents `[batch, channels, frames, bands]`, mean and maximum over time: logits."""

    def __init__(self, channels: int, bands: int, n_classes: int, width: int = 48) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, 1, 1), nn.GroupNorm(8, width), nn.SiLU(),
            nn.Conv2d(width, width, 3, 2, 1), nn.GroupNorm(8, width), nn.SiLU(),
            nn.Conv2d(width, width, 3, (2, 1), 1), nn.GroupNorm(8, width), nn.SiLU())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * width * -(-bands // 2), n_classes))

    def forward(self, latents: Tensor) -> Tensor:
        heard = self.body(latents)
        return self.head(torch.cat([heard.mean(2), heard.amax(2)], 1).flatten(1))


def taught(pool: Encoded, seed: int, steps: int = 400, batch: int = 48) -> Ear:
    """An ear for the classes of a pool, from its clips of one class, with noise and colour added."""
    generator = torch.Generator(pool.latents.device).manual_seed(seed)
    single = pool.at((pool.heard.sum(1) == 1).nonzero()[:, 0])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        ear = Ear(pool.latents.shape[1], pool.latents.shape[3], pool.heard.shape[1]).to(pool.latents.device)
        optimiser = torch.optim.AdamW(ear.parameters(), 2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
        for _ in range(steps):
            rows = torch.randint(0, len(single.latents), (batch,), device=pool.latents.device, generator=generator)
            part = single.at(rows)
            x = part.latents.float()
            noise = torch.randn(x.shape, device=x.device, generator=generator)
            colour = torch.randn(len(x), x.shape[1], 1, x.shape[3], device=x.device, generator=generator)
            loss = F.cross_entropy(ear(x + 0.3 * noise + 0.3 * colour), part.heard, label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    return ear.eval()


def directions(pool: Encoded) -> Tensor:
    """The mean text vector of each class's clips, unit length, `[classes, width]`: what an average caption asks for."""
    single = pool.at((pool.heard.sum(1) == 1).nonzero()[:, 0])
    return F.normalize(single.heard.T @ single.vectors, dim=-1)


@torch.no_grad()
def generated(unet: nn.Module, vectors: Tensor, null: Tensor, shape: tuple[int, ...], seed: int) -> Tensor:
    """Latents `[batch, *shape]` asked for by text vectors `[batch, width]`, under guidance."""
    levels = levels_even_in_snr(alphas_cumprod().double(), STEPS)
    labels = torch.cat([null.expand_as(vectors), vectors])

    def denoise(x: Tensor, level: Level) -> Tensor:
        twice = torch.cat([x, x])
        time = level.times(len(twice)).float().to(x.device)
        raw = unet(twice, time, encoder_hidden_states=None, class_labels=labels).sample.float()
        alpha, sigma = level.factors(twice)
        u, c = x0_of(raw, twice, alpha, sigma, SCHEDULER["prediction_type"]).chunk(2)
        return u + GUIDANCE * (c - u)

    noise = KeyedNoise(seed, range(len(vectors)))
    return solve(denoise, State(noise.initial(shape).to(vectors.device)), levels, noise=noise).x


@torch.no_grad()
def agreement(unet: nn.Module, ear: Ear, vectors: Tensor, null: Tensor, shape: tuple[int, ...], per_class: int,
              seed: int = 0) -> float:
    """Share of generated latents, `per_class` of each class's direction, in which the ear hears the class."""
    wanted = torch.arange(len(vectors), device=vectors.device).repeat(per_class)
    hits = []
    for number, part in enumerate(wanted.split(64)):
        hits.append(ear(generated(unet, vectors[part], null, shape, seed + number)).argmax(1) == part)
    return float(torch.cat(hits).float().mean())
