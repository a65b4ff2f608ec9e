# SPDX-License-Identifier: GPL-3.0-or-later
"""A backbone around another: short clips unchanged, long ones in windows; what is local joins exactly."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from server.models import windowed as windowed_module
from server.models.base import Remembering
from server.models.loading import load
from server.models.windowed import AT_ONCE, LONGEST_S, windowed
from server.sampling.levels import Level
from server.sampling.windows import plan_windows

LAYOUTS = ("stable_audio", "audioldm", "audioldm2", "patches")


def db(difference: torch.Tensor, of: torch.Tensor) -> float:
    return 20 * math.log10(max(float(difference.norm()), 1e-30) / float(of.norm()))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_clip_that_fits_passes_through_to_the_bit(tiny_backbone, normal, layout):
    inner = tiny_backbone(layout)
    outer = windowed(inner)
    audio = 0.1 * normal(2, inner.facts.channels, round(0.9 * inner.facts.sample_rate))
    level, conditionings = inner.levels(10).at([3, 5]), [inner.condition(p, 0.9) for p in ("rain", None)]
    with torch.no_grad():
        x = inner.encode(audio)
        assert torch.equal(outer.encode(audio), x)
        assert torch.equal(outer.denoise(x, level, conditionings), inner.denoise(x, level, conditionings))
        assert torch.equal(outer.decode_stereo(x, audio.shape[-1]), inner.decode_stereo(x, audio.shape[-1]))
        assert torch.equal(outer.decode(x, audio.shape[-1]), inner.decode(x, audio.shape[-1]))
        assert torch.equal(outer.decode_draft(x, audio.shape[-1]), inner.decode_draft(x, audio.shape[-1]))
    assert outer.reach == inner.reach
    assert outer.condition("rain", 0.9).key == inner.condition("rain", 0.9).key and outer.record() == {}
    assert outer.facts.max_s == LONGEST_S and isinstance(outer, Remembering) == (layout == "patches")


@torch.no_grad()
def test_a_waveform_autoencoder_in_pieces_equals_the_whole(tiny_backbone, normal):
    inner = tiny_backbone("stable_audio")
    outer = windowed(inner)
    frames = outer.window_frames + 37
    audio = 0.1 * normal(1, 2, frames * 2048 - 500)
    whole = inner.encode(audio)
    assert whole.shape[2] == frames and db(outer.encode(audio) - whole, whole) < -100
    heard = inner.decode(whole, audio.shape[-1])
    assert db(outer.decode(whole, audio.shape[-1]) - heard, heard) < -100


@torch.no_grad()
def test_a_mel_model_joins_latents_and_mels_in_front_of_one_vocoder(tiny_backbone, normal):
    inner = tiny_backbone("audioldm")
    outer = windowed(inner)
    n_samples = round(13.7 * 16000)
    audio = 0.1 * normal(1, 1, n_samples)
    x, plan = outer.encode(audio), plan_windows(343, 256)
    assert x.shape == (1, *inner.latent_shape(n_samples)) and plan.starts == (0, 87)
    alone = inner.encode(audio[..., : 256 * 640])
    torch.testing.assert_close(x[:, :, : plan.fades[0]], alone[:, :, : plan.fades[0]])
    mel = outer._mel(inner, x, plan)
    end = plan.fades[0] + plan.fade
    torch.testing.assert_close(mel[:, 4 * end :], inner.decode_mel(x[:, :, 87:])[:, 4 * (end - 87) :],
                               atol=1e-4, rtol=1e-3)
    sound = outer.decode(x, n_samples)
    assert sound.shape == (1, 1, n_samples)
    torch.testing.assert_close(sound, inner.audio_of_mel(mel, n_samples))


@torch.no_grad()
@pytest.mark.parametrize("layout", ["stable_audio", "audioldm"])
def test_denoising_is_the_windows_answers_where_one_is_heard(tiny_backbone, normal, layout):
    inner = tiny_backbone(layout)
    outer = windowed(inner)
    window = outer.window_frames
    x = normal(2, *inner.latent_shape(round(2.5 * inner.facts.max_s * inner.facts.sample_rate)))
    plan = plan_windows(x.shape[2], window)
    level, conditionings = inner.levels(10).at([3, 5]), [outer.condition(p, 300) for p in ("rain", None)]
    answer = outer.denoise(x, level, conditionings)
    assert answer.shape == x.shape and plan.n_windows == 3
    for k, start in enumerate(plan.starts):
        own = inner.denoise(x[:, :, start : start + window], level, conditionings)
        begin = plan.fades[k - 1] + plan.fade if k else 0
        end = plan.fades[k] if k < 2 else x.shape[2]
        torch.testing.assert_close(answer[:, :, begin:end], own[:, :, begin - start : end - start], atol=1e-4, rtol=1e-4)
    said = outer.record()["windows"]
    assert len(said["starts_s"]) == 3 and said["window_s"] == round(window / inner.facts.latent_hz, 3)


def test_each_window_is_conditioned_as_a_clip_of_its_length(tiny_backbone):
    inner = tiny_backbone("stable_audio")
    assert windowed(inner).condition("rain", 300).key == inner.condition("rain", inner.facts.max_s).key


class Noted:
    """A backbone's stand-in for the network: notes how many rows come at once and denoises by halving."""

    def __init__(self, inner):
        self.inner, self.rows = inner, []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def denoise(self, x, level, conditionings):
        assert len(x) == len(conditionings) == len(level.times(len(x)))
        self.rows.append(len(x))
        return 0.5 * x * level.factors(x)[0]


