# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption, JobCancelled
from server.kinds import parse_options
from server.methods import run

TWO = ("bells", "dog barking")


def options(**given):
    return parse_options("separate", {"steps": 12, "backbone": "gaussian", "seed": 3, "stem": TWO} | given)


def separated(clip, context, **given):
    return run("separate", {"mixture": clip}, options(**given), context)


def relative_peak_db(a: Clip, b: Clip) -> float:
    return float(20 * np.log10((np.abs(a.samples - b.samples).max() + 1e-12) / np.abs(b.samples).max()))


@pytest.mark.parametrize(("inversion", "channels", "batches"), [
    ("ddpm", 1, [12]), ("ddpm", 2, [16, 8]), ("ddim", 1, [1] * 12), ("ddim", 2, [2] * 12)])
def test_k_stems_cost_one_inversion_and_one_reverse_pass(noise_clip, context, backbone, inversion, channels, batches):
    """N + K N evaluations per item, the stems in one batch, and levels together where they do not wait for one another."""
    outputs = separated(noise_clip(channels=channels), context, stem=(*TWO, "rain", "a cello"), inversion=inversion)
    assert backbone.evaluations == (12 + 4 * 12) * channels
    assert [output.provenance["network_evaluations"] for output in outputs] == [60] * 4
    assert backbone.rows == batches + [4 * channels] * 12


@pytest.mark.parametrize(("given", "evaluations"), [
    ({"inversion_prompt": "others"}, 2 * 2 * 12), ({"inversion_prompt": "a room"}, 12 + 2 * 12),
    ({"guidance": 0.5}, 12 + 2 * 2 * 12), ({"guidance": 0}, 12 + 2 * 12), ({"passes": 3}, 12 + 2 * 12 + 2 * (4 * 12)),
    ({"stems": "both", "amount": 0.5}, 12 + 2 * 12 + 2 * 2 * 12), ({"stems": "generated", "amount": 0.5}, 12 + 2 * 2 * 12),
    ({"stems": "both"}, 12 + 2 * 12), ({"stem": "bells"}, 2 * 12),
])
def test_every_option_costs_what_it_says(noise_clip, context, backbone, steps, given, evaluations):
    separated(noise_clip(), context, **given)
    assert backbone.evaluations == evaluations
    assert (steps[-1].step, steps[-1].n_steps) == (evaluations, evaluations)


