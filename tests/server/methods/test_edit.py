# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.audio import Clip, loudness_lkfs, true_peak_dbfs
from server.errors import InvalidOption, JobCancelled
from server.kinds import parse_options
from server.methods import run
from server.methods.edit import start_level
from server.sampling.levels import (
    levels_from_alphas_cumprod,
    levels_from_edm_sigmas,
    log_linear_edm_sigmas,
    scaled_linear_alphas_cumprod,
)


def options(**given):
    return parse_options("edit", {"steps": 20, "backbone": "gaussian", "to": ["bells"], "raw_level": True} | given)


def edit(clip, context, **given):
    return run("edit", {"clip": clip}, options(**given), context)


def relative_peak_db(a: Clip, b: Clip) -> float:
    difference = np.abs(a.samples - b.samples).max() + 1e-12
    return float(20 * np.log10(difference / np.abs(b.samples).max()))


@pytest.mark.parametrize("method", ["ddpm", "ddim", "sdedit"])
@pytest.mark.parametrize(("channels", "sample_rate"), [(1, 4000), (2, 44100)])
def test_the_result_has_the_clip_s_rate_channels_and_length(noise_clip, context, channels, sample_rate, method):
    clip = noise_clip(0.7313, sample_rate, channels)
    edited = edit(clip, context, method=method)[0].clip
    assert (edited.sample_rate, edited.samples.shape) == (sample_rate, clip.samples.shape)
    assert np.isfinite(edited.samples).all() and relative_peak_db(edited, clip) > -60


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("strength", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("schedule", ["even", "model"])
def test_the_same_words_and_guidance_give_the_clip_back(noise_clip, context, order, strength, schedule):
    clip = noise_clip(seed=4)
    same = {"from": "bells", "guidance_source": 3, "guidance_target": 3, "order": order, "schedule": schedule}
    assert relative_peak_db(edit(clip, context, strength=strength, **same)[0].clip, clip) < -80


def test_ddim_gives_the_clip_back_the_better_the_more_steps(noise_clip, context):
    clip = noise_clip(seed=4)
    same = {"from": "bells", "guidance_source": 1, "guidance_target": 1, "method": "ddim"}
    errors = [relative_peak_db(edit(clip, context, steps=steps, **same)[0].clip, clip) for steps in (25, 50, 200)]
    assert errors[0] - 4 > errors[1] and errors[1] - 8 > errors[2] and errors[2] < -26


def test_without_the_last_noise_the_clip_comes_back_nearly(noise_clip, context):
    clip = noise_clip(seed=4)
    same = {"from": "bells", "guidance_target": 3, "schedule": "model", "steps": 200}
    left_out = relative_peak_db(edit(clip, context, keep_last=False, **same)[0].clip, clip)
    assert -40 < left_out < -5


def test_targets_share_one_inversion_and_go_in_one_batch(noise_clip, context, backbone):
    clip = noise_clip(channels=2, seed=1)
    outputs = edit(clip, context, to=["bells", "a drum", "wind", "rain"], **{"from": "hum"})
    steps = outputs[0].provenance["at_step"]
    # Two channels, two sides of the guidance: all levels of the inversion, 32 rows at a time, then four targets a step.
    assert backbone.rows == [32, 4 * steps - 32] + [16] * steps
    assert [output.provenance["to"] for output in outputs] == ["bells", "a drum", "wind", "rain"]
    for output in outputs:
        assert (output.provenance["inversion_evaluations"], output.provenance["network_evaluations"]) == (
            2 * steps, 2 * steps + 4 * 2 * steps)
    alone = edit(clip, context, to=["wind"], **{"from": "hum"})[0].clip
    assert relative_peak_db(alone, outputs[2].clip) < -80


def test_a_later_edit_of_the_same_clip_inverts_nothing(noise_clip, context, backbone, steps):
    clip = noise_clip(seed=1)
    first = edit(clip, context, **{"from": "hum"})[0]
    steps.clear()
    backbone.rows.clear()
    later = edit(clip, context, to=["wind"], order=2, strength=0.3, **{"from": "hum"})[0]
    assert later.provenance["inversion_evaluations"] == 0 and first.provenance["inversion_evaluations"] > 0
    assert backbone.rows == [2] * later.provenance["at_step"]
    assert {step.phase for step in steps} == {"editing", "decoding"}
    context = replace(context, cache=type(context.cache)())
    afresh = edit(clip, context, to=["wind"], order=2, strength=0.3, **{"from": "hum"})
    assert relative_peak_db(later.clip, afresh[0].clip) < -80


def test_a_stronger_edit_inverts_only_the_levels_that_are_missing(noise_clip, context):
    clip = noise_clip(seed=1)
    weak, strong = (edit(clip, context, strength=strength)[0] for strength in (0.3, 0.9))
    missing = strong.provenance["at_step"] - weak.provenance["at_step"]
    assert strong.provenance["inversion_evaluations"] == missing > 0
    afresh = edit(clip, replace(context, cache=type(context.cache)()), strength=0.9)[0]
    assert relative_peak_db(strong.clip, afresh.clip) < -80


@pytest.mark.parametrize("changed", [{"from": "noise"}, {"guidance_source": 2}, {"seed": 5}, {"steps": 30},
                                     {"schedule": "model"}])
def test_another_inversion_is_made_where_it_would_differ(noise_clip, context, changed):
    clip = noise_clip(seed=1)
    edit(clip, context, **{"from": "hum"})
    assert edit(clip, context, **{"from": "hum"} | changed)[0].provenance["inversion_evaluations"] > 0
    other = replace(context, digests={"clip": "2" * 64})
    assert edit(clip, other, **{"from": "hum"})[0].provenance["inversion_evaluations"] > 0


def test_an_unset_seed_is_the_clip_s_own_whatever_the_job(noise_clip, context):
    clip = noise_clip(seed=1)
    one, other = (edit(clip, replace(context, job_id=job))[0] for job in ("one", "other"))
    assert one.clip.samples.tobytes() == other.clip.samples.tobytes()


def test_ddim_s_inversion_is_kept_too(noise_clip, context):
    clip = noise_clip(seed=1)
    first, later = (edit(clip, context, to=[to], method="ddim")[0].provenance for to in ("bells", "wind"))
    assert first["inversion_evaluations"] == first["at_step"] and later["inversion_evaluations"] == 0


@pytest.mark.parametrize("method", ["ddpm", "ddim", "sdedit"])
def test_the_stronger_the_nearer_to_what_the_words_say(noise_clip, context, method):
    """The words set the mean of the Gaussian's data, 0.2 for these; the clip's own is 0."""
    clip = noise_clip(seed=1)
    to = "twenty letters long."
    asked = {"to": [to], "method": method, "guidance_target": 1, "raw_level": True}
    means = [edit(clip, context, strength=strength, **asked)[0].clip.samples.mean() for strength in (0.0, 0.5, 1.0)]
    gain = 0.5 / np.abs(clip.samples).max()
    assert abs(means[0] * gain) < 0.1 and means[0] < means[1] < means[2] and 0.1 < means[2] * gain < 0.3


def test_ddpm_keeps_more_of_the_clip_than_sdedit(noise_clip, context):
    clip = noise_clip(seed=1)
    likeness = {method: np.corrcoef(edit(clip, context, method=method)[0].clip.samples, clip.samples)[0, 1]
                for method in ("ddpm", "sdedit")}
    assert likeness["ddpm"] > 0.9 > likeness["sdedit"] + 0.1


class TestASelection:
    def test_outside_is_the_clip_itself_to_the_bit(self, noise_clip, context):
        clip = noise_clip(sample_rate=22050, channels=2, seed=1)
        edited = edit(clip, context, select="0.3:0.5,0.8:2")[0].clip
        changed = np.abs(edited.samples - clip.samples).max(axis=0) > 0
        at_s = np.arange(clip.n_samples) / clip.sample_rate
        inside = ((at_s >= 0.3) & (at_s < 0.5)) | (at_s >= 0.8)
        assert not changed[~inside].any() and changed[inside].mean() > 0.99

    @pytest.mark.parametrize("method", ["ddpm", "ddim", "sdedit"])
    def test_the_pull_back_leaks_less_than_none(self, noise_clip, context, method):
        clip = noise_clip(seed=1)
        none, paper, all_of_it = (
            edit(clip, context, select="0.3:0.5", pull_back=pull, method=method)[0].provenance["leakage"]
            for pull in (0.0, 0.025, 1.0))
        assert none > 0.1 and paper < 0.8 * none and all_of_it < 1e-4

    def test_without_one_nothing_is_said_of_leakage(self, noise_clip, context):
        assert "leakage" not in edit(noise_clip(), context)[0].provenance

    def test_behind_the_end_is_refused(self, noise_clip, context, backbone):
        with pytest.raises(InvalidOption, match="select=1:2 begins behind the end of the clip, at 1.000 s"):
            edit(noise_clip(), context, select="1:2")
        assert not backbone.rows


@pytest.mark.parametrize(("snr_db", "audioldm2", "stable_audio"), [
    (2.2, 40, 27), (-1.5, 60, 38), (-5.0, 80, 49), (-8.7, 100, 60), (-12.9, 120, 73), (-20.5, 150, 97),
])
def test_a_start_is_the_same_noise_on_every_model(snr_db, audioldm2, stable_audio):
    """T_start of the paper's AudioLDM2 and the steps that are as noisy on Stable Audio Open."""
    power = scaled_linear_alphas_cumprod(0.0015, 0.0195)
    for levels, t_start in ((levels_from_alphas_cumprod(power, 200), audioldm2),
                            (levels_from_edm_sigmas(log_linear_edm_sigmas(200)), stable_audio)):
        assert abs(200 - start_level(levels, options(snr_db=snr_db, steps=200)) - t_start) <= 1


def test_strength_is_counted_in_db_and_the_usual_one_is_the_paper_s(noise_clip, context):
    levels = levels_from_alphas_cumprod(scaled_linear_alphas_cumprod(0.0015, 0.0195), 200)
    starts = [float(levels.snr_db[start_level(levels, options(strength=strength))]) for strength in (0.0, 0.5, 1.0, "")]
    assert starts == pytest.approx([10.0, -5.0, -20.0, -8.0], abs=0.2)


def test_guidance_follows_the_model_where_it_is_not_set(noise_clip, context):
    clip = noise_clip()
    asked = [edit(clip, context, **given)[0].provenance["guidance_target"]
             for given in ({}, {"method": "sdedit"}, {"method": "ddim"}, {"guidance_target": 7})]
    assert asked == [12.0, 12.0, 5.0, 7.0]


@pytest.mark.parametrize("method", ["ddpm", "ddim", "sdedit"])
def test_progress_counts_up_to_what_was_planned(noise_clip, context, steps, method):
    edit(noise_clip(seed=1), context, to=["bells", "wind"], method=method)
    counts = [step.step for step in steps]
    assert counts == sorted(counts) and steps[-1].step == steps[-1].n_steps == steps[0].n_steps
    assert {step.phase for step in steps} >= {"encoding", "editing", "decoding"}


def test_cancel_stops_at_the_next_evaluation(noise_clip, context, backbone):
    def stop(progress):
        if progress.phase == "editing" and progress.step >= 20:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        edit(noise_clip(), replace(context, on_step=stop))
    assert 20 <= backbone.evaluations < 23


def test_a_loud_clip_keeps_its_peak_and_no_result_passes_it(noise_clip, context):
    loud = noise_clip(seed=1)
    loud = replace(loud, samples=loud.samples * np.float32(0.99 / np.abs(loud.samples).max()))
    same = {"from": "bells", "guidance_target": 3}
    assert relative_peak_db(edit(loud, context, **same)[0].clip, loud) < -60
    edited = edit(loud, context, to=["x" * 400], guidance_target=1, strength=1, raw_level=False)[0].clip
    assert true_peak_dbfs(edited) <= true_peak_dbfs(loud) + 0.01


def test_the_result_is_as_loud_as_the_clip_unless_the_model_s_level_is_asked_for(noise_clip, context):
    clip = noise_clip(seed=1)
    levels = [loudness_lkfs(edit(clip, context, method="sdedit", raw_level=raw)[0].clip) for raw in (False, True)]
    assert abs(levels[0] - loudness_lkfs(clip)) < 0.2 < abs(levels[1] - loudness_lkfs(clip))


@pytest.mark.parametrize(("given", "says"), [
    ({"strength": 0.5, "snr_db": -3}, "strength and snr_db both say where the edit begins; give one of them"),
    ({"method": "ddim", "order": 2}, "ddim inverts steps of order 1"),
    ({"to": [" "]}, "a target without words"),
    ({"to": []}, "to=.*at least 1"),
    ({"strength": 2}, "strength=2.*less than or equal to 1"),
])
def test_what_does_not_fit_together_is_refused(given, says):
    with pytest.raises(InvalidOption, match=says):
        options(**given)


def test_a_clip_longer_than_the_model_s_window_comes_back_too(noise_clip, context):
    clip = noise_clip(23.0, channels=2, seed=2)
    same = {"from": "bells", "guidance_target": 3, "select": "3:12"}
    edited = edit(clip, context, **same)[0]
    assert relative_peak_db(edited.clip, clip) < -80 and edited.provenance["leakage"] < 1e-4
    assert relative_peak_db(edit(clip, context, **same | {"from": "", "guidance_target": 7})[0].clip, clip) > -60


@pytest.mark.parametrize(("given", "idle"), [
    ({"guidance_source": 5, "keep_last": False, "from": "noise", "select": "0.1:0.2", "pull_back": 0.1}, []),
    ({"guidance_source": 5}, ["guidance_source"]),
    ({"method": "sdedit", "from": "noise", "guidance_source": 5, "keep_last": False, "pull_back": 0.1},
     ["from", "guidance_source", "keep_last", "pull_back"]),
    ({"method": "ddim", "from": "noise", "guidance_source": 5, "keep_last": False}, ["keep_last"]),
])
def test_options_that_change_nothing_are_told(noise_clip, context, given, idle):
    said = edit(noise_clip(), context, **given)[0].provenance.get("idle", [])
    assert [words.split(" changes nothing: ")[0] for words in said] == idle
