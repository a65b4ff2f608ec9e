"""Small discriminators that teach the vocoder fine structure: by period of the waveform and by STFT resolution."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm


class PeriodDiscriminator(nn.Module):
    """Looks at every p-th sample side by side (HiFi-GAN's multi-period idea at small width)."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        sizes = (1, width, 2 * width, 4 * width, 4 * width)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in zip(sizes, sizes[1:], strict=False))
        self.last = weight_norm(nn.Conv2d(4 * width, 1, (3, 1), 1, (1, 0)))

    def forward(self, audio: Tensor) -> list[Tensor]:
        audio = pad(audio, (0, -audio.shape[-1] % self.period), "reflect")
        x = audio.view(len(audio), 1, -1, self.period)
        seen = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.1)
            seen.append(x)
        return [*seen, self.last(x)]


class SpectralDiscriminator(nn.Module):
    """Looks at one log-magnitude STFT."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        shapes = ((1, width, (1, 1)), (width, width, (2, 1)), (width, 2 * width, (2, 2)), (2 * width, 2 * width, (2, 1)))
        self.layers = nn.ModuleList(weight_norm(nn.Conv2d(a, b, (5, 3), s, (2, 1))) for a, b, s in shapes)
        self.last = weight_norm(nn.Conv2d(2 * width, 1, 3, 1, 1))

    def forward(self, audio: Tensor) -> list[Tensor]:
        with torch.autocast(audio.device.type, enabled=False):
            stft = torch.stft(audio.float(), self.size, self.size // 4, window=self.window, return_complex=True)
            x = (stft.abs() + 1e-5).log()[:, None]
        seen = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.1)
            seen.append(x)
        return [*seen, self.last(x)]


class Discriminators(nn.Module):
    """All discriminators; a forward gives each one's feature list, the score map last. Input `[batch, samples]`."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            [PeriodDiscriminator(p, width) for p in (2, 3, 5, 7, 11)]
            + [SpectralDiscriminator(s, width) for s in (256, 512, 1024, 2048)])

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        return [net(audio) for net in self.nets]


def discriminator_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Least squares: real to 1, fake to 0, mean over discriminators."""
    return sum((1 - r[-1].float()).square().mean() + f[-1].float().square().mean()
               for r, f in zip(real, fake, strict=True)) / len(real)


def generator_losses(real: list[list[Tensor]], fake: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """(least-squares adversarial loss, feature matching loss), each a mean over discriminators."""
    adversarial = sum((1 - f[-1].float()).square().mean() for f in fake) / len(fake)
    matching = sum((a.detach().float() - b.float()).abs().mean() for r, f in zip(real, fake, strict=True)
                   for a, b in zip(r[:-1], f[:-1], strict=True)) / sum(len(r) - 1 for r in real)
    return adversarial, matching
