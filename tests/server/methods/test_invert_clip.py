# SPDX-License-Identifier: GPL-3.0-or-later
"""On the real classes at toy size: Stable Audio's (EDM) and AudioLDM2's (variance preserving)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods.context import Context
from server.methods.count import Counter
from server.methods.fitting import fit
from server.methods.invert_clip import Inversion, clip_seed, ddim_invert_clip, invert_clip, prompted, rows_at_once
from server.models import tiny
from server.models.loading import load
from server.sampling.solve import solve

STEPS = 8


@pytest.fixture(scope="module", params=["stable_audio", "audioldm2"])
def backbone(request, tmp_path_factory):
    return load(str(tiny.build(request.param, tmp_path_factory.mktemp("tiny") / request.param)), device="cpu")


@pytest.fixture
def context(backbone, tmp_path) -> Context:
    return Context("a job", {"clip": "3" * 64}, tmp_path, lambda name: backbone, lambda progress: None)


@pytest.fixture
def clip(backbone):
    sound = 0.1 * np.random.default_rng(0).normal(size=(1, 8000))
    return fit(Clip(sound, 16000), backbone, "the clip")


def asked(schedule: str = "model") -> Inversion:
    return Inversion(STEPS, schedule, 7, "bells", 3.0)


@pytest.mark.parametrize("schedule", ["model", "even"])
@pytest.mark.parametrize("start", [0, 3, 7])
def test_the_same_prompt_and_guidance_give_the_latents_back(backbone, clip, context, schedule, start):
    inversion, count = asked(schedule), Counter(context)
    trajectory = invert_clip(clip, backbone, inversion, start, context, count)
    assert count.done == 2 * (STEPS - start)
    denoise, cost = prompted(backbone, ["bells"], clip, 3.0)
    assert cost == 2
    levels = backbone.levels(STEPS, schedule)
    with torch.no_grad():
        x0 = backbone.encode(clip.audio)
    for order in (1, 2):
        back = solve(denoise, trajectory.state(start), levels, noise=trajectory.noise(order=order), order=order)
        # Rounding, in units of the noise; a network of random weights magnifies it the more, the noisier it begins.
        torch.testing.assert_close(back.x, x0, rtol=0, atol=1e-2 if start == 0 else 1e-4)
    other, _ = prompted(backbone, ["a drum"], clip, 3.0)
    edited = solve(other, trajectory.state(start), levels, noise=trajectory.noise(), order=1)
    assert float((edited.x - x0).abs().max()) > 1e-3


def test_a_kept_inversion_is_cut_or_continued(backbone, clip, context):
    first = invert_clip(clip, backbone, asked(), 4, context, Counter(context))
    shorter, longer = Counter(context), Counter(context)
    cut = invert_clip(clip, backbone, asked(), 6, context, shorter)
    assert shorter.done == 0 and (cut.start, cut.stop) == (6, STEPS) and torch.equal(cut.x, first.x[2:])
    whole = invert_clip(clip, backbone, asked(), 1, context, longer)
    assert longer.done == 2 * 3 and (whole.start, whole.stop) == (1, STEPS) and torch.equal(whole.x[3:], first.x)
    assert context.cache.used_bytes == whole.n_bytes


def test_the_states_of_the_ode_lead_from_the_latents_up_and_are_kept(backbone, clip, context):
    count, inversion = Counter(context), Inversion(STEPS, "even", 7, "bells", 3.0)
    states = ddim_invert_clip(clip, backbone, inversion, 5, context, count)
    assert count.done == 2 * (STEPS - 5) and len(states) == STEPS - 5 + 1
    with torch.no_grad():
        x0 = backbone.encode(clip.audio)
    assert torch.equal(states[-1], x0)
    denoise, _ = prompted(backbone, ["bells"], clip, 3.0)
    levels = backbone.levels(STEPS, "even")
    for i in range(5, STEPS):  # the step from the noisier state, had the network answered as it did on the way up
        x0hat = denoise(states[i + 1 - 5], levels.at(i))
        alpha, sigma = (float(v[i]) for v in (levels.alpha, levels.sigma))
        eps = (states[i + 1 - 5] - alpha * x0hat) / sigma
        below, rest = (float(v[i + 1]) for v in (levels.alpha, levels.sigma))
        expected = alpha * (states[i + 1 - 5] - rest * eps) / below + sigma * eps
        torch.testing.assert_close(states[i - 5], expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(ddim_invert_clip(clip, backbone, inversion, 5, context, count), states)
    assert count.done == 2 * (STEPS - 5)


def test_fewer_rows_at_once_where_latents_are_large():
    assert rows_at_once(torch.zeros(1, 8, 63, 8)) == 32
    assert rows_at_once(torch.zeros(2, 64, 1024)) == 10
    assert rows_at_once(torch.zeros(1, 64, 10**6)) == 1


def test_a_clip_has_a_seed_of_its_own():
    assert clip_seed(5, "ab") == 5
    assert clip_seed(None, "ab") == clip_seed(None, "ab") != clip_seed(None, "cd")
