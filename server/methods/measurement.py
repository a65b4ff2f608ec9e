# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restoration task knows of the sound that it looks for: an operator T, what it is compared by, and T's outcome y.

The loss is |psi(T(x)) - psi(y)|^2, psi the mel in dB or nothing (`server.methods.psi`). Everything is at the model's rate
and gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from server.kinds.restore import RestoreOptions
from server.methods import consistency, operators
from server.methods.damage import noise_power, per_sample
from server.methods.fitting import Fitted
from server.methods.operators import Operator
from server.methods.psi import MagnitudeDb, MelDb, Psi
from server.methods.soft_mask import window_samples

NOISE_SEED = 0


@dataclass(frozen=True)
class Measurement:
    """T, psi and psi(y), the latter [groups, ...]."""

    operator: Operator
    psi: Psi
    target: Tensor

    def loss(self, audio: Tensor) -> Tensor:
        """Squared distance [groups] of audio [batch, channels, time] from what was measured."""
        distance = self.psi(self.operator(audio)) - self.target
        return distance.reshape(len(distance), -1).square().sum(1)


def measurement(options: RestoreOptions, shown: Fitted, sample_rate: int, *, cutoff_hz: float | None = None,
                level: float | None = None, response: Tensor | None = None) -> Measurement:
    """The measurement of a task.

    Args:
        shown: the clip as the model takes it, its gaps filled roughly.
        sample_rate: of the model, Hz.
        cutoff_hz: super_resolution; level: declip, of the clip; response: dereverb, [n] at the model's rate.
    """
    y = shown.audio
    if options.task == "phase_retrieval":
        size = window_samples(sample_rate)
        measure = operators.magnitude(size, size // 4)
        return _compared(options, measure, measure(y), MagnitudeDb.of(measure(y), sample_rate, size // 4))
    if options.task == "inpaint":
        measure = operators.masked(_known(options, shown, sample_rate))
        y = measure(y)
    elif options.task == "super_resolution":
        assert cutoff_hz is not None
        measure = _low_pass(cutoff_hz, sample_rate)
        y = measure(y)
    elif options.task == "dereverb":
        assert response is not None, "a room"
        measure = operators.reverberated(response)
    elif options.task == "separate":
        measure = operators.summed(len(options.stem))
    elif options.task == "declip":
        assert level is not None
        measure = operators.clipped(level * shown.gain)
    else:
        measure = operators.noised(_noise(shown, sample_rate))
    return _compared(options, measure, y, MelDb.of(y, sample_rate))


def _compared(options: RestoreOptions, measure: Operator, y: Tensor, mel: Psi) -> Measurement:
    psi = mel if options.vmc else operators.nothing
    return Measurement(measure, psi, psi(y))


def _known(options: RestoreOptions, shown: Fitted, sample_rate: int) -> Tensor:
    """1 outside the gaps, 0 inside, [time] at the model's rate."""
    mask = torch.ones(shown.n_samples, device=shown.audio.device)
    for start, stop in consistency.gap_samples(shown.source, options.gap):
        scale = sample_rate / shown.source.sample_rate
        mask[int(start * scale) : -int(-stop * scale // 1)] = 0.0
    return mask


def _low_pass(cutoff_hz: float, sample_rate: int) -> Operator:
    if cutoff_hz >= 0.95 * sample_rate / 2:
        return operators.nothing
    # It ends below the cutoff: what the clip's own filter did at its edge is not known.
    kernel = consistency.low_pass(0.85 * cutoff_hz, 0.95 * cutoff_hz, sample_rate)
    return operators.low_passed(torch.from_numpy(kernel))


def _noise(shown: Fitted, sample_rate: int) -> Tensor:
    """One noise [time] with the spectrum of the clip's own, at the model's rate and gain."""
    source = shown.source
    ratio = sample_rate / source.sample_rate
    # As many samples more a second hold the same power in a part of the band that is as much smaller.
    spectrum = per_sample(noise_power(source), source.sample_rate) * shown.gain**2 * ratio
    n_bins = round(len(spectrum) * ratio)
    spectrum = torch.nn.functional.pad(spectrum[:n_bins], (0, max(0, n_bins - len(spectrum))))
    return operators.shaped_noise(spectrum, shown.n_samples, NOISE_SEED).to(shown.audio)
