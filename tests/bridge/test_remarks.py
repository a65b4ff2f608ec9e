# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal says about a result beside its file name."""

import pytest

from bridge.remarks import in_words, words_of


@pytest.mark.parametrize(("provenance", "words"), [
    ({}, ""),
    ({"seed": 5}, "seed 5"),
    ({"snr_db": -11.79, "likeness": {"original": 0.304, "reference": 0.7488}, "seed": 5},
     "original steps in at -11.8 dB; likeness to original 0.30, to reference 0.75; seed 5"),
    ({"to": "a cello", "snr_db": -8.0, "seed": 5}, "to 'a cello', from -8.0 dB on; seed 5"),
    ({"idle": ["keep_last changes nothing: no noise"], "seed": 5}, "keep_last changes nothing: no noise; seed 5"),
    ({"stem": "bell", "seed": 5}, "'bell'; seed 5"),
    ({"weights": [2.0, 0.0], "change": 0.601}, "+2 along direction 1; changed by 60 %"),
    ({"weights": [-1.0, 0.5]}, "-1 along direction 1, +0.5 along direction 2"),
    ({"weights": [0.0]}, "not moved"),
    ({"cutoff_hz": 4000.2}, "trusted up to 4000 Hz"),
    ({"rt60_s": 0.81}, "a room of 0.81 s"),
    ({"likeness": {"original": 0.3}}, "likeness to original 0.30"),
    ({"balance": {"crossing": False}}, "no point where both are equally near: this is the nearest to it"),
    ({"balance": {"crossing": True}}, ""),
])
def test_a_result_in_words(provenance, words):
    assert in_words(provenance) == words


def test_the_words_that_tell_results_apart():
    assert words_of({"stem": "dog barking"}) == "dog barking"
    assert words_of({"to": "a cello", "snr_db": -8.0}) == "a cello"
    assert words_of({"snr_db": -8.0}) == ""
