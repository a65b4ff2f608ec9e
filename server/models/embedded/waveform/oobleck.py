"""The codec of `lapped` written into diffusers' AutoencoderOobleck, exactly but for rounding: nothing here is trained.

A Snake, x + sin(a x)^2 / b, is the identity where b is large and a sine where it is small; a residual unit whose last
convolution is 0 is no unit. So a network of Snakes and convolutions adds, delays, squares and looks up curves, which is
all that the codec needs. Noise is made by sin(2p) sin(2d) = sin(p + d)^2 - sin(p - d)^2: the phases p are large random sums
of the latents, different for each fine frame; d is the noise's strength.
"""

from __future__ import annotations

import math

import torch
from diffusers import AutoencoderOobleck
from torch import Tensor, nn

from server.models.components import building

from .companding import LARGEST, compressing, expanding, frequencies
from .lapped import PAIR_WINDOW, Lapped, band_filters, deviation_of, level_window, mdct_basis, ruler, spreading_filters
from .shape import (
    CHANNELS,
    FINE,
    LINE_HOP,
    MID_BANDS,
    MID_LINES,
    N_BANDS,
    N_LINES,
    SAMPLE_RATE,
    SIDE_BANDS,
    SIDE_LINES,
    STEPS,
    STRIDES,
)

DECODER_WIDTH = 128
STEEP = 1e4  # 1 / b of the Snakes that are sines: so much stronger than the identity beside them
IDENTITY = 24.0  # log b of the others
CURVE = 9  # Snakes to look a level up with: eight cosines and a straight line
RANDOMNESS = 8.0  # radians of the noise's phases for latents of deviation 1
SMALL = 0.1  # a of the Snakes that square
HALF_STRENGTH = 0.25  # d of the loudest noise: sin(2d) is still nearly 2d
NOISY = tuple((0, group, band) for group, bands in enumerate(MID_BANDS) for band in bands) + tuple(
    (1, len(MID_BANDS) + group, band) for group, bands in enumerate(SIDE_BANDS) for band in bands)
POLYPHASE = 2 * FINE  # channels of the fine frames: 16 samples of the middle and 16 of the side
BANDS = POLYPHASE  # behind them in the encoder: coefficients of the noise's bands
SHOWN = BANDS + len(NOISY)  # and what the ruler shows of each group
STRENGTH = POLYPHASE  # in the decoder: the root of each group's strength
PHASES = STRENGTH + N_BANDS
NOISE = PHASES + len(NOISY)
SEEDS = N_LINES  # of the decoder's frames of lines: the lines as they came, for the phases
LEVELS = 2 * N_LINES  # and the levels


@torch.no_grad()
def autoencoder(codec: Lapped) -> AutoencoderOobleck:
    """The network: stereo, 32 kHz, 84 latent channels at 62.5 Hz."""
    with building():
        network = AutoencoderOobleck(
            encoder_hidden_size=2 * CHANNELS, downsampling_ratios=list(STRIDES), channel_multiples=[1, 2, 1],
            decoder_channels=DECODER_WIDTH, decoder_input_channels=CHANNELS, audio_channels=2, sampling_rate=SAMPLE_RATE,
        )
    for module in network.modules():
        if hasattr(module, "beta"):
            module.alpha.zero_()
            module.beta.fill_(IDENTITY)
        elif isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            _write(module, torch.zeros_like(module.weight_v))
    _write_encoder(network.encoder, codec)
    _write_decoder(network.decoder, codec)
    return network.eval()


def _write(conv: nn.Conv1d | nn.ConvTranspose1d, weight: Tensor, bias: Tensor | None = None) -> None:
    """A convolution's weights, as direction and length; rounded to half precision, in which they ship."""
    flat = weight.flatten(1)
    length = flat.norm(dim=1)
    direction = torch.where(length[:, None] > 0, flat / length.clamp(min=1e-30)[:, None], flat.shape[1] ** -0.5)
    direction = direction.half().float()
    conv.weight_v.copy_(direction.reshape(weight.shape))
    conv.weight_g.copy_((length / direction.norm(dim=1).clamp(min=1e-30)).reshape(conv.weight_g.shape))
    if conv.bias is not None:
        conv.bias.zero_() if bias is None else conv.bias.copy_(bias)


def _steep(snake: nn.Module, channels: slice, a: float | Tensor = 1.0, strength: float = STEEP) -> None:
    """Make Snakes x + strength sin(a x)^2."""
    snake.alpha[0, channels, 0] = torch.as_tensor(a).log()
    snake.beta[0, channels, 0] = -math.log(strength)


