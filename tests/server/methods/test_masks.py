# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods import masks


def tone(hz: float, seconds: float = 0.5, sample_rate: int = 16000, gains=(0.2,)) -> Clip:
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * sample_rate)) / sample_rate)
    return Clip(np.outer(gains, wave), sample_rate)


def plus(*clips: Clip) -> Clip:
    return Clip(np.sum([clip.samples for clip in clips], axis=0), clips[0].sample_rate)


def relative_db(a: Clip, b: Clip) -> float:
    return float(10 * np.log10(((a.samples - b.samples) ** 2).sum() / (b.samples**2).sum() + 1e-20))


def steady(values: torch.Tensor) -> torch.Tensor:
    """Powers that do not change over a region: [..., channels] as [..., channels, 50 bins, 20 frames]."""
    return values[..., None, None].expand(*values.shape, 50, 20)


def test_masks_have_the_formula_and_leave_the_rest_to_the_residual():
    """One component that is heard everywhere: a bin's share and its components' are one, s^0.5 s^0.75."""
    stems = torch.tensor([[1.0, 3.0, 0.0, 0.0], [1.0, 1.0, 2.0, 0.0]])
    seen = torch.tensor([4.0, 2.0, 2.0, 1.0])
    found = masks.masks(steady(stems), steady(seen), steady(seen))
    shares = (stems / stems.sum(0).clamp(min=1e-9)) ** 1.25
    expected = shares / shares.sum(0).clamp(min=1e-9) * (stems.sum(0) / seen).clamp(max=1.0)
    torch.testing.assert_close(found[..., 25, 10], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[..., 0, 0], found[..., 25, 10], atol=1e-5, rtol=1e-5)


