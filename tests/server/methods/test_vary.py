# SPDX-License-Identifier: GPL-3.0-or-later
"""vary on a normal distribution, where what a shift does to the end of the trajectory is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption, JobCancelled
from server.kinds import parse_options
from server.kinds.vary import VARY
from server.methods import run
from server.methods.find_directions import moved_levels
from server.models.eigenvalues import EigenvalueTable
from server.sampling.step import coefficients

VARIANCE = 0.25  # of the backbone's data, in every direction


def options(**given):
    return parse_options("vary", {"steps": 12, "backbone": "gaussian", "directions": 2, "raw_level": True} | given)


def vary(clip: Clip, context, **given):
    """The variations, and the directions file, which there is where directions were searched."""
    outputs = run("vary", {"clip": clip}, options(**given), context)
    file = None if "from_directions" in context.files else outputs.pop()
    assert {output.role for output in outputs} == {"variation"} and (file is None or file.role == "directions")
    return outputs, file


def relative_db(a: Clip, b: Clip) -> float:
    return float(20 * np.log10(np.abs(a.samples - b.samples).max() / np.abs(b.samples).max() + 1e-12))


def posterior_variance(levels, i: int) -> float:
    alpha, sigma = float(levels.alpha[i]), float(levels.sigma[i])
    return VARIANCE * sigma**2 / (alpha**2 * VARIANCE + sigma**2)


@pytest.mark.parametrize("given", [{}, {"per_step": True}, {"prompt": "bells"}, {"select": "0.2:0.5"}])
@pytest.mark.parametrize(("channels", "sample_rate"), [(1, 4000), (2, 8000)])
def test_gamma_0_gives_the_clip_back(noise_clip, context, channels, sample_rate, given):
    clip = noise_clip(0.7, sample_rate, channels)
    (still, *more), _ = vary(clip, context, gamma=0, **given)
    assert (still.clip.sample_rate, still.clip.samples.shape) == (sample_rate, clip.samples.shape)
    assert len(more) == 1 and still.provenance["change"] < 1e-5
    if sample_rate == 4000:
        assert relative_db(still.clip, clip) < -90


@pytest.mark.parametrize("given", [
    {"range": "-20:5"}, {"per_step": True}, {"range": "-3:9", "prompt": "bells", "guidance": 1}, {}])
def test_a_variation_is_where_the_recursion_of_the_step_leads(noise_clip, context, backbone, given):
    """d_s = A d + B (J d + gamma sqrt(lambda) v), from 0, in float64; the file says what v is, the data what lambda is."""
    clip = noise_clip(0.5)
    (plus, minus, *_), file = vary(clip, context, gamma=1.5, **given)
    tensors = safetensors.torch.load(file.data)
    card = json.loads(_metadata(file.data)["athanor"])
    levels = backbone.levels(12, "even")
    default = "-16:0" if "per_step" in given else "-20:"
    moved = moved_levels(options(range=given.get("range", default)).range, levels)
    d = torch.zeros(tensors["vectors"].shape[2:], dtype=torch.float64)
    for i in range(moved[0], 12):
        step = coefficients(levels, i, "sde")
        variance = posterior_variance(levels, i)
        nearest = min(range(len(card["snr_db"])), key=lambda k: abs(card["snr_db"][k] - float(levels.snr_db[i])))
        v = tensors["vectors"][nearest, 0].double()
        gain = float(levels.alpha[i]) / float(levels.sigma[i]) ** 2 * variance
        d = step.A * d + step.B * (gain * d + (1.5 * variance**0.5 * v if i in moved else 0.0))
    expected = d.reshape(-1)[: clip.n_samples].numpy() * np.abs(clip.samples).max() / 0.5
    difference = plus.clip.samples[0] - clip.samples[0]
    # A range of more than six levels has its eigenvalues interpolated.
    assert np.abs(difference - expected).max() < (1e-3 if given else 3e-2) * np.abs(expected).max()
    np.testing.assert_allclose(minus.clip.samples[0] - clip.samples[0], -difference, atol=1e-5)


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]


def test_eigenvalues_are_the_posterior_s_and_cost_what_is_said(noise_clip, context, backbone):
    (first, *_), _ = vary(noise_clip(0.5), context, at=-2)
    made, levels = first.provenance, backbone.levels(12, "even")
    found = made["directions"]
    assert found["jacobian"] == "forward" and len(found["snr_db"]) == 6
    assert [found["found_at_db"][0]] == pytest.approx([float(levels.snr_db[levels.index_at_snr_db(-2.0)])], abs=1e-3)
    for snr_db, values in zip(found["snr_db"], found["eigenvalues"], strict=True):
        expected = posterior_variance(levels, levels.index_at_snr_db(snr_db))
        assert values == pytest.approx([expected] * 2, rel=1e-3)
    assert made["direction_evaluations"] == 2 * 2 * sum(found["iterations"])  # value and derivative, two directions
    # The backbone counts a derivative as one row.
    assert made["network_evaluations"] == backbone.evaluations + made["direction_evaluations"] // 2
    assert made["network_evaluations"] == made["inversion_evaluations"] + made["direction_evaluations"] + 4 * (
        12 - moved_levels((-20.0, 300.0), levels)[0])


def test_what_was_found_at_every_level_is_said_once(noise_clip, context):
    (first, *others), file = vary(noise_clip(0.5), context, per_step=True)
    lists = {"snr_db", "eigenvalues", "iterations", "angle", "found_at_db"}
    assert lists <= first.provenance["directions"].keys() and lists <= file.provenance["directions"].keys()
    for other in others:
        said = other.provenance["directions"]
        assert said == {key: value for key, value in first.provenance["directions"].items() if key not in lists}


def test_directions_of_a_file_cost_nothing_and_do_the_same(noise_clip, context, backbone, tmp_path):
    clip = noise_clip(0.5)
    before, file = vary(clip, context, at=-5)
    (tmp_path / "found.safetensors").write_bytes(file.data)
    backbone.rows.clear()
    again, _ = vary(clip, replace(context, files={"from_directions": tmp_path / "found.safetensors"}))
    for one, other in zip(before, again, strict=True):
        assert (one.name, one.clip.samples.tobytes()) == (other.name, other.clip.samples.tobytes())
    made = again[0].provenance
    assert (made["direction_evaluations"], made["inversion_evaluations"]) == (0, 0)  # the inversion is in the cache
    assert backbone.evaluations == made["network_evaluations"]
    fewer, _ = vary(clip, replace(context, files={"from_directions": tmp_path / "found.safetensors"}), directions=1)
    assert [output.name for output in fewer] == ["direction_1_plus", "direction_1_minus"]


def test_per_step_directions_of_a_file_keep_to_their_levels(noise_clip, context, tmp_path):
    clip = noise_clip(0.5)
    before, file = vary(clip, context, per_step=True, range="-9:3")
    (tmp_path / "found.safetensors").write_bytes(file.data)
    again, _ = vary(clip, replace(context, files={"from_directions": tmp_path / "found.safetensors"}))
    assert again[0].provenance["range_db"] == before[0].provenance["range_db"]
    assert relative_db(again[0].clip, before[0].clip) < -100


@pytest.mark.parametrize(("change", "says"), [
    ({"revision": "r2"}, "found on gaussian revision r1; the model here is gaussian revision r2"),
    ({"latent_hz": 80.0}, None),
])
def test_a_file_of_another_model_is_refused(noise_clip, context, backbone, tmp_path, change, says):
    clip = noise_clip(0.5)
    (tmp_path / "d.safetensors").write_bytes(vary(clip, context)[1].data)
    backbone.facts = replace(backbone.facts, **change)
    with_file = replace(context, files={"from_directions": tmp_path / "d.safetensors"})
    if says:
        with pytest.raises(InvalidInput, match=says):
            vary(clip, with_file)
    else:
        assert vary(clip, with_file)


def test_a_file_of_another_length_or_none_at_all_is_refused(noise_clip, context, tmp_path):
    file = tmp_path / "d.safetensors"
    with_file = replace(context, files={"from_directions": file})
    file.write_bytes(vary(noise_clip(0.5), context)[1].data)
    with pytest.raises(InvalidInput, match=r"0.50 s \(20 latent frames\); this clip has 0.75 s \(30\)"):
        vary(noise_clip(0.75), with_file)
    with pytest.raises(InvalidOption, match="combine has 3 weights; the file holds 2 directions"):
        vary(noise_clip(0.5), with_file, combine="1,1,1")
    tensors = safetensors.torch.load(vary(noise_clip(0.5), context)[1].data)
    card = json.loads(_metadata(vary(noise_clip(0.5), context)[1].data)["athanor"])
    longer = card | {"latent_shape": [1, 30]}
    bad = [(tensors, "[]"), (tensors, json.dumps({"format": card["format"]})), (tensors, json.dumps(longer)),
           (tensors, json.dumps(card | {"curve_db": [0.0]})), (tensors, json.dumps(card | {"snr_db": []})),
           (tensors | {"vectors": torch.full_like(tensors["vectors"], torch.nan)}, json.dumps(card)),
           (tensors | {"eigenvalues": tensors["eigenvalues"][:, :1].contiguous()}, json.dumps(card))]
    forged = [safetensors.torch.save(kept, metadata={"athanor": text}) for kept, text in bad]
    for content in (b"no file", safetensors.torch.save({"v": torch.zeros(1)}), *forged):
        file.write_bytes(content)
        with pytest.raises(InvalidInput, match="not a directions file"):
            vary(noise_clip(0.5), with_file)


def test_a_mixture_of_directions_is_one_direction(noise_clip, context):
    clip = noise_clip(0.5)
    (a, _, b, _), _ = vary(clip, context)
    (mixed,), _ = vary(clip, context, combine="1,-0.5", sign="plus")
    assert mixed.name == "mixed_plus" and mixed.provenance["weights"] == [2.0, -1.0]
    expected = (a.clip.samples - clip.samples) - 0.5 * (b.clip.samples - clip.samples)
    np.testing.assert_allclose(mixed.clip.samples - clip.samples, expected, atol=1e-5)


def test_names_say_direction_sign_and_gamma(noise_clip, context):
    names = [output.name for output in vary(noise_clip(0.5), context, gamma="1,2.5", directions=1)[0]]
    assert names == ["direction_1_plus_1", "direction_1_minus_1", "direction_1_plus_2.5", "direction_1_minus_2.5"]


def test_a_selection_is_all_that_changes(noise_clip, context):
    clip = noise_clip(1.0)
    variations, file = vary(clip, context, select="0.25:0.5")
    vectors = safetensors.torch.load(file.data)["vectors"][0, :, 0]  # [n, frames, HOP]
    assert not vectors[:, :10].any() and not vectors[:, 20:].any() and vectors[:, 10:20].any()
    for output in variations:
        changed = output.clip.samples != clip.samples
        assert not changed[:, :1000].any() and not changed[:, 2000:].any() and changed[:, 1200:1800].any()
        assert output.provenance["leakage"] < 1e-5  # this model's frames know nothing of each other
        assert output.provenance["directions"]["scale"] == "clip"


def test_both_channels_of_a_clip_move_alike(noise_clip, context, backbone):
    clip = noise_clip(0.5, channels=2)
    variations, file = vary(clip, context)
    assert safetensors.torch.load(file.data)["vectors"].shape == (1, 2, 1, 20, 100)
    difference = variations[0].clip.samples - clip.samples
    np.testing.assert_allclose(difference[0], difference[1], atol=1e-6)
    assert backbone.evaluations % 2 == 0


def test_a_table_takes_the_place_of_the_clip_s_own_eigenvalues(noise_clip, context, backbone, tmp_path):
    clip = noise_clip(0.5)
    table = EigenvalueTable("gaussian", "r1", 3, 0.5, (-30.0, 30.0), ((0.09, 0.01), (0.09, 0.01)))
    path = tmp_path / "table.json"
    path.write_text(table.to_json())
    with_table = replace(context, files={"eigenvalues": path})
    wide, _ = vary(clip, with_table)
    found = wide[0].provenance["directions"]
    assert found["scale"] == "table" and len(found["snr_db"]) == 1
    steps = [np.abs(output.clip.samples - clip.samples).max() for output in (wide[0], wide[2])]
    vectors = safetensors.torch.load(vary(clip, with_table)[1].data)["vectors"][0]
    lengths = [float(v.abs().max()) for v in vectors]
    assert steps[0] / steps[1] == pytest.approx(3.0 * lengths[0] / lengths[1], rel=1e-3)
    each, _ = vary(clip, with_table, per_step=True, scale="table")
    assert each[0].provenance["directions"]["scale"] == "table" and len(each[0].provenance["directions"]["snr_db"]) > 1
    with pytest.raises(InvalidOption, match="holds 2 for each level; 3 directions are wanted"):
        vary(clip, with_table, directions=3)
    with pytest.raises(InvalidOption, match="scale=table needs a table of gaussian's eigenvalues; none ships for it"):
        vary(clip, context, scale="table")
    path.write_text(replace(table, revision="r2").to_json())
    with pytest.raises(InvalidInput, match="measured on gaussian revision r2"):
        vary(clip, with_table)
    path.write_text("[]")
    with pytest.raises(InvalidInput, match="no table of"):
        vary(clip, with_table)


def test_progress_counts_up_and_cancel_stops_the_search(noise_clip, context, steps):
    vary(noise_clip(0.5), context)
    counts = [step.step for step in steps]
    assert counts == sorted(counts) and steps[-1].step == steps[-1].n_steps
    assert {step.phase for step in steps} == {"encoding", "inverting", "finding directions", "varying", "decoding"}

    def stop(progress):
        if progress.phase == "finding directions":
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        vary(noise_clip(0.5, seed=1), replace(context, on_step=stop))


@pytest.mark.parametrize(("given", "says"), [
    ({"at": -3, "per_step": True}, "at and per_step each say where"),
    ({"gamma": -1}, "sign says which way"), ({"gamma": "2,1,2"}, "a gamma comes twice"),
    ({"gamma": 1e30}, "from 0 to 100"), ({"combine": "1,-1e30"}, "from -100 to 100"),
    ({"gamma": "1,2,3,4,5", "directions": 8}, "at most 64 results"),
    ({"range": "5:-5"}, "LOW:HIGH"), ({"range": "5"}, "range="), ({"directions": 9}, "less than or equal to 8"),
])
def test_options_that_do_not_fit_are_refused(given, says):
    with pytest.raises(InvalidOption, match=says):
        parse_options("vary", given)


@pytest.mark.parametrize(("given", "roles", "says"), [
    ({"at": -3}, {"clip", "from_directions"}, "at says how directions are found"),
    ({}, {"clip", "from_directions", "eigenvalues"}, "eigenvalues says how"),
    ({"scale": "clip"}, {"clip", "eigenvalues"}, "leave one of them out"),
])
def test_files_that_do_not_fit_the_options_are_refused(given, roles, says):
    with pytest.raises(InvalidOption, match=says):
        VARY.parse(given, frozenset(roles))


def test_a_range_may_be_open():
    assert options(range="-20:").range == (-20.0, 300.0) and options(range=":0").range == (-300.0, 0.0)
    assert options(range="").range is None and options(range=[-3, 4]).range == (-3.0, 4.0)
