"""Stage `vae`: the mel autoencoder, on absolute error and a small KL; ends with latents of zero mean and unit deviation."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus
from .format import LATENT_CHANNELS
from .loop import Loop, Settings, autocast, pick_device
from .networks import LogMel, make_vae

KL_WEIGHT = 0.01
PIECE_FRAMES = 128


def mel_statistics(sampler: Sampler, bank: Bank, seed: int, clips: int = 256) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each mel band over random clips, `[64]` each, on the CPU."""
    draw = sampler.draw(np.random.default_rng([seed, 91]), clips)
    mel = LogMel().to(bank.device)(bank.render(draw, clips, torch.Generator(bank.device).manual_seed(seed)))
    return mel.mean((0, 1, 2)).cpu(), mel.std((0, 1, 2)).cpu()


def _loss(vae: AutoencoderKL, mel: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    posterior = vae.encode(mel).latent_dist
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    noise = torch.randn(mean.shape, device=mean.device, generator=generator)
    rebuilt = vae.decode(mean + (0.5 * logvar).exp() * noise).sample.float()
    kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
    return (rebuilt - mel).abs().mean(), kl


@torch.no_grad()
def held_out_error(vae: AutoencoderKL, mel: Tensor) -> Tensor:
    """Mean absolute log-mel error (nat) of the posterior-mode round trip."""
    return (vae.decode(vae.encode(mel).latent_dist.mode()).sample.float() - mel).abs().mean()


def held_out_mels(corpus: Corpus, split: str, device: torch.device, clips: int = 64) -> Tensor:
    """Log-mels of unvaried single clips of a split, always the same ones."""
    rows = corpus.of_split(split)
    draw = Sampler(corpus, rows, Mixing(0, 0, 0)).draw(np.random.default_rng(5), clips, varied=False)
    return LogMel().to(device)(Bank(corpus, rows, device).render(draw, clips, torch.Generator(device).manual_seed(5)))


def train_vae(corpus: Corpus, work: Path, settings: Settings, channels: tuple[int, ...] = (24, 48, 96, 128),
              measured_clips: int = 512) -> Loop:
    """Train or go on training; writes `vae.pt` and, at the end, the finished autoencoder as the folder `vae/`."""
    device = pick_device(settings.device)
    rows = corpus.of_split("train")
    sampler, bank, log_mel = Sampler(corpus, rows, Mixing()), Bank(corpus, rows, device), LogMel().to(device)
    mean, deviation = mel_statistics(sampler, bank, settings.seed, measured_clips)
    torch.manual_seed(settings.seed)
    vae = make_vae(float(mean.mean()), float(deviation.mean()), channels).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(vae.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    loop = Loop(work, "vae", settings, {"vae": vae}, {"vae": optimiser}, ("vae",))
    held_out = held_out_mels(corpus, "test", device, min(64, measured_clips))
    for rng, generator in loop.steps():
        mel = log_mel(bank.render(sampler.draw(rng, settings.batch), settings.batch, generator))
        pieces = mel.unflatten(2, (-1, PIECE_FRAMES)).transpose(1, 2).flatten(0, 1)  # of every clip all its pieces
        with autocast(device):
            error, kl = _loss(vae, pieces.contiguous(memory_format=torch.channels_last), generator)
        optimiser.zero_grad(set_to_none=True)
        (error + KL_WEIGHT * kl).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        loop.note(error=error, kl=kl)
        if loop.step % 500 == 499:
            loop.record(held_out_error=float(held_out_error(vae, held_out)))
    vae.load_state_dict(loop.averages["vae"].state)
    loop.record(held_out_error=float(held_out_error(vae, held_out)))
    whiten(vae, sampler, bank, settings.seed, measured_clips)
    vae.save_pretrained(work / "vae")
    return loop


@torch.no_grad()
def whiten(vae: AutoencoderKL, sampler: Sampler, bank: Bank, seed: int, clips: int = 512) -> None:
    """Fold each latent channel's mean and deviation into the 1x1 convolutions of an autoencoder, in place.

    The fold is exact, so the latents come out at mean 0 and deviation 1; `scaling_factor` is 1 / deviation of what
    is left, measured on `clips` random clips.
    """
    log_mel = LogMel().to(bank.device)
    generator, rng = torch.Generator(bank.device).manual_seed(seed), np.random.default_rng([seed, 92])
    size = min(64, clips)
    latents = torch.cat([vae.encode(log_mel(bank.render(sampler.draw(rng, size), size, generator))).latent_dist.mode()
                         for _ in range(clips // size)])
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    c = LATENT_CHANNELS
    into, out = vae.quant_conv, vae.post_quant_conv
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= deviation[None, :, None, None]
    into.weight[:c] /= deviation[:, None, None, None]
    into.bias[:c] = (into.bias[:c] - mean) / deviation
    into.bias[c:] -= 2 * deviation.log()
    left = (latents - mean[:, None, None]) / deviation[:, None, None]
    vae.register_to_config(scaling_factor=float(1 / left.std()))
