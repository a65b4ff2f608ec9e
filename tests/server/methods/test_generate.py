# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import true_peak_dbfs
from server.kinds import parse_options
from server.methods import run


def options(**given):
    return parse_options("generate", {"steps": 20, "seconds": 1, "seed": 1, "raw_level": True} | given)


def test_variations_differ_and_each_equals_itself_in_another_batch(context):
    three = run("generate", {}, options(variations=3), context)
    one = run("generate", {}, options(), context)
    assert [o.clip.samples.shape for o in three] == [(1, 4000)] * 3
    np.testing.assert_allclose(three[0].clip.samples, one[0].clip.samples, atol=1e-5)
    assert np.abs(three[0].clip.samples - three[1].clip.samples).max() > 0.1


def test_samples_have_the_prompt_s_distribution(context):
    """The Gaussian backbone's prompt is a mean; unguided sampling must draw from N(mean, 0.25)."""
    samples = run("generate", {}, options(prompt="x" * 40, guidance=1, seconds=5, steps=50), context)[0].clip.samples
    assert abs(samples.mean() - 0.4) < 0.02 and abs(samples.std() - 0.5) < 0.02


def test_the_model_s_own_steps_end_with_too_much_deviation(context):
    """Why `schedule=even` is the default: the published training steps leave a last jump that order 2 overshoots."""
    asked = options(guidance=1, seconds=5, steps=50, schedule="model")
    assert run("generate", {}, asked, context)[0].clip.samples.std() > 0.58


@pytest.mark.parametrize(("given", "rows"), [({"prompt": "a"}, 2), ({"prompt": "a", "guidance": 1}, 1), ({}, 1)])
def test_only_what_guidance_needs_is_evaluated(context, backbone, given, rows):
    run("generate", {}, options(**given), context)
    assert backbone.rows == [rows] * 20


def test_longer_than_the_window_is_the_same_in_windows(context, backbone):
    """The Gaussian's denoiser looks at each frame alone, so windows must change nothing."""
    joined = run("generate", {}, options(prompt="bells", seconds=25), context)[0]
    assert joined.provenance["windows"]["starts_s"] == [0.0, 7.375, 14.75]
    backbone.facts = replace(backbone.facts, max_s=30.0)
    whole = run("generate", {}, options(prompt="bells", seconds=25), context)[0]
    assert joined.clip.samples.shape == (1, 100000) and "windows" not in whole.provenance
    np.testing.assert_allclose(joined.clip.samples, whole.clip.samples, atol=1e-5)


def test_a_palette_entry_changes_what_is_made(context, noise_clip):
    learning = parse_options("learn", {"prompt": "bells", "name": "bells", "learn_steps": 30, "rank": 4})
    (context.palette_dir / "bells.safetensors").write_bytes(run("learn", {"clip": noise_clip()}, learning, context)[0].data)
    plain, learned = (run("generate", {}, options(prompt="bells", adapter=name), context)[0].clip for name in ("", "bells"))
    assert np.abs(plain.samples - learned.samples).max() > 1e-3


def test_the_level_is_set_unless_raw(context):
    clip = run("generate", {}, options(raw_level=False), context)[0].clip
    assert true_peak_dbfs(clip) == pytest.approx(-3.0, abs=0.01)
