# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, true_peak_dbfs
from server.errors import InvalidInput, InvalidOption, JobCancelled, ModelUnavailable
from server.kinds import parse_options
from server.methods import run
from server.models.base import FusionWindow


def options(**given):
    return parse_options("fuse", {"steps": 20, "backbone": "gaussian", "seed": 3} | given)


def relative_peak_db(a: Clip, b: Clip) -> float:
    difference = np.abs(a.samples - b.samples).max() + 1e-12
    return float(20 * np.log10(difference / np.abs(b.samples).max()))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [4000, 44100])
def test_the_result_has_the_original_s_rate_channels_and_length(noise_clip, context, channels, sample_rate):
    original = noise_clip(0.7313, sample_rate, channels)
    fused = run("fuse", {"original": original, "reference": noise_clip(0.3, 22050, 2, seed=1)}, options(), context)[0].clip
    assert (fused.sample_rate, fused.samples.shape) == (sample_rate, original.samples.shape)
    assert true_peak_dbfs(fused) <= -1.0


def test_a_sweep_costs_what_it_says_and_each_branch_equals_its_own_render(noise_clip, context, backbone):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    at_step = (180, 160, 140, 120, 80)
    asked = {"steps": 200, "reference": "prompt", "prompt": "bells", "raw_level": True}
    together = run("fuse", clips, options(at_step=at_step, **asked), context)
    assert backbone.evaluations == 920
    backbone.rows.clear()
    alone = [run("fuse", clips, options(at_step=t, **asked), context)[0] for t in at_step]
    assert backbone.evaluations == 1320
    for one, other in zip(together, alone, strict=True):
        assert relative_peak_db(one.clip, other.clip) < -80
    assert [output.provenance["at_step"] for output in together] == list(at_step)


@pytest.mark.parametrize("solver", ["sde", "ode"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_reference_s_own_trajectory_leads_back_to_it(noise_clip, context, solver, order):
    """Where the original is the reference and noised alike, nothing intervenes: the clip comes back."""
    clip = noise_clip(seed=4)
    asked = options(solver=solver, order=order, inversion="shared_noise", snr_db=-6, raw_level=True)
    fused = run("fuse", {"original": clip, "reference": clip}, asked, context)[0].clip
    assert relative_peak_db(fused, clip) < -80


def test_the_inverted_reference_is_evaluated_only_where_it_is_used(noise_clip, context, backbone):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    fused = run("fuse", clips, options(at_step=5), context)[0]
    assert backbone.evaluations == (5 + 1 + 2) + 5 == fused.provenance["network_evaluations"]


@pytest.mark.parametrize(("given", "keys"), [
    ({}, {"None"}), ({"prompt": "bells"}, {"'bells'"}),
    ({"prompt": "bells", "reference": "prompt"}, {"'bells'", "None"}),
])
def test_a_prompt_conditions_what_it_says(noise_clip, context, backbone, given, keys):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    run("fuse", clips, options(**given), context)
    assert backbone.keys == keys


def test_the_paper_s_intervention_is_the_linear_term_alone(noise_clip, context, backbone):
    """One step before the end the answer is A x_inverted + B x0hat(reference) + S z: affine in the original with gain A."""
    louder = noise_clip(seed=1)
    softer = replace(louder, samples=louder.samples * np.float32(0.5))
    loudest = 3 * noise_clip(seed=9).samples  # sets the peak, and so the gain, of both
    clips = [{"original": replace(c, samples=np.concatenate([loudest, c.samples], axis=1)),
              "reference": noise_clip(seed=2)} for c in (louder, softer)]
    asked = options(reference="prompt", prompt="bells", at_step=0, raw_level=True, schedule="model")
    results = [run("fuse", c, asked, context)[0].clip for c in clips]
    levels = backbone.levels(20)
    gain = float(levels.sigma[20] / levels.sigma[19] * (levels.lam[19] - levels.lam[20]).exp())
    tail = slice(louder.n_samples, None)
    difference = results[0].samples[:, tail] - results[1].samples[:, tail]
    expected = gain * float(levels.alpha[19]) * (louder.samples - softer.samples)
    np.testing.assert_allclose(difference, expected, atol=2e-6)


@pytest.mark.parametrize("given", [
    {"inject": "state"}, {"history": "reset", "order": 3}, {"inversion": "literal"}, {"schedule": "model"},
    {"inversion": "forward"}, {"inversion": "noisy"}, {"inversion": "noisy_single"}, {"solver": "ode", "form": "phi"},
    {"reference": "none"},
    {"order": 3, "form": "published"}, {"sweep": 3}, {"snr_db": (-20, 0)},
])
def test_every_option_renders_something_else_than_the_default(noise_clip, context, given):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    default = run("fuse", clips, options(snr_db=-6), context)[0].clip
    given = given if {"sweep", "snr_db"} & given.keys() else {"snr_db": -6} | given
    outputs = run("fuse", clips, options(**given), context)
    assert len(outputs) == (3 if "sweep" in given else 2 if given["snr_db"] == (-20, 0) else 1)
    assert np.isfinite(outputs[0].clip.samples).all()
    assert relative_peak_db(outputs[0].clip, default) > -60


def test_the_same_seed_gives_the_same_bytes_and_an_unset_one_comes_from_the_job(noise_clip, context):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    first, again, other = (run("fuse", clips, options(seed=s), context)[0] for s in ("", "", 5))
    assert first.clip.samples.tobytes() == again.clip.samples.tobytes() != other.clip.samples.tobytes()
    assert first.provenance["seed"] == context.seed(None)


def test_balance_finds_the_crossing_in_at_most_eight_renders(noise_clip, context):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(0.5, seed=2)}
    outputs = run("fuse", clips, options(balance="auto"), context)
    record = outputs[0].provenance["balance"]
    assert len(outputs) == 1 and 2 <= record["renders"] == len(record["curve"]) <= 8
    if not record["crossing"]:
        assert len(record["curve"]) == 2


def test_sweep_balance_and_the_usual_level_keep_to_the_model_s_window(noise_clip, context, backbone):
    backbone.facts = replace(backbone.facts, fusion=FusionWindow(-6.0, 14.0, 2.0))
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}

    def levels(**given) -> list[float]:
        return [output.provenance["snr_db"] for output in run("fuse", clips, options(steps=100, **given), context)]

    assert levels(sweep=3) == pytest.approx([-6.0, 4.0, 14.0], abs=0.5)
    assert levels() == pytest.approx([2.0], abs=0.5)
    searched = run("fuse", clips, options(steps=100, balance="auto"), context)[0].provenance["balance"]["curve"]
    assert [searched[0][0], searched[-1][0]] == pytest.approx([-6.0, 14.0], abs=0.5)


