# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip, write_clip
from server.errors import InvalidOption
from server.measure.datasets.music_delta import edits

SOURCES = """filename,source_captions
MusicDelta_80sRock_MIX.wav,"A rock song."
MusicDelta_80sRock_MIX.wav,"A man sings, a guitar plays."
MusicDelta_Punk_MIX.wav,"An angry punk song."
"""
TARGETS = """filename,target_captions,can_be_used_without_source,source_caption_index
MusicDelta_80sRock_MIX.wav,"A techno song.",1,1
MusicDelta_Punk_MIX.wav,"A waltz.",1,1
MusicDelta_80sRock_MIX.wav,"A woman sings, a guitar plays.",0,2
"""


@pytest.fixture
def released(tmp_path: Path) -> tuple[Path, Path]:
    """One of the two files, in a folder of its own as in MedleyDB."""
    prompts, song = tmp_path / "MedleyMDPrompts", tmp_path / "Audio" / "MusicDelta_80sRock"
    prompts.mkdir()
    song.mkdir(parents=True)
    (prompts / "captions_sources.csv").write_text(SOURCES)
    (prompts / "captions_targets.csv").write_text(TARGETS)
    write_clip(song / "MusicDelta_80sRock_MIX.wav", Clip(np.ones((2, 800)), 8000))
    return tmp_path / "Audio", prompts


def test_every_target_has_the_source_it_was_written_for(released: tuple[Path, Path]) -> None:
    first, second = edits(*released)
    assert (first.source, first.target, first.alone) == ("A rock song.", "A techno song.", True)
    assert (second.source, second.alone) == ("A man sings, a guitar plays.", False)
    assert second.clip().samples.shape == (2, 800)


def test_what_is_missing_is_said(released: tuple[Path, Path], tmp_path: Path) -> None:
    audio, prompts = released
    with pytest.raises(InvalidOption, match="none of the 2 files.*medleydb"):
        edits(prompts, prompts)
    (prompts / "captions_sources.csv").write_text(SOURCES.replace('"A man sings, a guitar plays."', ""))
    (prompts / "captions_targets.csv").write_text(TARGETS.replace(",0,2", ",0,3"))
    with pytest.raises(InvalidOption, match="has 2 source captions; a target names number 3"):
        edits(audio, prompts)
    (prompts / "captions_targets.csv").write_text("filename,caption\n")
    with pytest.raises(InvalidOption, match="lacks the columns can_be_used_without_source"):
        edits(audio, prompts)
    (prompts / "captions_targets.csv").unlink()
    with pytest.raises(InvalidOption, match="captions_targets.csv is missing.*MedleyMDPrompts"):
        edits(audio, prompts)