def _write_encoder(encoder: nn.Module, codec: Lapped) -> None:
    fine, lines, latents = encoder.block
    weight = torch.zeros_like(encoder.conv1.weight_v)
    weight[0, :, 3], weight[1, 0, 3], weight[1, 1, 3] = 0.5, 0.5, -0.5
    _write(encoder.conv1, weight)
    weight = torch.zeros_like(fine.conv1.weight_v)
    for channel in range(POLYPHASE):
        weight[channel, channel // FINE, FINE // 2 + channel % FINE] = 1
    _write(fine.conv1, weight)
    _write_bands(lines.res_unit1)
    _write_ruler(lines.res_unit2)
    weight = torch.zeros_like(lines.conv1.weight_v)
    weight[:N_LINES, :POLYPHASE] = _line_filters() / LARGEST
    for group in range(N_BANDS):
        weight[N_LINES + group, SHOWN + group] = level_window()
    _write(lines.conv1, weight)
    for unit in (latents.res_unit1, latents.res_unit2, latents.res_unit3):
        _write_companding(unit, compressing())
    weight = torch.zeros_like(latents.conv1.weight_v)
    for line in range(N_LINES):
        for second in range(2):
            weight[second * N_LINES + line, line, 1 + second] = 1
    for group in range(N_BANDS):
        weight[2 * N_LINES + group, N_LINES + group] = torch.tensor(PAIR_WINDOW)
    _write(latents.conv1, weight)
    weight, bias = torch.zeros_like(encoder.conv2.weight_v), torch.full((2 * CHANNELS,), -10.0)
    weight[range(CHANNELS), range(CHANNELS), 1] = 1 / codec.scale
    bias[:CHANNELS] = -codec.middle / codec.scale  # the others: the posterior's variance is next to nothing
    _write(encoder.conv2, weight, bias)


def _line_filters() -> Tensor:
    """The long MDCT as a convolution of fine frames: `[lines, channels of a fine frame, fine frames]`."""
    basis = mdct_basis(LINE_HOP).unflatten(1, (-1, FINE)).transpose(1, 2)
    filters = torch.zeros(N_LINES, POLYPHASE, basis.shape[2])
    filters[:MID_LINES, :FINE], filters[MID_LINES:, FINE:] = basis[:MID_LINES], basis[:SIDE_LINES]
    return filters


def _write_bands(unit: nn.Module) -> None:
    """Channels for the coefficients of every noise band."""
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    filters = band_filters().unflatten(1, (-1, FINE)).transpose(1, 2)  # [band, sample of a fine frame, fine frame]
    for place, (side, _, band) in enumerate(NOISY):
        weight[place, side * FINE:(side + 1) * FINE] = filters[band]
        out[BANDS + place, place] = 1
    _write(unit.conv1, weight)
    _write(unit.conv2, out)


def _write_ruler(unit: nn.Module) -> None:
    """Channels for what the ruler shows of every group."""
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    filters = spreading_filters()
    for place, (_, group, band) in enumerate(NOISY):
        weight[group * STEPS:(group + 1) * STEPS, BANDS + place] = filters[group, :, band]
    for group in range(N_BANDS):
        out[SHOWN + group, group * STEPS:(group + 1) * STEPS] = 1 / STEEP
    _steep(unit.snake2, slice(N_BANDS * STEPS), ruler().repeat(N_BANDS))
    _write(unit.conv1, weight)
    _write(unit.conv2, out)


def _write_companding(unit: nn.Module, weights: Tensor) -> None:
    """The lines through a curve of `companding`, in their place: sin(2u) = 2 sin(u + pi/4)^2 - 1."""
    count = len(weights)
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    bias = torch.zeros(len(out))
    for line in range(N_LINES):
        first, inner = line * count, slice(line * count + 1, (line + 1) * count)
        weight[first, line, 3] = 1
        weight[inner, line, 3] = frequencies(count - 1).float() / 2
        bias[inner] = math.pi / 4
        out[line, first, 0] = float(weights[0]) - 1
        out[line, inner, 0] = 2 * weights[1:].float() / STEEP
        _steep(unit.snake2, inner)
    _write(unit.conv1, weight, bias)
    _write(unit.conv2, out)
    silence = unit(torch.zeros(1, len(out), 41))[0, :, 20]  # as the rounded weights have it
    unit.conv2.bias -= silence


def _write_decoder(decoder: nn.Module, codec: Lapped) -> None:
    lines, fine, samples = decoder.block
    weight, bias = torch.zeros_like(decoder.conv1.weight_v), torch.zeros(DECODER_WIDTH)
    weight[range(CHANNELS), range(CHANNELS), 3] = codec.scale
    bias[:CHANNELS] = codec.middle
    _write(decoder.conv1, weight, bias)
    weight = torch.zeros_like(lines.conv_t1.weight_v)
    for line in range(N_LINES):
        for second in range(2):
            weight[second * N_LINES + line, [line, SEEDS + line], 1 + second] = 1
    for group in range(N_BANDS):
        weight[2 * N_LINES + group, LEVELS + group] = 2 * torch.tensor(PAIR_WINDOW)
    _write(lines.conv_t1, weight)
    for unit in (lines.res_unit1, lines.res_unit2, lines.res_unit3):
        _write_companding(unit, expanding())
    _write_unfolding(fine.conv_t1, codec)
    _write_curve(fine.res_unit1)
    _write_noise(fine.res_unit2)
    _write_product(fine.res_unit3)
    weight = torch.zeros_like(samples.conv_t1.weight_v)
    for channel in range(POLYPHASE):
        weight[channel, channel // FINE, FINE // 2 + channel % FINE] = 1
    loudest = float(deviation_of(torch.tensor([STEPS / 2]))) / (HALF_STRENGTH * 2 * 0.5**0.5)
    for place, (side, _, band) in enumerate(NOISY):
        weight[NOISE + place, side] = loudest * mdct_basis(FINE)[band]
    _write(samples.conv_t1, weight)
    weight = torch.zeros_like(decoder.conv2.weight_v)
    weight[:, 0, 3], weight[0, 1, 3], weight[1, 1, 3] = 1, 1, -1
    _write(decoder.conv2, weight)


def _write_unfolding(conv: nn.ConvTranspose1d, codec: Lapped) -> None:
    """Frames of lines to fine frames: lines to samples, levels between the frames, phases of the noise."""
    weight = torch.zeros_like(conv.weight_v)
    weight[:N_LINES, :POLYPHASE] = _line_filters() * LARGEST
    for group in range(N_BANDS):
        weight[LEVELS + group, STRENGTH + group] = level_window() * FINE
    generator = torch.Generator().manual_seed(12)
    sources = N_LINES + N_BANDS
    spun = torch.randn(sources, len(NOISY), 2 * FINE, generator=generator) * RANDOMNESS / sources**0.5
    scale = torch.cat([codec.scale[:N_LINES], codec.scale[2 * N_LINES:]])
    weight[SEEDS:SEEDS + sources, PHASES:NOISE] = spun / scale[:, None, None]
    _write(conv, weight)


def curve(a: Tensor, shown: Tensor) -> Tensor:
    """The Snakes to look a level up with, of what the ruler shows: `[..., CURVE]`."""
    phase = a * shown[..., None]
    bent = phase + STEEP * phase.sin().square()
    bent[..., 0] = phase[..., 0]
    return bent


def curve_fit() -> tuple[Tensor, Tensor, float]:
    """Factors a `[CURVE]`, weights `[CURVE]` and bias that turn what the ruler shows into the root of the noise's strength.

    The root has half the range in decibels, and is good to a thousandth of the largest.
    """
    shown = torch.linspace(-0.6, STEPS / 2 + 0.6, 3000)
    wanted = (deviation_of(shown) / deviation_of(torch.tensor([STEPS / 2]))).sqrt()
    a = torch.arange(CURVE) * math.pi / 2 / (STEPS / 2 + 1.8)
    a[0] = 1
    columns = torch.cat([curve(a, shown), torch.ones(len(shown), 1)], 1).double()
    size = columns.norm(dim=0)
    emphasis = (1 / (wanted + 0.01)).double()[:, None]
    aim = wanted.double()[:, None] * emphasis
    solved = torch.linalg.lstsq(columns / size * emphasis, aim, driver="gelsd").solution[:, 0] / size
    return a, solved[:-1].float(), float(solved[-1])


def _write_curve(unit: nn.Module) -> None:
    """What the ruler shows becomes the root of the strength."""
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    a, found, offset = curve_fit()
    bias = torch.zeros(len(out))
    for group in range(N_BANDS):
        inner = slice(group * CURVE, (group + 1) * CURVE)
        weight[inner, STRENGTH + group, 3] = a
        out[STRENGTH + group, inner, 0] = found
        out[STRENGTH + group, group * CURVE, 0] -= 1  # in place of what the ruler shows
        bias[STRENGTH + group] = offset
        _steep(unit.snake2, slice(group * CURVE + 1, (group + 1) * CURVE))
    _write(unit.conv1, weight)
    _write(unit.conv2, out, bias)


def _write_noise(unit: nn.Module) -> None:
    """Noise as strong as the root of the strength."""
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    for place, (_, group, _) in enumerate(NOISY):
        for inner, sign in ((2 * place, 1), (2 * place + 1, -1)):
            weight[inner, PHASES + place, 3] = 1
            weight[inner, STRENGTH + group, 3] = sign * HALF_STRENGTH
            out[NOISE + place, inner, 0] = sign / STEEP
    _steep(unit.snake2, slice(2 * len(NOISY)))
    _write(unit.conv1, weight)
    _write(unit.conv2, out)


def _write_product(unit: nn.Module) -> None:
    """Noise times the root of the strength, once more: (n + h)^2 - (n - h)^2 = 4 n h."""
    weight, out = torch.zeros_like(unit.conv1.weight_v), torch.zeros_like(unit.conv2.weight_v)
    for place, (_, group, _) in enumerate(NOISY):
        for inner, sign in ((3 * place, 1), (3 * place + 1, -1)):
            weight[inner, NOISE + place, 3] = 1
            weight[inner, STRENGTH + group, 3] = sign
            out[NOISE + place, inner, 0] = sign / (4 * STEEP)
            _steep(unit.snake2, slice(inner, inner + 1), SMALL, STEEP / SMALL**2)
        weight[3 * place + 2, NOISE + place, 3] = 1
        out[NOISE + place, 3 * place + 2, 0] = -1  # in its place
    _write(unit.conv1, weight)
    _write(unit.conv2, out)
