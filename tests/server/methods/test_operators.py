# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.methods import operators
from server.methods.consistency import low_pass

RATE = 8000


@pytest.fixture
def audio() -> torch.Tensor:
    return 0.2 * torch.randn(2, 1, 4000, generator=torch.Generator().manual_seed(3))


def tone(hz: float) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(4000) / RATE)[None, None]


def test_a_mask_keeps_what_is_known(audio):
    mask = torch.ones(4000)
    mask[1000:1500] = 0.0
    measured = operators.masked(mask)(audio)
    assert torch.equal(measured[..., :1000], audio[..., :1000]) and not measured[..., 1000:1500].any()


def test_the_low_pass_lets_the_band_through_and_decimates_what_is_left():
    kernel = torch.from_numpy(low_pass(900.0, 1000.0, RATE))
    kept = operators.low_passed(kernel)
    inner = slice(1000, 3000)  # away from the ends, where silence is convolved in
    torch.testing.assert_close(kept(tone(500))[..., inner], tone(500)[..., inner], atol=2e-4, rtol=0)
    assert kept(tone(1500))[..., inner].abs().max() < 1e-4
    torch.testing.assert_close(operators.low_passed(kernel, 4)(tone(500)), kept(tone(500))[..., ::4])


def test_a_room_is_a_causal_convolution_that_never_changes(audio):
    response = torch.tensor([1.0, 0.0, 0.5, -0.25])
    measure = operators.reverberated(response)
    expected = np.convolve(audio[1, 0].numpy(), response.numpy())[:4000]
    np.testing.assert_allclose(measure(audio)[1, 0].numpy(), expected, atol=1e-5)
    assert torch.equal(measure(audio), measure(audio))


def test_magnitudes_are_those_of_a_hann_window_and_can_be_differentiated_at_silence(audio):
    measure = operators.magnitude(256, 64)
    window = torch.hann_window(256)
    expected = torch.stft(audio[:, 0], 256, 64, window=window, pad_mode="constant", return_complex=True).abs()
    torch.testing.assert_close(measure(audio)[:, 0], expected, atol=1e-5, rtol=1e-4)
    silence = torch.zeros(1, 1, 1024, requires_grad=True)
    measure(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_sources_add_up_in_neighbours():
    stems = torch.arange(12.0).reshape(6, 1, 2)
    assert operators.summed(3)(stems)[:, 0].tolist() == [[6.0, 9.0], [24.0, 27.0]]


def test_clipping_holds_samples_and_their_gradients():
    x = torch.tensor([[[-0.9, -0.1, 0.2, 0.8]]], requires_grad=True)
    measured = operators.clipped(0.5)(x)
    measured.sum().backward()
    assert measured.tolist() == [[[-0.5, pytest.approx(-0.1), pytest.approx(0.2), 0.5]]]
    assert x.grad.tolist() == [[[0.0, 1.0, 1.0, 0.0]]]


def test_shaped_noise_has_the_power_asked_for():
    low = torch.cat([torch.full((50,), 4.0), torch.zeros(50)])  # the lower half of the band
    noise = operators.shaped_noise(low, 20001, seed=1)
    assert noise.shape == (20001,)
    assert noise.var() == pytest.approx(2.0, rel=0.05)
    high = torch.fft.rfft(noise)[len(noise) // 4 + 300:]
    assert high.abs().square().mean() / len(noise) < 0.01
    torch.testing.assert_close(operators.noised(noise)(torch.zeros(2, 1, 20001))[1, 0], noise)
