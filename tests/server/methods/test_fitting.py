# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods.fitting import MODEL_PEAK, fit, fit_to, repeat_to, unfit


@pytest.mark.parametrize(("channels", "items"), [(1, 1), (2, 2)])
def test_a_clip_comes_back_as_it_went(backbone, noise_clip, channels, items):
    clip = noise_clip(1.2345, 4000, channels)
    fitted = fit(clip, backbone, "the clip")
    assert fitted.audio.shape == (items, 1, clip.n_samples)
    assert float(fitted.audio.abs().max()) == pytest.approx(MODEL_PEAK)
    np.testing.assert_allclose(unfit(fitted.audio, fitted, backbone).samples, clip.samples, atol=1e-6)


def test_equal_channels_cost_one_item_and_come_back_as_two(backbone, noise_clip):
    mono = noise_clip()
    clip = Clip(np.repeat(mono.samples, 2, axis=0), 4000)
    fitted = fit(clip, backbone, "the clip")
    assert fitted.items == 1
    np.testing.assert_allclose(unfit(fitted.audio, fitted, backbone).samples, clip.samples, atol=1e-6)


def test_another_rate_comes_back_aligned(backbone):
    t = np.arange(30000) / 30000
    clip = Clip((0.3 * np.sin(2 * np.pi * 200 * t) * np.sin(np.pi * t) ** 2)[None], 30000)
    fitted = fit(clip, backbone, "the clip")
    np.testing.assert_allclose(unfit(fitted.audio, fitted, backbone).samples, clip.samples, atol=2e-3)


def test_a_shorter_reference_is_repeated_without_a_dip_or_click(backbone, noise_clip):
    tone = Clip(np.ones((1, 1000)), 4000)
    repeated = repeat_to(tone, 5000)
    assert repeated.n_samples == 5000
    np.testing.assert_allclose(repeated.samples[0, :4800], 1.0, atol=1e-6)
    like = fit(noise_clip(2.0, channels=2), backbone, "the original")
    assert fit_to(noise_clip(0.3), like, backbone, "the reference").audio.shape == (2, 1, 8000)


def test_a_longer_reference_is_cut(backbone, noise_clip):
    longer = noise_clip(3.0)
    like = fit(noise_clip(1.0), backbone, "the original")
    cut = fit_to(longer, like, backbone, "the reference").audio[0, 0]
    expected = torch.from_numpy(longer.samples[0, :4000])
    torch.testing.assert_close(cut / cut.abs().max(), expected / expected.abs().max())
