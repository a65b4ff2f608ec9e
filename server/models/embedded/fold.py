"""A linear lapped transform of mel images, trained in a minute, and its exact form as a diffusers autoencoder.

Log-mels with a 48 ms window every 10 ms are so redundant that 8 numbers for each patch of 8 frames by 8 bands keep them to
a quarter of a nat, linearly. A convolutional autoencoder started at random needs far longer to get there, so ours starts
from this transform: its encoder stays exactly linear, its decoder learns from there what is not linear.
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .format import FOLD

CHANNELS = (16, 32, 64, 64)  # of the autoencoder, fine to coarse
GROUPS = 4
OFFSET, LIFT = 64.0, 16.0  # see `_pass_through`


class LinearFold(nn.Module):
    """Mel images `[batch, 1, frames, bands]` to latents `[batch, channels, frames / 8, bands / 8]` and back, linear but for
    the means."""

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.enter = nn.Conv2d(1, a, 3, 1, 1)
        self.down = nn.ModuleList([nn.Conv2d(a, a, 3, 2), nn.Conv2d(a, b, 3, 2), nn.Conv2d(b, latent_channels, 3, 2)])
        self.leave = nn.Conv2d(latent_channels, d, 3, 1, 1)
        self.up = nn.ModuleList([nn.Conv2d(d, c, 3, 1, 1), nn.Conv2d(c, b, 3, 1, 1), nn.Conv2d(b, 1, 3, 1, 1)])
        self.out = nn.Conv2d(1, 1, 1)  # from the scale of the latents to that of the mel

    def encode(self, mel: Tensor) -> Tensor:
        """Latents of mels."""
        x = self.enter(mel)
        for conv in self.down:
            x = conv(F.pad(x, (0, 1, 0, 1)))  # as the autoencoder pads
        return x

    def decode(self, latents: Tensor) -> Tensor:
        """Mels of latents."""
        x = self.leave(latents)
        for conv in self.up:
            x = conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.out(x)

    @torch.no_grad()
    def begin(self, mel: Tensor) -> None:
        """Start the encoder as the principal components of the 8 x 8 patches of some mels: no overlap yet."""
        mean, deviation = float(mel.mean()), float(mel.std())
        patches = ((mel - mean) / deviation).unfold(2, FOLD, FOLD).unfold(3, FOLD, FOLD).flatten(4).flatten(0, 3)
        middle = patches.mean(0)
        _, values, basis = torch.linalg.svd(patches - middle, full_matrices=False)
        basis = basis[:self.down[2].out_channels]
        size = values[:len(basis), None] / len(patches) ** 0.5
        for conv in (self.enter, *self.down):
            conv.weight.mul_(0.02)  # what is not used yet
            conv.bias.zero_()
        self.enter.weight[0] = 0
        self.enter.weight[0, 0, 1, 1], self.enter.bias[0] = 1 / deviation, -mean / deviation
        for conv, sources in zip(self.down[:2], (1, 4), strict=True):
            for place in range(4 * sources):
                conv.weight[place] = 0
                conv.weight[place, place // 4, place % 4 // 2, place % 2] = 1
        self.out.weight.fill_(deviation)
        self.out.bias.fill_(mean)
        conv, spread = self.down[2], (basis / size).reshape(-1, FOLD, FOLD)
        conv.bias.copy_(-(basis / size) @ middle)
        for place in range(64):  # two bits of row and column each level, the finest level first in `place`
            fine, middle_bits, coarse = place // 16, place // 4 % 4, place % 4
            row = 4 * (coarse // 2) + 2 * (middle_bits // 2) + fine // 2
            column = 4 * (coarse % 2) + 2 * (middle_bits % 2) + fine % 2
            conv.weight[:, 4 * fine + middle_bits, coarse // 2, coarse % 2] = spread[:, row, column]

    @torch.no_grad()
    def turn(self, mel: Tensor, evenness: float) -> None:
        """Rotate the latents to their principal axes, largest first, of deviations to the power `evenness`.

        At 0 all channels have deviation 1, at 1 they keep the proportions they have in the mel; over all it is 1. The mean
        stays: moving it would change what the zeros that pad the latents stand for.
        """
        z = self.encode(mel).transpose(0, 1).flatten(1)
        scale = self._response().norm(dim=1)  # what a unit of each channel is in the mel
        scaled = (z - z.mean(1, keepdim=True)) * scale[:, None]
        values, axes = torch.linalg.eigh(scaled @ scaled.T / z.shape[1])
        deviation, axes = values.flip(0).clamp(min=1e-8).sqrt(), axes.flip(1)
        wanted = deviation**evenness / (deviation ** (2 * evenness)).mean().sqrt()
        into = (wanted / deviation)[:, None] * axes.T * scale
        self.down[2].weight.copy_(torch.einsum("nc,cihw->nihw", into, self.down[2].weight))
        self.down[2].bias.copy_(into @ self.down[2].bias)
        self.leave.weight.copy_(torch.einsum("ochw,cn->onhw", self.leave.weight, torch.linalg.inv(into)))

    def _response(self) -> Tensor:
        """What a unit of each latent channel, alone in the middle, adds to the mel: `[channels, pixels]`."""
        n = self.down[2].out_channels
        unit = torch.zeros(n + 1, n, 9, 9)
        unit[torch.arange(n), torch.arange(n), 4, 4] = 1
        made = self.decode(unit).flatten(1)
        return made[:n] - made[n:]


@torch.no_grad()
def as_autoencoder(linear: LinearFold) -> AutoencoderKL:
    """The same transform as a diffusers autoencoder; the means of its posterior are the latents, its variance is e^-12.

    Every residual branch starts at zero, but for the encoder's ready to learn.
    """
    channels = linear.down[2].out_channels
    vae = AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=channels, block_out_channels=CHANNELS, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=GROUPS,
        sample_size=512, scaling_factor=1.0,
    )
    for module in vae.modules():
        if hasattr(module, "conv_shortcut"):  # a residual block: nothing but its shortcut, which keeps the first channels
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
            if module.conv_shortcut is not None:
                _keep_first(module.conv_shortcut)
        if hasattr(module, "to_out"):
            nn.init.zeros_(module.to_out[0].weight)
            nn.init.zeros_(module.to_out[0].bias)
    _fold_encoder(vae.encoder, linear, channels)
    _fold_decoder(vae.decoder, linear)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        _keep_first(conv)
    return vae


def _keep_first(conv: nn.Conv2d) -> None:
    """A 1x1 convolution that copies channel k to channel k as far as both go."""
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)


def _into(conv: nn.Conv2d, source: nn.Conv2d) -> None:
    """A smaller convolution's weights as the first channels of a larger one, zeros elsewhere."""
    conv.weight.zero_()
    conv.bias.zero_()
    out, into = source.weight.shape[:2]
    conv.weight[:out, :into] = source.weight
    conv.bias[:out] = source.bias


