# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound that is damaged as the clip was has no distance from it; another one has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.kinds import parse_options
from server.methods.consistency import filtered, low_pass
from server.methods.fitting import Fitted
from server.methods.measurement import measurement
from server.methods.room import parametric, reverberated

RATE = 8000
RESPONSE = parametric(0.2, RATE, seed=1)


def holed(clip: Clip) -> Clip:
    samples = clip.samples.copy()
    samples[:, 2000:2400] = 0.0
    return replace(clip, samples=samples)


DAMAGE = {
    "inpaint": holed,
    "super_resolution": lambda clip: replace(clip, samples=filtered(clip.samples, low_pass(950.0, 1000.0, RATE))),
    "dereverb": lambda clip: reverberated(clip, RESPONSE),
    "phase_retrieval": lambda clip: replace(clip, samples=-clip.samples),
    "declip": lambda clip: replace(clip, samples=clip.samples.clip(-0.15, 0.15)),
}


def shown(clip: Clip, gain: float = 2.0) -> Fitted:
    return Fitted(torch.from_numpy(clip.samples * np.float32(gain))[:, None], clip, gain)


@pytest.fixture
def clip() -> Clip:
    """Noise that swells: at an abrupt end, filtering twice is not filtering once."""
    noise = np.random.default_rng(0).standard_normal((1, RATE // 2))
    return Clip(0.1 * noise * np.sin(np.linspace(0, np.pi, RATE // 2)) ** 4, RATE)


@pytest.mark.parametrize("vmc", [True, False])
@pytest.mark.parametrize("task", DAMAGE)
def test_the_sound_itself_has_no_distance(clip, task, vmc):
    given = {"task": task, "vmc": vmc} | ({"gap": "0.25:0.3"} if task == "inpaint" else {})
    measured = measurement(parse_options("restore", given), shown(DAMAGE[task](clip)), RATE, cutoff_hz=950.0, level=0.15,
                           response=torch.from_numpy(RESPONSE))
    truth, other = shown(clip).audio, shown(Clip(clip.samples[:, ::-1], RATE)).audio
    loss = measured.loss(truth)
    assert loss.shape == (1,) and loss < 1e-3 * measured.loss(other)


def test_stems_are_measured_by_their_sum(clip):
    options = parse_options("restore", {"task": "separate", "stem": ("a", "b"), "vmc": False})
    measured = measurement(options, shown(clip), RATE)
    stems = torch.cat([0.25 * shown(clip).audio, 0.75 * shown(clip).audio])
    assert measured.loss(stems).tolist() == [pytest.approx(0.0, abs=1e-9)]


@pytest.mark.parametrize("model_rate", [8000, 16000, 4000])
def test_noise_is_as_loud_at_the_model_s_rate_as_in_the_clip(model_rate):
    noise = Clip(0.1 * np.random.default_rng(0).standard_normal((1, 4 * RATE)), RATE)
    at_model = Fitted(torch.zeros(1, 1, 4 * model_rate), noise, 3.0)
    measured = measurement(parse_options("restore", {"task": "denoise", "vmc": False}), at_model, model_rate)
    made = measured.operator(torch.zeros(1, 1, 4 * model_rate))
    band = min(1.0, model_rate / RATE)  # a lower rate holds a part of the noise
    assert float(made.var()) == pytest.approx((3.0 * 0.1) ** 2 * band, rel=0.25)
