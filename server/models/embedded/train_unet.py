"""Stage `unet`: the noise predictor and the text tower, together, on pools of encoded clips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus, caption
from .loop import Loop, Settings, autocast, pick_device
from .networks import LogMel, alphas_cumprod, make_text_encoder, make_tokenizer, make_unet, text_vector, tokenise
from .train_text import STEPS, teach_text

# Weight of |x0 - x0hat|^2 by SNR. The cap is min-SNR's (Hang et al. 2023); the floor keeps the noisiest levels in training:
# there a small error of the predicted noise is a large one of the clean latents, and sampling starts with it.
SNR_FLOOR, SNR_CAP = 0.02, 5.0
NOISY = 0.6  # levels are drawn as a uniform number to this power: more of the noisy ones, where the class is decided
PROBES = (50, 250, 500, 800)


@dataclass(frozen=True)
class PoolPlan:
    """Clips encoded at a time, how many times each is used, and how many are encoded in one pass.

    frames: train on random pieces of so many latent frames (128 is a whole clip), except every `whole_every`-th step, which
    sees whole clips: half the length is half the cost.
    """

    clips: int = 16384
    uses: int = 4
    chunk: int = 128
    frames: int = 128
    whole_every: int = 3


@dataclass(frozen=True)
class Batch:
    """Latents `[batch, 16, frames, 8]` with their token ids and mask `[batch, tokens]`."""

    latents: Tensor
    ids: Tensor
    mask: Tensor

    def at(self, index: Tensor) -> "Batch":
        """The rows of an index tensor."""
        return Batch(self.latents[index], self.ids[index], self.mask[index])

    def piece(self, frames: int, generator: torch.Generator) -> "Batch":
        """A random piece of `frames` latent frames, the same for all rows."""
        room = self.latents.shape[2] - frames
        if room <= 0:
            return self
        start = int(torch.randint(0, room + 1, (1,), device=generator.device, generator=generator))
        return Batch(self.latents[:, :, start:start + frames], self.ids, self.mask)


class Pools:
    """Encoded clips with captions; pool k is a function of (seed, k), so resuming finds the same one."""

    def __init__(self, sampler: Sampler, bank: Bank, vae: AutoencoderKL, tokenizer: PreTrainedTokenizerFast,
                 plan: PoolPlan, seed: int) -> None:
        self.sampler, self.bank, self.vae, self.tokenizer = sampler, bank, vae, tokenizer
        self.plan, self.seed = plan, seed
        self.log_mel = LogMel().to(bank.device)
        self._index, self._pool = -1, None

    @torch.no_grad()
    def get(self, index: int, varied: bool = True) -> Batch:
        """Pool number `index`, on the device."""
        if index == self._index:
            return self._pool
        rng = np.random.default_rng([self.seed, 93, index])
        generator = torch.Generator(self.bank.device).manual_seed(self.seed * 7919 + index)
        latents, captions, chunk = [], [], min(self.plan.chunk, self.plan.clips)
        for _ in range(self.plan.clips // chunk):
            draw = self.sampler.draw(rng, chunk, varied)
            mel = self.log_mel(self.bank.render(draw, chunk, generator))
            with autocast(self.bank.device):
                posterior = self.vae.encode(mel.to(memory_format=torch.channels_last)).latent_dist
            latents.append((posterior.mode().float() * self.vae.config.scaling_factor).half())
            captions += draw.captions
        ids, mask = (x.to(self.bank.device) for x in tokenise(self.tokenizer, captions))
        self._index, self._pool = index, Batch(torch.cat(latents), ids, mask)
        return self._pool


def corpus_tokenizer(corpus: Corpus, seed: int, captions: int = 20000) -> PreTrainedTokenizerFast:
    """The tokenizer trained on captions of the corpus's training items."""
    rows, rng = corpus.of_split("train"), np.random.default_rng([seed, 94])
    picks = rng.choice(rows, (captions, 2))
    return make_tokenizer([caption(rng, [corpus.items[i] for i in pair], rng.random() < 0.3) for pair in picks])


