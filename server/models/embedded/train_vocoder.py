"""Stage `vocoder`: the network learns on the sound as it is rendered, with noise under it and its levels corrected.

What is wanted of the network is what the correction cannot give: pitch, phase, attacks. So the multi-resolution STFT
distance is taken behind the correction, and the network's own level is free within `LEEWAY`: loud where it knows
better than the noise under it, soft where it does not.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import SpeechT5HifiGan

from server.models.mel import log_mel
from server.models.mel_correction import shaped_noise, toward_mel

from .corpus import Corpus
from .format import HOP, SPEC
from .loop import Loop, Settings, pick_device
from .pieces import Pieces
from .vocoder_network import MEL_PASSES, NOISE_LEVEL, SMOOTHING_PASSES, make_vocoder

SEGMENT_FRAMES = 48
RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))
QUIET = 10.0  # norm of a spectrogram below which an error counts no more: silence would outweigh all sound
TRAINED_PASSES = (2, 2)  # fewer than a render has: the first do most, and every one costs
LEEWAY = 2.0  # nat, 17 dB
MEASURE_EVERY = 500


class StftDistance(nn.Module):
    """Mean over resolutions of spectral convergence and log-magnitude error (Yamamoto et al. 2020, eq. 4 to 6).

    `resolutions` are (window, hop) in samples.
    """

    def __init__(self, resolutions: tuple[tuple[int, int], ...] = RESOLUTIONS) -> None:
        super().__init__()
        self.resolutions = resolutions
        for size, _ in resolutions:
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        total = 0.0
        for size, hop in self.resolutions:
            window = getattr(self, f"window{size}")
            a, b = (torch.stft(x, size, hop, window=window, return_complex=True).abs() + 1e-7 for x in (made, real))
            convergence = (a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1).clamp(min=QUIET)
            floor = 1e-4
            total = total + convergence.mean() + ((a + floor).log() - (b + floor).log()).abs().mean()
        return total / len(self.resolutions)


def rendered(vocoder: SpeechT5HifiGan, mel: Tensor, noise: Tensor, passes: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(sound as a render has it, the network's alone), `[batch, frames * 320]`, of log-mels `[batch, frames, 64]`.

    `noise` is white, `[batch or 1, frames * 320]`; `passes` are the correction's smoothing passes and others.
    """
    alone = vocoder(mel)
    smoothing, plain = passes
    return toward_mel(alone + NOISE_LEVEL * shaped_noise(noise, mel, SPEC), mel, SPEC, plain, smoothing), alone


def mel_statistics(pieces: Pieces, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each mel band over random pieces, `[64]` each."""
    mel = log_mel(pieces.draw(np.random.default_rng([seed, 91]), count), SPEC)
    return mel.mean((0, 1)).numpy(), mel.std((0, 1)).numpy()


class HeldOut:
    """The distance of rendered pieces from sounds that are not trained on, always the same ones."""

    def __init__(self, corpus: Corpus, device: torch.device, count: int) -> None:
        pieces = Pieces(corpus, corpus.of_split("test"), 2 * SEGMENT_FRAMES * HOP)
        self.real = pieces.draw(np.random.default_rng(5), count).to(device)
        self.noise = torch.randn(self.real.shape, generator=torch.Generator().manual_seed(5)).to(device)
        self.mel = log_mel(self.real, SPEC)

    @torch.no_grad()
    def measure(self, vocoder: SpeechT5HifiGan, distance: StftDistance) -> float:
        """Mean distance of sound rendered as in use."""
        return float(distance(rendered(vocoder, self.mel, self.noise, (SMOOTHING_PASSES, MEL_PASSES))[0], self.real))


def train_vocoder(corpus: Corpus, work: Path, settings: Settings, channels: int = 512, measured_clips: int = 256) -> Loop:
    """Train or go on training; writes `vocoder.pt`, and the network's shape as the folder `vocoder/`.

    Where the autoencoder is finished (folder `vae/`), a third of the mels go through it first, so that the vocoder also
    learns to make good sound of those.
    """
    device = pick_device(settings.device)
    pieces = Pieces(corpus, corpus.of_split("train"), SEGMENT_FRAMES * HOP)
    mean, deviation = mel_statistics(pieces, settings.seed, measured_clips)
    torch.manual_seed(settings.seed)
    vocoder = make_vocoder(mean, deviation, channels).to(device).train()
    vocoder.config.save_pretrained(work / "vocoder")
    optimiser = torch.optim.AdamW(vocoder.parameters(), settings.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4)
    vocoder.config.save_pretrained(work / "vocoder")
    loop = Loop(work, "vocoder", settings, {"vocoder": vocoder}, {"vocoder": optimiser}, ("vocoder",))
    finished = (work / "vae" / "config.json").exists()
    vae = AutoencoderKL.from_pretrained(work / "vae", torch_dtype=torch.float32).to(device) if finished else None
    distance, usual = StftDistance((*RESOLUTIONS, (4096, 1024))).to(device), StftDistance().to(device)
    held_out = HeldOut(corpus, device, min(24, measured_clips))
    for rng, generator in loop.steps():
        real = pieces.draw(rng, settings.batch).to(device)
        mel = _rebuilt(vae, log_mel(real, SPEC))
        noise = torch.randn(real.shape, device=device, generator=generator)
        made, alone = rendered(vocoder, mel, noise, TRAINED_PASSES)
        error = distance(made, real)
        astray = ((log_mel(alone, SPEC) - mel).abs() - LEEWAY).relu().mean()
        optimiser.zero_grad(set_to_none=True)
        (error + astray).backward()
        nn.utils.clip_grad_norm_(vocoder.parameters(), 20.0)
        optimiser.step()
        loop.note(stft=error, astray=astray)
        if loop.step % MEASURE_EVERY == MEASURE_EVERY - 1:
            loop.record(held_out=held_out.measure(vocoder, usual))
    return loop


@torch.no_grad()
def _rebuilt(vae: AutoencoderKL | None, mel: Tensor) -> Tensor:
    """The mels `[batch, frames, 64]`, a third of them through the autoencoder."""
    if vae is None:
        return mel
    part = max(1, len(mel) // 3)
    # in float32, which its weights need: see `fold`
    passed = vae.decode(vae.encode(mel[:part, None]).latent_dist.mode()).sample
    return torch.cat([passed[:, 0], mel[part:]])
