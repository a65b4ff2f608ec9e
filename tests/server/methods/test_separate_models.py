# SPDX-License-Identifier: GPL-3.0-or-later
"""separate with real networks: what they are asked to take apart, they do; what they get, they give back as it came."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from server.audio import Clip, fold_mono, read_clip, resample
from server.measure.si_sdr import si_sdr_gain_db
from server.measure.studio import Studio
from server.models import tiny
from server.models.loading import load


def test_the_embedded_model_takes_two_recordings_apart_by_the_right_words_alone():
    sources = []
    for name in ("bowed_drone", "granular_metal"):
        clip = read_clip((files("presets") / "clips" / f"{name}.flac").read_bytes())
        samples = fold_mono(resample(clip, 32000)).samples[0, :40000]
        sources.append(0.1 * samples / np.sqrt((samples**2).mean()))
    mixture = Clip(np.sum(sources, axis=0)[None], 32000)
    words = ("a bowed drone", "a metal sheet")
    with Studio(load("embedded", device="cpu")) as studio:
        right, wrong = (studio("separate", {"mixture": mixture}, stem=said, steps=8) for said in (words, words[::-1]))
    gains = [[float(si_sdr_gain_db(output.clip.samples[0], mixture.samples[0], source))
              for output, source in zip(outputs, sources, strict=True)] for outputs in (right, wrong)]
    assert min(gains[0]) > 1.0 and max(gains[1]) < -1.0


@pytest.mark.parametrize("layout", ["stable_audio", "audioldm2"])
@pytest.mark.parametrize("inversion", ["ddpm", "ddim"])
def test_every_layout_gives_stereo_stems_that_sum_to_the_mixture(layout, inversion, tmp_path):
    mixture = Clip(0.1 * np.random.default_rng(0).normal(size=(2, 9001)), 22050)
    with Studio(load(str(tiny.build(layout, tmp_path / layout)), device="cpu")) as studio:
        outputs = studio("separate", {"mixture": mixture}, stem=("bells", "rain"), inversion=inversion, steps=3,
                         residual=True, seed=1)
    assert all(output.clip.samples.shape == (2, 9001) and output.clip.sample_rate == 22050 for output in outputs)
    np.testing.assert_allclose(np.sum([output.clip.samples for output in outputs], axis=0), mixture.samples, atol=1e-6)
    assert any(np.abs(output.clip.samples).max() > 1e-3 for output in outputs[:2])
