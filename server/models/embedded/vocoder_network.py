"""The vocoder's network: a HiFi-GAN generator of the SpeechT5 layout that thinks at the frame rate.

Deep convolutions are cheap at 100 frames a second and dear at 32 000 samples: three stages keep the frame rate, one makes
ten steps of a frame, and a last one is a learned filter bank of 32 channels at 1 kHz to sound, with short kernels after it.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from .format import N_FFT, N_MELS, SAMPLE_RATE

SMOOTHING_PASSES, MEL_PASSES = 24, 12  # of `server.models.mel_correction`, after the vocoder
NOISE_LEVEL = 3.0  # of the noise under it, relative to the mel: the network must be 10 dB louder than asked to be heard
RATES, KERNELS = (1, 1, 1, 10, 32), (3, 3, 3, 30, 96)


def make_vocoder(mel_mean: np.ndarray, mel_scale: np.ndarray, channels: int = 512) -> SpeechT5HifiGan:
    """Untrained vocoder giving exactly 320 samples per mel frame; `channels` is a multiple of 32, halved at every stage."""
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(
        model_in_dim=N_MELS, sampling_rate=SAMPLE_RATE, upsample_initial_channel=channels, upsample_rates=list(RATES),
        upsample_kernel_sizes=list(KERNELS), resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]],
        normalize_before=True, mel_passes=MEL_PASSES,
        mel_smoothing=SMOOTHING_PASSES, mel_noise=NOISE_LEVEL, mel_n_fft=N_FFT,
    ))
    vocoder.mean.copy_(torch.as_tensor(mel_mean))
    vocoder.scale.copy_(torch.as_tensor(mel_scale))
    _initialise(vocoder)
    return vocoder


@torch.no_grad()
def _initialise(vocoder: SpeechT5HifiGan) -> None:
    """Weights that keep the deviation through the stages (the class's own start at 0.01 fades out in so many)."""
    for name, layer in vocoder.named_modules():
        if isinstance(layer, nn.Conv1d):
            fan_in = layer.in_channels * layer.kernel_size[0]
            scale = 0.05 if name == "conv_post" else 0.4 if "convs2" in name else 1.0
            layer.weight.normal_(0, scale * math.sqrt(2 / fan_in))
        elif isinstance(layer, nn.ConvTranspose1d):
            stride = layer.stride[0]
            shape = _filter_bank(layer.weight.shape) if stride > 1 else torch.randn(layer.weight.shape)
            layer.weight.copy_(shape * math.sqrt(2 * stride / (layer.in_channels * layer.kernel_size[0])))
        else:
            continue
        layer.bias.zero_()


def _filter_bank(shape: torch.Size) -> Tensor:
    """Kernels `[inputs, outputs, taps]` of unit power: tones of random phase under a Hann window, higher by the input."""
    inputs, outputs, taps = shape
    time = torch.arange(taps) + 0.5
    cycles = 0.5 * (torch.arange(inputs)[:, None, None] + torch.rand(inputs, outputs, 1)) / inputs
    turn = 2 * math.pi * (cycles * time + torch.rand(inputs, outputs, 1))
    tones = torch.sin(math.pi * time / taps) ** 2 * torch.cos(turn)
    return tones / tones.square().mean().sqrt()
