# SPDX-License-Identifier: GPL-3.0-or-later
"""restore on a backbone whose latents are samples and whose prior is normal, and through tiny real classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption
from server.kinds import parse_options
from server.methods import run
from server.methods.consistency import filtered, low_pass
from server.methods.room import parametric
from server.models import tiny
from server.models.loading import load

TASKS = {
    "inpaint": {"gap": "0.4:0.6"},
    "super_resolution": {"cutoff_hz": 900},
    "dereverb": {"rt60": 0.2},
    "phase_retrieval": {},
    "denoise": {},
    "declip": {"clip_level": 0.1},
}


def restore(context, clip, task, roles=(), **options):
    clips = {"clip": clip, **dict(roles)}
    given = {"task": task, "steps": 6, "seed": 1} | options
    return run("restore", clips, parse_options("restore", given, frozenset(clips)), context)


@pytest.mark.parametrize("task", TASKS)
def test_a_clip_comes_back_as_it_went(context, noise_clip, task):
    clip = noise_clip(sample_rate=8000, channels=2)
    (output,) = restore(context, clip, task, **TASKS[task])
    assert output.role == "restored"
    assert (output.clip.samples.shape, output.clip.sample_rate) == (clip.samples.shape, 8000)
    assert np.isfinite(output.clip.samples).all() and output.clip.samples.any()
    assert output.provenance["bandwidth_hz"] == 2000
    again = restore(context, clip, task, **TASKS[task])[0].clip
    np.testing.assert_array_equal(output.clip.samples, again.samples)


def test_what_is_known_stays_as_it_was(context, noise_clip):
    clip = noise_clip(channels=2)
    filled = restore(context, clip, "inpaint", gap="0.4:0.6")[0].clip.samples
    np.testing.assert_array_equal(filled[:, :1600], clip.samples[:, :1600])
    np.testing.assert_array_equal(filled[:, 2400:], clip.samples[:, 2400:])
    assert np.abs(filled[:, 1600:2400] - clip.samples[:, 1600:2400]).max() > 0.01

    declipped = restore(context, replace(clip, samples=clip.samples.clip(-0.1, 0.1)), "declip")[0]
    whole = np.abs(clip.samples) < 0.0999
    np.testing.assert_array_equal(declipped.clip.samples[whole], clip.samples[whole])
    assert np.abs(declipped.clip.samples[~whole]).min() >= 0.0999
    assert declipped.provenance["clip_level"] == pytest.approx(0.1)


def test_of_a_long_clip_only_what_is_around_the_gaps_is_rendered(context, backbone, noise_clip):
    clip = noise_clip(seconds=30.0)
    clip.samples[:, 80000:] = 0.0
    (output,) = restore(context, clip, "inpaint", gap=("2:2.2", "12:12.5", "26:27"))
    assert output.provenance["stretches_s"] == [[0.0, 5.2], [9.0, 15.5]]
    assert output.provenance["network_evaluations"] == backbone.evaluations
    assert output.provenance["options"]["gap"] == [[2.0, 2.2], [12.0, 12.5], [26.0, 27.0]]
    made = output.clip.samples
    inside = np.zeros(clip.n_samples, bool)
    inside[8000:8800] = inside[48000:50000] = True
    np.testing.assert_array_equal(made[:, ~inside], clip.samples[:, ~inside])
    assert (made[:, inside] != clip.samples[:, inside]).mean() > 0.99


def test_progress_over_several_gaps_counts_up_once(context, noise_clip):
    seen = []
    restore(replace(context, on_step=seen.append), noise_clip(seconds=30.0), "inpaint", gap=("2:2.2", "12:12.5"))
    shares = [progress.step / max(1, progress.n_steps) for progress in seen]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert sum(0.4 < share < 0.6 for share in shares) > 1


def test_a_band_that_the_model_does_not_reach_is_refused(context, noise_clip):
    with pytest.raises(InvalidOption, match="trusted up to 2500 Hz, and .* up to 2000 Hz: it has nothing to add"):
        restore(context, noise_clip(sample_rate=8000), "super_resolution", cutoff_hz=2500)


def test_a_cutoff_is_found_where_none_is_given(context, noise_clip):
    clip = noise_clip(seconds=2.0)
    narrow = replace(clip, samples=filtered(clip.samples, low_pass(900.0, 1000.0, 4000)))
    (output,) = restore(context, narrow, "super_resolution")
    assert output.provenance["cutoff_hz"] == pytest.approx(970, abs=40)


def test_a_known_room_is_undone(context, noise_clip):
    clip = noise_clip()
    response = parametric(0.1, 4000, seed=3, direct_db=6.0)
    wet = replace(clip, samples=np.convolve(clip.samples[0], response)[None, :4000])
    dry = restore(context, wet, "dereverb", {"room": Clip(response[None], 4000)})[0].clip
    assert np.square(dry.samples - clip.samples).sum() < 0.02 * np.square(wet.samples - clip.samples).sum()


def test_magnitudes_come_from_a_file(context, noise_clip, tmp_path):
    clip = noise_clip()
    given = torch.stft(torch.from_numpy(clip.samples), 256, 64, window=torch.hann_window(256), pad_mode="constant",
                       return_complex=True).abs().numpy()
    np.save(tmp_path / "spectrum.npy", given)
    found = replace(context, files={"magnitude": tmp_path / "spectrum.npy"})
    other = noise_clip(seed=9)  # it gives rate and length alone
    (output,) = restore(found, other, "phase_retrieval")
    made = torch.stft(torch.from_numpy(output.clip.samples), 256, 64, window=torch.hann_window(256), pad_mode="constant",
                      return_complex=True).abs().numpy()
    error_db = 20 * np.log10(np.linalg.norm(made - given) / np.linalg.norm(given))
    assert error_db == pytest.approx(output.provenance["magnitude_error_db"], abs=0.1) and error_db < -15
    (tmp_path / "bad.npy").write_bytes(b"no numpy")
    with pytest.raises(InvalidInput, match="cannot be read"):
        restore(replace(context, files={"magnitude": tmp_path / "bad.npy"}), other, "phase_retrieval")


def test_stems_sum_to_the_clip_and_need_words(context, noise_clip):
    clip = noise_clip(channels=2)
    outputs = restore(context, clip, "separate", stem=("a cello", "rain"))
    assert [output.role for output in outputs] == ["stem", "stem", "residual"]
    assert [output.provenance["stem"] for output in outputs[:2]] == ["a cello", "rain"]
    np.testing.assert_allclose(sum(output.clip.samples for output in outputs), clip.samples, atol=1e-6)


def test_sources_begin_with_the_noise_that_the_clip_comes_from(context, noise_clip):
    """Without words and measurement nothing tells one from the other then; noise of their own does."""
    asked = {"stem": ("a cello", "rain"), "rate": 0, "guidance": 0}
    one, other, _ = (output.clip.samples for output in restore(context, noise_clip(), "separate", **asked))
    np.testing.assert_allclose(one, other, atol=1e-6)
    one, other, _ = (output.clip.samples for output in restore(context, noise_clip(), "separate", begin="noise", **asked))
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


@pytest.mark.parametrize("algorithm", ["irs", "dps"])
def test_the_measurement_leads(context, noise_clip, algorithm):
    """Without the mel, T is the identity on these latents, whose prior knows nothing of this clip."""
    given = {"algorithm": algorithm, "vmc": False, "begin": "noise", "steps": 30, "clip_level": 0.19}
    led, alone = (restore(context, noise_clip(), "declip", rate=rate, **given)[0].provenance["distance"]["last"]
                  for rate in (1, 0))
    assert led < 0.8 * alone


@pytest.mark.parametrize(("options", "evaluations"), [
    ({}, 20), ({"prompt": "rain"}, 40), ({"prompt": "rain", "guidance": 1}, 20), ({"algorithm": "dsg"}, 20),
    ({"stem": ("a", "b"), "task": "separate", "guidance": 1}, 40),
    ({"stem": ("a", "b"), "task": "separate", "begin": "clip"}, 60),  # one inversion for both
])
def test_there_is_no_guidance_without_words(context, backbone, noise_clip, options, evaluations):
    given = {"task": "inpaint", "gap": "0.4:0.6"} if "task" not in options else {}
    restore(context, noise_clip(), **given | {"begin": "noise", "steps": 20} | options)
    assert backbone.evaluations == evaluations


def test_what_has_no_meaning_is_refused(context, noise_clip):
    with pytest.raises(InvalidOption, match="strength=0.5 has no meaning for task=inpaint"):
        restore(context, noise_clip(), "inpaint", gap="0.4:0.6", strength=0.5)
    with pytest.raises(InvalidOption, match="holds nothing of the clip"):
        restore(context, noise_clip(), "inpaint", gap="4:5")


@pytest.mark.parametrize("algorithm", ["irs", "dps", "dsg"])
def test_real_classes_are_led_through_their_decoder(context, tmp_path, noise_clip, algorithm):
    real = load(str(tiny.build("audioldm", tmp_path / "tiny")))
    outputs = restore(replace(context, backbone=lambda name: real), noise_clip(0.3, 16000), "denoise", algorithm=algorithm)
    assert np.isfinite(outputs[0].clip.samples).all()