def _noised(batch: Batch, levels: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    a = abar[levels][:, None, None, None]
    return a.sqrt() * batch.latents.float() + (1 - a).sqrt() * noise


def _error(loop: Loop, batch: Batch, levels: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    """Mean squared error of the predicted noise, per clip."""
    unet, text = loop.nets["unet"], loop.nets["text_encoder"]
    noisy = _noised(batch, levels, noise, abar).contiguous(memory_format=torch.channels_last)
    with autocast(loop.device):
        vector = text_vector(text, batch.ids, batch.mask)
        predicted = unet(noisy, levels, encoder_hidden_states=None, class_labels=vector).sample
    return (predicted.float() - noise).square().mean((1, 2, 3))


@torch.no_grad()
def _probe(loop: Loop, batch: Batch, abar: Tensor) -> dict[str, float]:
    """Held-out error at fixed noise levels."""
    generator = torch.Generator(loop.device).manual_seed(17)
    noise = torch.randn(batch.latents.shape, device=loop.device, generator=generator)
    levels = {t: torch.full((len(noise),), t, device=loop.device) for t in PROBES}
    return {f"held_out_{t}": float(_error(loop, batch, level, noise, abar).mean()) for t, level in levels.items()}


def train_unet(corpus: Corpus, work: Path, settings: Settings, plan: PoolPlan, channels: tuple[int, ...],
               mixing: Mixing, text_steps: int = STEPS) -> Loop:
    """Train or go on training; needs the finished folder `vae/`, writes `unet.pt` and `tokenizer/`.

    A fresh start first teaches the text tower for `text_steps`; from then on it stays as it is. Trained together with a
    noise predictor that does not yet make use of it, it would soon say the same of every text again.
    """
    device = pick_device(settings.device)
    rows, test = corpus.of_split("train"), corpus.of_split("test")
    tokenizer = corpus_tokenizer(corpus, settings.seed)
    tokenizer.save_pretrained(work / "tokenizer")
    sampler, bank = Sampler(corpus, rows, mixing), Bank(corpus, rows, device)
    vae = AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32)
    vae.to(device, memory_format=torch.channels_last)
    torch.manual_seed(settings.seed)
    nets = {"unet": make_unet(channels).to(device, memory_format=torch.channels_last),
            "text_encoder": make_text_encoder(len(tokenizer)).to(device)}
    if not (work / "unet.pt").exists():
        teach_text(nets["text_encoder"], tokenizer, sampler, settings.seed, text_steps)
    nets["text_encoder"].requires_grad_(False)
    parameters = list(nets["unet"].parameters())
    optimiser = torch.optim.AdamW(parameters, settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    loop = Loop(work, "unet", settings, nets, {"all": optimiser}, ("unet", "text_encoder"))
    pools = Pools(sampler, bank, vae, tokenizer, plan, settings.seed)
    held_out = Pools(Sampler(corpus, test, Mixing(0.2, 0, 0)), Bank(corpus, test, device), vae, tokenizer,
                     PoolPlan(min(64, plan.clips), 1, min(64, plan.chunk)), 1).get(0, varied=False)
    abar = alphas_cumprod().to(device)
    steps_per_pool = max(1, plan.clips * plan.uses // settings.batch)
    for _, generator in loop.steps():
        pool = pools.get(loop.step // steps_per_pool)
        batch = pool.at(torch.randint(0, plan.clips, (settings.batch,), device=device, generator=generator))
        batch = batch if loop.step % plan.whole_every == 0 else batch.piece(plan.frames, generator)
        levels = torch.rand(settings.batch, device=device, generator=generator) ** NOISY * 1000
        levels = levels.long()
        noise = torch.randn(batch.latents.shape, device=device, generator=generator)
        error = _error(loop, batch, levels, noise, abar)
        snr = abar[levels] / (1 - abar[levels])
        loss = (error * snr.clamp(SNR_FLOOR, SNR_CAP) / snr).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        loop.note(error=error.mean(), weighted=loss)
        if loop.step % 1000 == 999:
            loop.record(**_probe(loop, held_out, abar))
    return loop
