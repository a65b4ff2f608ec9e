"""Stage `vocoder`: HiFi-GAN on mel and multi-resolution STFT error, later with discriminators as well."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .augment import Bank, Mixing, Sampler
from .corpus import Corpus
from .discriminators import Discriminators, discriminator_loss, generator_losses
from .format import HOP
from .loop import Loop, Settings, autocast, pick_device
from .networks import LogMel, make_vocoder
from .train_vae import mel_statistics

SEGMENT_FRAMES = 96
RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))
QUIET = 10.0  # norm of a spectrogram below which an error counts no more: silence would outweigh all sound
WEIGHTS = {"mel": 15.0, "stft": 4.0, "adversarial": 1.0, "matching": 10.0}


class StftDistance(nn.Module):
    """Mean over resolutions of spectral convergence and log-magnitude error (Yamamoto et al. 2020, eq. 4 to 6)."""

    def __init__(self) -> None:
        super().__init__()
        for size, _ in RESOLUTIONS:
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        total = 0.0
        for size, hop in RESOLUTIONS:
            window = getattr(self, f"window{size}")
            a, b = (torch.stft(x, size, hop, window=window, return_complex=True).abs() + 1e-7 for x in (made, real))
            convergence = (a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1).clamp(min=QUIET)
            floor = 1e-4
            total = total + convergence.mean() + ((a + floor).log() - (b + floor).log()).abs().mean()
        return total / len(RESOLUTIONS)


def _segments(audio: Tensor, mel: Tensor, per_clip: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random matching pieces: audio `[batch * per_clip, 30720]`, mel `[batch * per_clip, 96, 64]`."""
    count = mel.shape[2] - SEGMENT_FRAMES
    start = torch.randint(0, count + 1, (len(audio) * per_clip, 1), device=audio.device, generator=generator)
    audio, mel = (x.repeat_interleave(per_clip, 0) for x in (audio, mel[:, 0]))
    frames = start + torch.arange(SEGMENT_FRAMES, device=audio.device)
    samples = start * HOP + torch.arange(SEGMENT_FRAMES * HOP, device=audio.device)
    return audio.gather(1, samples), mel.gather(1, frames[:, :, None].expand(-1, -1, mel.shape[2]))


def _generator_step(loop: Loop, real: Tensor, made: Tensor, mels: LogMel, distance: StftDistance,
                    adversarial: bool) -> Tensor:
    mel_error = (mels(made) - mels(real)).abs().mean()
    stft_error = distance(made, real)
    loss = WEIGHTS["mel"] * mel_error + WEIGHTS["stft"] * stft_error
    loop.note(mel=mel_error, stft=stft_error)
    if adversarial:
        judges = loop.nets["judges"]
        judges.requires_grad_(False)
        with autocast(loop.device):
            fool, match = generator_losses(judges(real), judges(made))
        judges.requires_grad_(True)
        loss = loss + WEIGHTS["adversarial"] * fool + WEIGHTS["matching"] * match
        loop.note(fool=fool, match=match)
    return loss


def _judge_step(loop: Loop, real: Tensor, made: Tensor) -> None:
    judges = loop.nets["judges"]
    with autocast(loop.device):
        loss = discriminator_loss(judges(real), judges(made.detach()))
    loop.optimisers["judges"].zero_grad(set_to_none=True)
    loss.backward()
    loop.optimisers["judges"].step()


def _optimiser(net: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), settings.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4)


def train_vocoder(corpus: Corpus, work: Path, settings: Settings, adversarial_after: int = 1500,
                  channels: int = 192, measured_clips: int = 256) -> Loop:
    """Train or go on training; writes `vocoder.pt`.

    Where the autoencoder is finished (folder `vae/`), a third of the mels go through the autoencoder first, so that the
    vocoder also learns to make good sound of those.
    """
    device = pick_device(settings.device)
    rows = corpus.of_split("train")
    sampler, bank, mels = Sampler(corpus, rows, Mixing()), Bank(corpus, rows, device), LogMel().to(device)
    mean, deviation = mel_statistics(sampler, bank, settings.seed, measured_clips)
    torch.manual_seed(settings.seed)
    vocoder = make_vocoder(mean.numpy(), deviation.numpy(), channels).to(device).train()
    nets = {"vocoder": vocoder, "judges": Discriminators().to(device)}
    loop = Loop(work, "vocoder", settings, nets, {k: _optimiser(n, settings) for k, n in nets.items()}, ("vocoder",))
    finished = (work / "vae" / "config.json").exists()
    vae = AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32).to(device) if finished else None
    distance, clips = StftDistance().to(device), max(1, settings.batch // 2)
    for rng, generator in loop.steps():
        audio = bank.render(sampler.draw(rng, clips), clips, generator)
        audio = audio * 10 ** (-(9 / 20) * torch.rand(clips, 1, device=device, generator=generator))
        mel = _rebuilt(vae, mels(audio))
        real, given = _segments(audio, mel, 2, generator)
        made = vocoder(given)
        adversarial = loop.step >= adversarial_after
        if adversarial:
            _judge_step(loop, real, made)
        loss = _generator_step(loop, real, made, mels, distance, adversarial)
        loop.optimisers["vocoder"].zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vocoder.parameters(), 20.0)
        loop.optimisers["vocoder"].step()
    return loop


@torch.no_grad()
def _rebuilt(vae: AutoencoderKL | None, mel: Tensor) -> Tensor:
    """The mels, a third of them through the autoencoder."""
    if vae is None:
        return mel
    part = max(1, len(mel) // 3)
    with autocast(mel.device):
        passed = vae.decode(vae.encode(mel[:part]).latent_dist.mode()).sample.float()
    return torch.cat([passed, mel[part:]])