def test_bins_that_sound_together_share_their_evidence(monkeypatch):
    """Two notes in turn. Of the first, two bins say the first stem and one says neither: it goes with its note."""
    monkeypatch.setattr(masks, "COMPONENTS", 2)
    stems, heard = torch.full((2, 1, 40, 20), 1.0), torch.full((1, 40, 20), 1e-4)
    heard[:, [5, 15, 25], :10], heard[:, 35, 10:] = 1.0, 1.0
    stems[0, :, 4:7], stems[0, :, 14:17], stems[1, :, 34:37] = 9.0, 9.0, 9.0
    found = masks.masks(stems, stems.sum(0), heard)
    odds = ((0.9 + 0.9 + 0.5) / (0.1 + 0.1 + 0.5)) ** 0.75  # of the first note, whose bins are equally loud
    expected = torch.tensor([odds / (odds + 1), 3 * odds / (3 * odds + 1), 1 / (9**1.25 + 1)])
    torch.testing.assert_close(found[0, 0, [25, 5, 35], [5, 5, 15]], expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(found.sum(0), torch.ones(1, 40, 20), atol=1e-5, rtol=0)


def test_a_power_is_averaged_over_its_neighbours_and_less_of_them_at_the_ends():
    power = torch.zeros(1, 5, 5)
    power[0, 0, 0] = 18.0
    found = masks.averaged(power, (3, 3))[0]
    assert found[0, 0] == 4.5 and found[0, 1] == 3.0 and found[1, 1] == 2.0 and found[2:].sum() == 0


@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_stems_and_residual_sum_to_the_mixture_in_every_sample(noise_clip, sample_rate):
    mixture = noise_clip(0.4, sample_rate, 2, seed=1)
    generated = [noise_clip(0.4, sample_rate, 2, seed=k) for k in (2, 3, 4)]
    found = masks.split(mixture, generated, noise_clip(0.4, sample_rate, 2, seed=5), 4000)
    assert all(clip.samples.shape == mixture.samples.shape for clip in (*found.stems, found.residual))
    np.testing.assert_allclose(plus(*found.stems, found.residual).samples, mixture.samples, atol=1e-6)


def test_two_tones_are_told_apart_whatever_the_phase_of_what_was_generated():
    low, high = tone(400), tone(700)
    generated = [Clip(-clip.samples, clip.sample_rate) for clip in (low, high)]
    found = masks.split(plus(low, high), generated, plus(low, high), 8000)
    assert relative_db(found.stems[0], low) < -20 and relative_db(found.stems[1], high) < -20
    assert found.continued_above_hz is None


def test_a_stem_that_claims_nothing_leaves_the_mixture_to_the_residual():
    mixture = tone(400)
    found = masks.split(mixture, [Clip(0 * mixture.samples, 16000)], mixture, 8000)
    assert not found.stems[0].samples.any()
    np.testing.assert_array_equal(found.residual.samples, mixture.samples)


def test_what_the_model_does_to_the_level_of_everything_does_not_move_the_masks():
    low, high = tone(400), tone(700)
    once = masks.split(plus(low, high), [low, high], plus(low, high), 8000)
    quiet = [Clip(0.1 * clip.samples, 16000) for clip in (low, high, plus(low, high))]
    again = masks.split(plus(low, high), quiet[:2], quiet[2], 8000)
    np.testing.assert_allclose(again.stems[0].samples, once.stems[0].samples, atol=1e-6)


def test_channels_have_masks_of_their_own():
    left, right = tone(400, gains=(0.2, 0.0)), tone(410, gains=(0.0, 0.2))
    found = masks.split(plus(left, right), [left, right], plus(left, right), 8000)
    assert np.abs(found.stems[0].samples[1]).max() < 1e-6
    assert relative_db(found.stems[0], left) < -60


def test_above_the_model_s_band_the_masks_of_the_octave_below_go_on():
    """Of the top octave of the lower half the first stem has three quarters: above, it gets as much."""
    shares = torch.zeros(2, 1, 101, 4)
    shares[0, :, :51], shares[1, :, :51] = 0.75, 0.25
    shares[:, :, :20] = 0.5
    found = masks.continued(shares, torch.ones(1, 101, 4), 0.5)
    assert torch.equal(found[:, :, :51], shares[:, :, :51])
    torch.testing.assert_close(found[0, :, 51:], torch.full((1, 50, 4), 0.75), atol=1e-4, rtol=0)
    rng = np.random.default_rng(0)
    mixture = Clip(0.1 * rng.normal(size=(1, 8000)), 16000)
    assert masks.split(mixture, [mixture], mixture, 4000).continued_above_hz == pytest.approx(3800)


def test_a_long_clip_is_cut_in_segments_almost_as_if_it_were_whole(noise_clip, monkeypatch):
    """Segments have components of their own; where there is one alone (one stem), nothing else tells them apart."""
    clips = [noise_clip(3.01, 8000, 2, seed=k) for k in range(4)]
    whole = [masks.split(clips[0], clips[1:k], clips[3], 3000) for k in (2, 3)]
    monkeypatch.setattr(masks, "SEGMENT_S", 0.7)
    monkeypatch.setattr(masks, "FADE_S", 0.2)
    parts = [masks.split(clips[0], clips[1:k], clips[3], 3000) for k in (2, 3)]
    np.testing.assert_allclose(parts[0].stems[0].samples, whole[0].stems[0].samples, atol=1e-6)
    assert all(relative_db(part, one) < -20 for part, one in zip(parts[1].stems, whole[1].stems, strict=True))
    np.testing.assert_allclose(plus(*parts[1].stems, parts[1].residual).samples, clips[0].samples, atol=1e-6)


def test_amount_is_the_highlight():
    mixture, stem = tone(400), tone(700)
    np.testing.assert_allclose(masks.highlighted(mixture, stem, 0.25).samples,
                               0.75 * mixture.samples + 0.25 * stem.samples, atol=1e-7)
    assert masks.highlighted(mixture, stem, 1.0) is stem


@pytest.mark.parametrize(("sample_rate", "length"), [(44100, 4096), (48000, 4096), (16000, 2048), (4000, 512)])
def test_the_window_grows_with_the_rate(sample_rate, length):
    assert masks.window_length(sample_rate) == length
