# SPDX-License-Identifier: GPL-3.0-or-later
"""The denoiser of a bank of patches against the sum over all windows, written out in double precision."""

from __future__ import annotations

import math

import pytest
import torch

from server.models import bank as banks
from server.models.bank import diagonal_sums, posterior_mean, widest, with_novelty


def written_out(x, bank, log_prior, alpha, sigma, half_width, reach):
    """[frames, width] by loops over frames, clips and places, float64."""
    x, bank, frames, length = x.double(), bank.double(), len(x), bank.shape[1]
    half_width = min(half_width, widest(frames, length))
    said = [[] for _ in range(frames)]
    for t in range(frames):
        before, after = min(t, half_width), min(frames - 1 - t, half_width)
        window = x[t - before : t + after + 1]
        odds, windows = [], []
        for clip, prior in zip(bank, log_prior.tolist(), strict=True):
            for s in range(before, length - after):
                windows.append(clip[s - before : s + after + 1])
                odds.append(prior - (window - alpha * windows[-1]).square().sum() / (2 * sigma**2))
        mean = torch.einsum("n,nfw->fw", torch.stack(odds).softmax(0), torch.stack(windows))
        for k in range(-min(before, reach), min(after, reach) + 1):
            said[t + k].append(mean[before + k])
    return torch.stack([torch.stack(frames).mean(0) for frames in said])


@pytest.mark.parametrize(("half_width", "reach"), [(0, 0), (1, 0), (1, 1), (2, 1), (5, 9), (99, 2)])
@pytest.mark.parametrize("frames", [1, 6, 9, 16])
@pytest.mark.parametrize("snr_db", [-20.0, 0.0, 20.0])
def test_it_is_the_mean_of_the_posterior(normal, half_width, reach, frames, snr_db):
    bank, x = normal(5, 9, 3), normal(frames, 3, seed=1)
    log_prior = torch.tensor([0.0, -1.0, -math.inf, -3.0, 0.5])
    alpha = torch.tensor(1 / math.sqrt(1 + 10 ** (-snr_db / 10)))
    sigma = (1 - alpha**2).sqrt()
    expected = written_out(x, bank, log_prior, float(alpha), float(sigma), half_width, reach)
    found = posterior_mean(x, bank, log_prior, alpha, sigma, half_width, reach)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)


def test_a_bank_in_parts_answers_as_a_whole(normal, monkeypatch):
    bank, x, prior = normal(7, 8, 4), normal(8, 4, seed=1), normal(7, seed=2)
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    whole = posterior_mean(x, bank, prior, alpha, sigma, 2, 1)
    monkeypatch.setattr(banks, "CHUNK", 2 * 8 * 8)
    torch.testing.assert_close(posterior_mean(x, bank, prior, alpha, sigma, 2, 1), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("half_width", [1, 8])
def test_one_clip_comes_back_exactly_where_little_noise_is_left(normal, half_width):
    clip = normal(1, 12, 6)
    alpha, sigma = torch.tensor(0.995), torch.tensor(0.1)
    found = posterior_mean(alpha * clip[0] + sigma * normal(12, 6, seed=1), clip, torch.zeros(1), alpha, sigma, half_width)
    torch.testing.assert_close(found, clip[0], rtol=0, atol=1e-5)


def test_a_window_as_long_as_the_clip_knows_it_in_any_noise(normal):
    clip = normal(1, 12, 6)
    found = posterior_mean(normal(12, 6, seed=1), clip, torch.zeros(1), torch.tensor(0.01), torch.tensor(1.0), 99)
    torch.testing.assert_close(found, clip[0], rtol=0, atol=1e-6)


def test_the_slope_is_what_finite_differences_say(normal):
    bank, x = normal(4, 6, 2), normal(6, 2, seed=1).double().requires_grad_()
    alpha, sigma = torch.tensor(0.6).double(), torch.tensor(0.8).double()

    def answer(state):
        return posterior_mean(state, bank.double(), torch.zeros(4).double(), alpha, sigma, 2, 1)

    jacobian = torch.autograd.functional.jacobian(answer, x.detach())
    step = 1e-6 * normal(6, 2, seed=2).double()
    slope = (answer(x.detach() + step) - answer(x.detach() - step)) / 2
    torch.testing.assert_close(torch.einsum("abcd,cd->ab", jacobian, step), slope, rtol=1e-4, atol=1e-10)
    assert float(jacobian.reshape(12, 12).trace()) > 0  # of a window's middle it is alpha / sigma^2 times its spread


@pytest.mark.parametrize("reach", [0, 1, 3, 4, 9])
def test_diagonal_sums_add_what_is_there(normal, reach):
    values = normal(2, 5, 7)
    expected = torch.zeros_like(values)
    for r in range(5):
        for c in range(7):
            for k in range(-reach, reach + 1):
                if 0 <= r + k < 5 and 0 <= c + k < 7:
                    expected[:, r, c] += values[:, r + k, c + k]
    torch.testing.assert_close(diagonal_sums(values, reach), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("snr_db", "kept"), [(30.0, 0.99), (0.0, 0.5), (-30.0, 0.0)])
def test_what_is_not_of_the_bank_passes_as_the_noise_fades(normal, snr_db, kept):
    """A Wiener filter's part of a signal as strong as 1 beside the bank's answer of 0."""
    alpha = torch.tensor(1 / math.sqrt(1 + 10 ** (-snr_db / 10)))
    sigma = (1 - alpha**2).sqrt()
    foreign = normal(200, 64)
    x = alpha * foreign + sigma * normal(200, 64, seed=1)
    found = with_novelty(x, torch.zeros(200, 64), alpha, sigma, slack=1.0, scales=[0])
    share = float((found * x / alpha).sum() / (x / alpha).square().sum())
    assert share == pytest.approx(kept, abs=0.04)


def test_what_is_of_the_bank_stays_as_the_bank_has_it(normal):
    own, noise = normal(200, 64), normal(200, 64, seed=1)
    alpha, sigma = torch.tensor(0.8), torch.tensor(0.6)
    assert torch.equal(with_novelty(alpha * own + sigma * noise, own, alpha, sigma, slack=1.5, scales=[2, 0]), own)


def test_of_a_sound_not_of_the_bank_the_colour_passes_before_the_detail(normal):
    alpha, sigma = torch.tensor(0.45), torch.tensor(0.893)  # -6 dB
    colour, detail = normal(1, 64).expand(200, -1), normal(200, 64, seed=2)
    x = alpha * (colour + detail) + sigma * normal(200, 64, seed=1)
    found = with_novelty(x, torch.zeros(200, 64), alpha, sigma, slack=1.0, scales=[8])
    share = float((found * colour).sum() / colour.square().sum())
    assert 0.7 < share < 1.1 and float((found * detail).mean()) < 0.15
