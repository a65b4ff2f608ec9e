# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.measure.lsd import lsd
from server.measure.spectra import magnitudes

NOISE = np.random.default_rng(1).normal(size=(2, 8000))


def test_spectra_are_those_of_torch_and_a_sine_has_a_quarter_of_the_window() -> None:
    theirs = torch.stft(torch.from_numpy(NOISE), 1024, 512, window=torch.hann_window(1024, dtype=torch.float64),
                        return_complex=True).abs().transpose(1, 2)
    assert magnitudes(NOISE, 1024, 512) == pytest.approx(theirs.numpy(), abs=1e-9)
    sine = np.sin(2 * np.pi * 64 * np.arange(8192) / 1024)
    assert magnitudes(sine, 1024, 512)[4, 64] == pytest.approx(256)


def test_a_gain_is_its_decades_of_magnitude() -> None:
    assert lsd(10 * NOISE, NOISE) == pytest.approx([1, 1])
    assert lsd(NOISE, 10 * NOISE, power=True) == pytest.approx([2, 2])
    assert lsd(NOISE, NOISE).tolist() == [0, 0]


def test_root_over_bins_then_mean_over_frames() -> None:
    # Twice as loud in the second half: log10(2) in those frames, 0 in the first ones.
    louder = NOISE[0] * np.where(np.arange(8000) < 4096, 1, 2)
    frames = [np.sqrt((np.log10(magnitudes(louder, 1024, 512)[i] / magnitudes(NOISE[0], 1024, 512)[i]) ** 2).mean())
              for i in range(16)]
    assert lsd(louder, NOISE[0]) == pytest.approx(np.mean(frames), rel=1e-6)
    assert frames[:7] == pytest.approx([0] * 7) and frames[9:] == pytest.approx([np.log10(2)] * 7)


def test_digital_silence_counts_to_the_floor() -> None:
    silent = lsd(np.zeros(8000), NOISE[0])
    assert silent > 10 and lsd(np.zeros(8000), NOISE[0], floor=1e-5) == pytest.approx(silent - 5, abs=0.01)
    with pytest.raises(ValueError, match="one shape"):
        lsd(NOISE, NOISE[:, :-1])
    with pytest.raises(ValueError, match="too short"):
        lsd(NOISE[:, :512], NOISE[:, :512])
