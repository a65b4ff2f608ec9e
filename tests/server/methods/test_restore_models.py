# SPDX-License-Identifier: GPL-3.0-or-later
"""restore with the embedded model on a recording: better than nothing where there is a known answer."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from server.audio import Clip, fold_mono, read_clip, resample
from server.measure.log_mel_distance import log_mel_distance
from server.measure.si_sdr import si_sdr_gain_db
from server.measure.studio import Studio
from server.models.loading import load


@pytest.fixture(scope="module")
def studio():
    with Studio(load("embedded", device="cpu")) as found:
        yield found


def recording(name: str) -> Clip:
    """Three quarters of a second, peak 0.5."""
    clip = read_clip((files("presets") / "clips" / f"{name}.flac").read_bytes())
    samples = fold_mono(resample(clip, 32000)).samples[:, :24000]
    return Clip(0.5 * samples / np.abs(samples).max(), 32000)


def test_noise_goes_and_the_sound_stays(studio):
    drone = recording("bowed_drone")
    noise = np.random.default_rng(0).standard_normal(drone.samples.shape)
    noise *= np.sqrt(np.square(drone.samples).mean() / np.square(noise).mean() / 10)
    noisy = Clip(drone.samples + noise, 32000)
    (output,) = studio("restore", {"clip": noisy}, task="denoise", steps=6, seed=0)
    assert si_sdr_gain_db(output.clip.samples[0], noisy.samples[0], drone.samples[0]) > 3.0


def test_a_gap_is_filled_with_what_could_have_been_there(studio):
    metal = recording("granular_metal")
    holed = metal.samples.copy()
    holed[:, 9600:12800] = 0.0
    (output,) = studio("restore", {"clip": Clip(holed, 32000)}, task="inpaint", gap="0.3:0.4", steps=6, seed=0)
    there, left, made = (samples[0, 8000:14400] for samples in (metal.samples, holed, output.clip.samples))
    assert log_mel_distance(made, there, 32000) < 0.5 * log_mel_distance(left, there, 32000)
    assert output.provenance["distance"][0]["last"] < output.provenance["distance"][0]["first"]
