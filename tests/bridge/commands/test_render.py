# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal says about a result beside its file name."""

import pytest

from bridge.commands.render import in_words


@pytest.mark.parametrize(("provenance", "words"), [
    ({}, ""),
    ({"seed": 5}, "seed 5"),
    ({"snr_db": -11.79, "likeness": {"original": 0.304, "reference": 0.7488}, "seed": 5},
     "original steps in at -11.8 dB; likeness to original 0.30, to reference 0.75; seed 5"),
    ({"to": "a cello", "snr_db": -8.0, "seed": 5}, "to 'a cello', from -8.0 dB on; seed 5"),
    ({"likeness": {"original": 0.3}}, "likeness to original 0.30"),
    ({"balance": {"crossing": False}}, "no point where both are equally near: this is the nearest to it"),
    ({"balance": {"crossing": True}}, ""),
])
def test_a_result_in_words(provenance, words):
    assert in_words(provenance) == words
