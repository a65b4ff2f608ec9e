# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure Data, headless, with the patch that ships: array -> WAV -> OSC -> render -> WAV -> array."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.audio import read_bext

pytestmark = pytest.mark.hosts
PATCHES = Path(__file__).resolve().parents[2] / "bridge" / "hosts" / "pd"
BROKEN = re.compile(r"couldn't create|error:|no such object", re.IGNORECASE)
LIMIT_S = 60


def run_pd(pd: Path, *words: object) -> str:
    """What a Pd that quits by itself has said. Its exit status is 0 even for a broken patch, so that is looked for."""
    ended = subprocess.run([str(pd), "-nogui", "-noaudio", "-nomidi", "-stderr", "-r", "48000", *map(str, words)],
                           capture_output=True, text=True, timeout=LIMIT_S)
    assert not BROKEN.search(ended.stderr), ended.stderr
    return ended.stderr


@pytest.mark.parametrize("name", ["athanor.pd", "athanor-help.pd"])
def test_the_patches_open_without_an_error_and_are_free_to_copy(require_host, name):
    run_pd(require_host("pd"), "-open", PATCHES / name, "-send", "pd quit")
    assert "SPDX-License-Identifier: MIT" in (PATCHES / name).read_text()


def test_the_gate_sees_a_broken_patch(require_host, tmp_path):
    (tmp_path / "broken.pd").write_text("#N canvas 0 0 100 100 12;\n#X obj 10 10 no-such-thing;\n")
    with pytest.raises(AssertionError, match="no-such-thing"):
        run_pd(require_host("pd"), "-open", tmp_path / "broken.pd", "-send", "pd quit")


def test_an_array_goes_and_a_rendered_array_comes_back(require_host, house, tmp_path):
    template = Path(__file__).with_name("roundtrip.pd").read_text()
    patch = tmp_path / "roundtrip.pd"
    # A space in a path needs a backslash in a Pd file; the import root of this test has one.
    patch.write_text(template.replace("PORT", str(house.port)).replace("ROOT", str(house.root).replace(" ", "\\ ")))
    said = run_pd(require_host("pd"), "-path", PATCHES, "-open", patch)

    assert "state: started" in said
    assert re.search(r"progress: 0\.\d", said), said
    done = re.search(r"done: (?:list )?(.*)", said)[1].split()
    assert done[4] == "echo"
    assert done[7:9] == ["480000", "10"]
    result = house.root / done[5]
    assert read_bext(result).time_reference_samples == 480000

    back, rate = soundfile.read(house.root / "from-array.wav", dtype="float32")
    placed, _ = soundfile.read(result, dtype="float32")
    original, _ = soundfile.read(house.root / "original.wav", dtype="float32", always_2d=True)
    assert rate == 48000
    assert back.shape == (24000,)
    assert np.array_equal(back, placed)
    assert not np.allclose(back, original[:, 0], atol=1e-3), "the chain did nothing"
    assert np.corrcoef(back, original[:, 0])[0, 1] > 0.5
