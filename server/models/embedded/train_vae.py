"""Stage `vae`: the mel autoencoder. Its encoder is a linear transform, found at once; its decoder learns on from there."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from server.models.mel import log_mel

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus
from .fold import LinearFold, as_autoencoder
from .format import LATENT_CHANNELS, SPEC
from .loop import Loop, Settings, pick_device

PIECE_FRAMES = 128
EVENNESS = 0.5  # between latents of one size (0) and of the sizes they have in the mel (1): the coarse ones are larger
ROUGHNESS = 0.1  # deviation, at most, of noise on the latents in training: generated ones are not exact either
LINEAR_STEPS, LINEAR_BATCH, LINEAR_RATE = 700, 8, 2e-3


def random_mels(sampler: Sampler, bank: Bank, seed: int, clips: int, chunk: int = 16) -> Tensor:
    """Log-mels `[clips, 1, 512, 64]` of random clips, on the device."""
    rng = np.random.default_rng([seed, 91])
    generator = torch.Generator(bank.device).manual_seed(seed)
    sizes = [min(chunk, clips - at) for at in range(0, clips, chunk)]
    return torch.cat([log_mel(bank.render(sampler.draw(rng, n), n, generator), SPEC)[:, None] for n in sizes])


def mel_statistics(sampler: Sampler, bank: Bank, seed: int, clips: int = 256) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each mel band over random clips, `[64]` each, on the CPU."""
    mel = random_mels(sampler, bank, seed, clips)
    return mel.mean((0, 1, 2)).cpu(), mel.std((0, 1, 2)).cpu()


@torch.no_grad()
def held_out_error(vae: AutoencoderKL, mel: Tensor) -> Tensor:
    """Mean absolute log-mel error (nat) of the posterior-mode round trip."""
    return (vae.decode(vae.encode(mel).latent_dist.mode()).sample.float() - mel).abs().mean()


def held_out_mels(corpus: Corpus, split: str, device: torch.device, clips: int = 64) -> Tensor:
    """Log-mels of unvaried single clips of a split, always the same ones."""
    rows = corpus.of_split(split)
    draw = Sampler(corpus, rows, Mixing(0, 0, 0)).draw(np.random.default_rng(5), clips, varied=False)
    audio = Bank(corpus, rows, device).render(draw, clips, torch.Generator(device).manual_seed(5))
    return log_mel(audio, SPEC)[:, None]


def fit_linear(mel: Tensor, seed: int, steps: int = LINEAR_STEPS) -> LinearFold:
    """The linear transform for some log-mels: principal components, and the linear decoder that fits them best."""
    generator = torch.Generator(mel.device).manual_seed(seed)
    torch.manual_seed(seed)
    linear = LinearFold(LATENT_CHANNELS).to(mel.device)
    linear.begin(mel[:256])
    for part in (linear.enter, linear.down):
        part.requires_grad_(False)
    parameters = [p for p in linear.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, LINEAR_RATE, betas=(0.9, 0.98))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = LINEAR_RATE * min(1, (step + 1) / 50, 1.01 - step / steps)
        rows = torch.randint(0, len(mel), (LINEAR_BATCH,), device=mel.device, generator=generator)
        piece = _piece(mel[rows], generator)
        loss = (linear.decode(linear.encode(piece)) - piece).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    linear.turn(mel[:128], EVENNESS)
    return linear


def _piece(mel: Tensor, generator: torch.Generator) -> Tensor:
    """A random stretch of some mels that begins where a latent frame does."""
    starts = (mel.shape[2] - PIECE_FRAMES) // 8 + 1
    start = 8 * int(torch.randint(0, starts, (1,), device=mel.device, generator=generator))
    return mel[:, :, start:start + PIECE_FRAMES].contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def begin(vae_folder: Path, mel: Tensor, seed: int, linear_steps: int) -> AutoencoderKL:
    """The autoencoder in a folder; where there is none, the linear one, which is written there."""
    if not (vae_folder / "config.json").exists():
        with torch.enable_grad():
            linear = fit_linear(mel, seed, linear_steps)
        vae = as_autoencoder(linear.cpu())
        latents = vae.to(mel.device).encode(mel[:128]).latent_dist.mode()
        vae.register_to_config(scaling_factor=float(1 / latents.std()))
        vae.save_pretrained(vae_folder)
    return AutoencoderKL.from_pretrained(vae_folder, torch_dtype=torch.float32)


def train_vae(corpus: Corpus, work: Path, settings: Settings, measured_clips: int = 512,
              linear_steps: int = LINEAR_STEPS) -> Loop:
    """Train or go on training; writes `vae.pt` and the autoencoder as the folder `vae/`.

    The folder is there, and its encoder final, from the start: the noise predictor can be trained beside the decoder.
    """
    device = pick_device(settings.device)
    rows = corpus.of_split("train")
    sampler, bank = Sampler(corpus, rows, Mixing()), Bank(corpus, rows, device)
    vae = begin(work / "vae", random_mels(sampler, bank, settings.seed, measured_clips), settings.seed, linear_steps)
    vae.to(device, memory_format=torch.channels_last).requires_grad_(False)
    learning = [p for part in (vae.decoder, vae.post_quant_conv) for p in part.requires_grad_(True).parameters()]
    optimiser = torch.optim.AdamW(learning, settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    loop = Loop(work, "vae", settings, {"vae": vae}, {"vae": optimiser}, ("vae",))
    held_out = held_out_mels(corpus, "test", device, min(64, measured_clips))
    for rng, generator in loop.steps():
        mel = log_mel(bank.render(sampler.draw(rng, settings.batch), settings.batch, generator), SPEC)[:, None]
        pieces = mel.unflatten(2, (-1, PIECE_FRAMES)).transpose(1, 2).flatten(0, 1)  # of every clip all its pieces
        loss = _error(vae, pieces.contiguous(memory_format=torch.channels_last), generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        loop.note(error=loss)
        if loop.step % 250 == 249:
            loop.record(held_out_error=_averaged(loop, vae, held_out))
    loop.record(held_out_error=_averaged(loop, vae, held_out))
    vae.load_state_dict(loop.averages["vae"].state)
    vae.save_pretrained(work / "vae")
    return loop


def _error(vae: AutoencoderKL, mel: Tensor, generator: torch.Generator) -> Tensor:
    """Mean absolute error of mels decoded from their latents with a random little noise on them, in nat."""
    with torch.no_grad():
        latents = vae.encode(mel).latent_dist.mode()
        amount = ROUGHNESS * torch.rand(len(mel), 1, 1, 1, device=mel.device, generator=generator)
        latents += amount * torch.randn(latents.shape, device=mel.device, generator=generator)
    return (vae.decode(latents).sample - mel).abs().mean()


def _averaged(loop: Loop, vae: AutoencoderKL, mel: Tensor) -> float:
    """The held-out error of the averaged weights."""
    now = {k: v.clone() for k, v in vae.state_dict().items()}
    vae.load_state_dict(loop.averages["vae"].state)
    found = float(held_out_error(vae, mel))
    vae.load_state_dict(now)
    return found