@pytest.mark.parametrize("sample_rate", [4000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_keep_rate_and_stereo_and_sum_to_the_mixture(noise_clip, context, sample_rate, channels):
    mixture = noise_clip(0.7313, sample_rate, channels)
    outputs = separated(mixture, context, residual=True)
    assert [(output.role, output.name) for output in outputs] == [
        ("stem", "stem_1"), ("stem", "stem_2"), ("residual", "residual")]
    assert all(output.clip.sample_rate == sample_rate for output in outputs)
    total = np.sum([output.clip.samples for output in outputs], axis=0)
    np.testing.assert_allclose(total, mixture.samples, atol=1e-6)
    continued = outputs[0].provenance["masks_continued_above_hz"]
    assert continued == (None if sample_rate == 4000 else pytest.approx(1900))


@pytest.mark.parametrize("inversion", ["ddpm", "ddim"])
def test_guidance_0_gives_the_mixture_back_and_1_does_not(noise_clip, context, inversion):
    mixture = noise_clip(seed=4)
    asked = {"stems": "generated", "inversion": inversion, "steps": 100}
    back, stem = (separated(mixture, context, guidance=w, **asked)[0].clip for w in (0, 1))
    assert relative_peak_db(back, mixture) < (-80 if inversion == "ddpm" else -10)
    assert relative_peak_db(stem, mixture) > relative_peak_db(back, mixture) + 3


def test_a_stem_moves_to_where_its_words_lead(noise_clip, context):
    """The prompt sets the mean of the exact model's sounds, and the mixture's is about 0."""
    stems = separated(noise_clip(), context, stem=("b" * 10, "b" * 40), stems="generated")
    means = [output.clip.samples.mean() for output in stems]
    assert 0.0 < means[0] < means[1]


@pytest.mark.parametrize("inversion", ["ddpm", "ddim"])
@pytest.mark.parametrize("prompt", ["none", "others"])
def test_stems_of_a_batch_are_those_of_single_jobs(noise_clip, context, inversion, prompt):
    asked = {"stems": "generated", "inversion": inversion}
    together = separated(noise_clip(channels=2), context, inversion_prompt=prompt, **asked)
    for k, output in enumerate(together):
        told = prompt if prompt == "none" else TWO[1 - k]
        alone = separated(noise_clip(channels=2), context, stem=TWO[k], inversion_prompt=told, **asked)[0]
        assert relative_peak_db(output.clip, alone.clip) < -80


def test_inversion_prompts_condition_what_they_say(noise_clip, context, backbone):
    for prompt, keys in (("none", {"None"}), ("others", set()), ("a room", {"'a room'"})):
        backbone.keys.clear()
        separated(noise_clip(), context, inversion_prompt=prompt)
        assert backbone.keys == {"'bells'", "'dog barking'"} | keys


def test_amount_is_the_highlight_of_masked_stems_and_the_guidance_of_generated_ones(noise_clip, context):
    mixture = noise_clip(channels=2)
    whole, half = (separated(mixture, context, stems="both", amount=a) for a in (1.0, 0.5))
    np.testing.assert_allclose(half[0].clip.samples, 0.5 * (mixture.samples + whole[0].clip.samples), atol=1e-6)
    guided = separated(mixture, context, stems="generated", guidance=0.5)
    assert [output.role for output in half] == ["stem", "generated", "stem", "generated"]
    assert relative_peak_db(half[1].clip, guided[0].clip) < -80


def test_a_second_pass_separates_what_the_first_one_found(noise_clip, context):
    one, two = (separated(noise_clip(), context, passes=n, stems="generated")[0].clip for n in (1, 2))
    assert relative_peak_db(two, one) > -40


@pytest.mark.parametrize(("given", "warns"), [
    ({}, False), ({"guidance": 1.5}, True), ({"guidance": 1.5, "inversion_prompt": "others"}, False)])
def test_guidance_above_1_warns_where_the_inversion_had_no_words(noise_clip, context, given, warns):
    warnings = separated(noise_clip(), context, **given)[0].provenance["warnings"]
    assert len(warnings) == warns and all("above 1" in warning for warning in warnings)


def test_the_same_seed_gives_the_same_bytes_and_ddim_needs_none(noise_clip, context):
    def made(seed, inversion):
        return separated(noise_clip(), context, seed=seed, inversion=inversion)[0].clip.samples.tobytes()

    assert made(1, "ddpm") == made(1, "ddpm") != made(2, "ddpm")
    assert made(1, "ddim") == made(2, "ddim")


def test_cancel_stops_at_the_next_evaluation(noise_clip, context, backbone):
    def stop(progress):
        if progress.phase == "separating":
            raise JobCancelled("cancelled")

    object.__setattr__(context, "on_step", stop)
    with pytest.raises(JobCancelled):
        separated(noise_clip(), context)
    assert backbone.evaluations == 12


@pytest.mark.parametrize(("given", "message"), [
    ({"stem": ()}, "stem"), ({"stem": ["bells", " "]}, "without words"), ({"stem": ["a"] * 9}, "8"),
    ({"stem": "bells", "inversion_prompt": "others"}, "two stems"), ({"amount": 1.5}, "amount"), ({"passes": 0}, "passes"),
])
def test_what_makes_no_sense_is_refused(given, message):
    with pytest.raises(InvalidOption, match=message):
        options(**given)


def test_a_mixture_is_needed_and_must_sound(context):
    with pytest.raises(InvalidInput, match="mixture"):
        parse_options("separate", {"stem": "bells"}, frozenset())
    with pytest.raises(InvalidInput, match="silent"):
        separated(Clip(np.zeros((1, 4000)), 4000), context)