def _fold_encoder(encoder: nn.Module, linear: LinearFold, channels: int) -> None:
    _into(encoder.conv_in, linear.enter)
    samplers = [block.downsamplers[0].conv for block in encoder.down_blocks[:3]]
    for conv, source in zip(samplers[:2], linear.down[:2], strict=True):
        _into(conv, source)
    quads = CHANNELS[3] // 4
    last = linear.down[2]
    source = nn.Conv2d(last.in_channels, quads, 3)
    source.weight.copy_(last.weight.repeat(quads // channels, 1, 1, 1))
    source.bias.copy_(last.bias.repeat(quads // channels))
    samplers[2].weight.zero_()
    samplers[2].bias.zero_()
    _as_quads(samplers[2], source)
    _pass_through(encoder.conv_norm_out)
    encoder.conv_out.weight.zero_()
    encoder.conv_out.bias.zero_()
    for k in range(channels):
        encoder.conv_out.weight[k, 4 * k, 1, 1] = 1
        encoder.conv_out.bias[k] = -LIFT
    encoder.conv_out.bias[channels:] = -12.0


def _fold_decoder(decoder: nn.Module, linear: LinearFold) -> None:
    _into(decoder.conv_in, linear.leave)
    for block, source in zip(decoder.up_blocks[:3], linear.up, strict=True):
        _into(block.upsamplers[0].conv, source)
    shortcut = decoder.up_blocks[3].resnets[0].conv_shortcut
    mel = nn.Conv2d(shortcut.in_channels, CHANNELS[0] // 4, 1)
    nn.init.zeros_(mel.weight)
    nn.init.zeros_(mel.bias)
    mel.weight[:, 0] = 1
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    _as_quads(shortcut, mel)
    _pass_through(decoder.conv_norm_out)
    decoder.conv_out.weight.zero_()
    decoder.conv_out.weight[0, 0, 1, 1] = linear.out.weight[0, 0, 0, 0]
    decoder.conv_out.bias.copy_(linear.out.bias - LIFT * linear.out.weight.sum())


def _as_quads(conv: nn.Conv2d, source: nn.Conv2d) -> None:
    """Each channel y of `source` as four of `conv`: y + OFFSET, y - OFFSET, -y + OFFSET, -y - OFFSET."""
    into = source.weight.shape[1]
    for k, (weight, bias) in enumerate(zip(source.weight, source.bias, strict=True)):
        for place, (sign, offset) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
            conv.weight[4 * k + place, :into] = sign * weight
            conv.bias[4 * k + place] = sign * bias + offset * OFFSET


def _pass_through(norm: nn.GroupNorm) -> None:
    """A group norm and the SiLU behind it as (almost) the identity plus LIFT, for channels in quads.

    The quads make each group's mean 0 and its deviation OFFSET to a part in ten thousand; OFFSET times the normalised value
    is then y plus or minus OFFSET, and the bias takes that off and lifts the value to where SiLU is linear.
    """
    norm.weight.fill_(OFFSET)
    norm.bias.copy_(LIFT - OFFSET * torch.tensor([1.0, -1.0]).repeat(len(norm.bias) // 2))