def test_many_windows_go_in_several_batches(tiny_backbone, normal):
    inner = Noted(tiny_backbone("audioldm"))
    outer = windowed(inner)
    x = normal(3, 8, 1000, 16)
    alpha = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    answer = outer.denoise(x, Level(alpha, (1 - alpha**2).sqrt(), alpha), [outer.condition(None, 1)] * 3)
    assert inner.rows == [AT_ONCE, 15 - AT_ONCE]
    torch.testing.assert_close(answer, 0.5 * x * alpha.float().reshape(3, 1, 1, 1))


def test_a_model_without_a_window_of_its_own_denoises_the_whole(tiny_backbone, normal):
    outer = windowed(tiny_backbone("patches"))
    assert outer.window_frames == 4096
    with torch.no_grad():
        x = normal(1, 8, 300, 16)
        whole = outer.inner.denoise(x, outer.levels(10).at(3), [outer.condition(None, 12)])
        assert torch.equal(outer.denoise(x, outer.levels(10).at(3), [outer.condition(None, 12)]), whole)
        assert outer.record() == {} and outer.decode(x, 300 * 640).shape == (1, 1, 300 * 640)


@pytest.mark.parametrize("layout", ["stable_audio", "audioldm"])
def test_derivatives_pass_through(tiny_backbone, normal, layout):
    inner = tiny_backbone(layout)
    outer = windowed(inner)
    n_samples = round(1.3 * inner.facts.max_s * inner.facts.sample_rate)
    x = normal(1, *inner.latent_shape(n_samples))
    v, level, conditionings = normal(*x.shape, seed=1), inner.levels(10).at(5), [outer.condition("rain", 1)]
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch scripts its own decompositions at the first use
        along = forward_ad.unpack_dual(outer.denoise(forward_ad.make_dual(x, v), level, conditionings)).tangent
        h = 1e-2
        ahead, behind = (outer.denoise(x + s * h * v, level, conditionings) for s in (1, -1))
    assert db(along - (ahead - behind) / (2 * h), along) < -40
    x.requires_grad_(True)
    outer.decode_draft(x, n_samples).square().sum().backward()
    assert bool((x.grad.abs().sum((0, 1)) > 0).all())


@torch.no_grad()
def test_the_vocoder_of_a_long_clip_goes_in_pieces_with_one_noise(tiny_folder, normal, monkeypatch):
    """As the embedded model's: noise under the vocoder, keyed by the clip's samples, and its levels corrected."""
    inner = load(str(tiny_folder("audioldm")), device="cpu")
    inner.mel_noise, inner.mel_passes, inner.mel_smoothing = 0.1, 3, 3
    monkeypatch.setattr(windowed_module, "VOCODED", 1)
    seen = []
    outer = windowed(inner, tick=lambda: seen.append(1))
    x = normal(1, 8, 350, 16)
    plan = plan_windows(350, 256)
    mel = outer._mel(inner, x, plan)
    for made, of_mel in ((outer.decode, inner.audio_of_mel), (outer.decode_stereo, inner.stereo_of_mel),
                         (outer.decode_draft, inner.draft_of_mel)):
        whole = of_mel(mel, 350 * 640)
        assert db(made(x, 350 * 640) - whole, whole) < -60
    assert len(seen) == 4 * plan.n_windows + 3 * 2, "a job can be stopped between the pieces"