def test_progress_counts_up_to_what_was_planned(noise_clip, context, steps):
    clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
    run("fuse", clips, options(sweep=4), context)
    counts = [step.step for step in steps]
    assert counts == sorted(counts) and steps[-1].step == steps[-1].n_steps
    assert {step.phase for step in steps} == {"encoding", "following the reference", "fusing", "decoding"}


def test_cancel_stops_at_the_next_evaluation(noise_clip, context, backbone):
    def stop_at_third(progress):
        if progress.step >= 12:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        run("fuse", {"original": noise_clip(), "reference": noise_clip(seed=1)}, options(reference="none", at_step=0),
            replace(context, on_step=stop_at_third))
    assert backbone.evaluations == 12


@pytest.mark.parametrize(("clip", "says"), [
    (Clip(np.zeros((1, 4000)), 4000), "silent"),
    (Clip(np.ones((1, 1)), 4000), "1 sample"),
    (Clip(np.ones((1, 4000 * 601)), 4000), "601.00 s long; gaussian renders up to 600.00 s"),
])
@pytest.mark.parametrize("role", ["original", "reference"])
def test_a_clip_that_cannot_be_used_is_named(noise_clip, context, backbone, clip, says, role):
    with pytest.raises(InvalidInput, match=f"(?i)the {role}.*{says}"):
        run("fuse", {"original": noise_clip(), "reference": noise_clip()} | {role: clip}, options(), context)
    assert backbone.evaluations == 0


def test_a_step_outside_the_schedule_is_refused(noise_clip, context):
    with pytest.raises(InvalidOption, match="at_step=20 is not a whole number from 0 to 19"):
        run("fuse", {"original": noise_clip(), "reference": noise_clip()}, options(at_step=20), context)


class TestWithALearnedReference:
    def learn(self, context, noise_clip, full=False) -> None:
        given = {"prompt": "bells", "name": "bells", "learn_steps": 30, "rank": 4, "full": full, "backbone": "gaussian"}
        adapter, _ = run("learn", {"clip": noise_clip(seed=2)}, parse_options("learn", given), context)
        (context.palette_dir / "bells.safetensors").write_bytes(adapter.data)

    @pytest.mark.parametrize("full", [False, True])
    def test_it_leads_and_leaves_the_network_as_it_was(self, noise_clip, context, backbone, full):
        pristine = {name: w.clone() for name, w in backbone.network.state_dict().items()}
        self.learn(context, noise_clip, full)
        clips = {"original": noise_clip(seed=1), "reference": noise_clip(seed=2)}
        asked = {"reference": "learn", "adapter": "bells", "prompt": "bells"}
        kept, dropped = (run("fuse", clips, options(**asked, adapter_after=after), context)[0].clip
                         for after in ("keep", "drop"))
        plain = run("fuse", clips, options(reference="prompt", prompt="bells"), context)[0].clip
        assert relative_peak_db(kept, plain) > -60 and relative_peak_db(kept, dropped) > -80
        after = backbone.network.state_dict()
        assert after.keys() == pristine.keys() and all((after[k] == w).all() for k, w in pristine.items())

    def test_of_another_revision_is_refused(self, noise_clip, context, backbone):
        self.learn(context, noise_clip)
        backbone.facts = replace(backbone.facts, revision="r2")
        with pytest.raises(ModelUnavailable, match="learned on gaussian revision r1"):
            run("fuse", {"original": noise_clip()}, options(reference="learn", adapter="bells", prompt="bells"), context)

    def test_that_does_not_exist_is_named(self, noise_clip, context):
        with pytest.raises(InvalidInput, match="no entry 'gongs'; there is: it is empty"):
            run("fuse", {"original": noise_clip()}, options(reference="learn", adapter="gongs", prompt="bells"), context)

    def test_a_file_that_is_no_entry_is_named(self, noise_clip, context, tmp_path: Path):
        import safetensors.torch
        import torch

        safetensors.torch.save_file({"w": torch.zeros(1)}, tmp_path / "gongs.safetensors")
        with pytest.raises(InvalidInput, match="not a palette entry"):
            run("fuse", {"original": noise_clip()}, options(reference="learn", adapter="gongs", prompt="bells"), context)
