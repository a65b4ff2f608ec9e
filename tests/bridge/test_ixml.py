# SPDX-License-Identifier: GPL-3.0-or-later
"""The iXML chunk is read by others, whatever the words in it."""

from xml.etree import ElementTree

import numpy as np
import soundfile
from wavinfo import WavInfoReader

from bridge.ixml import ixml
from server.audio import Bext, Clip, read_bext, write_clip

FACTS = {"project": "Athanor", "take": "vox: fused 1", "note": "glass <bells> & \x07 鐘", "family": "0123", "file": "a.wav",
         "sample_rate": 48000, "channels": 2, "time_reference_samples": 2**33 + 5, "parents": ("a.wav", "b.wav"),
         "user": {"seed": 7}}


def test_another_reader_finds_what_was_written(tmp_path):
    path = tmp_path / "a.wav"
    write_clip(path, Clip(np.full((2, 99), 0.5), 48000), Bext(time_reference_samples=7), ixml(**FACTS))
    info = WavInfoReader(str(path))
    assert (info.ixml.project, info.ixml.take) == ("Athanor", "vox: fused 1")
    assert info.ixml.family_uid == "0123"
    assert [track.name for track in info.ixml.track_list] == ["vox: fused 1 left", "vox: fused 1 right"]
    assert info.bext.time_reference == read_bext(path).time_reference_samples == 7
    assert soundfile.info(path).frames == 99


def test_any_text_becomes_xml_and_positions_are_halved():
    root = ElementTree.fromstring(ixml(**FACTS))
    assert root.findtext("NOTE") == "glass <bells> &   鐘"
    high, low = (int(root.findtext(f"SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_{half}")) for half in ("HI", "LO"))
    assert (high, low) == (2, 5)
    assert root.findtext("USER") == "seed: 7"
    assert root.findtext("HISTORY/PARENT_FILENAME") == "a.wav, b.wav"
