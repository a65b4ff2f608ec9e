# SPDX-License-Identifier: GPL-3.0-or-later
"""The broadcast-wave stamp is read by others as it was written, and a damaged one is not trusted."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile
from wavinfo import WavInfoReader

from server import audio
from server.audio import Bext, Clip
from server.errors import InvalidInput

RATE = 48_000
STAMP = Bext(description="glass bells", originator="athanor", originator_reference="0123456789abcdef0123456789abcdef",
             date="2026-11-20", time="12:34:56", time_reference_samples=2**33 + 7,
             coding_history="A=PCM,F=48000,W=32,M=stereo,T=athanor\r\n")


def noise(n_samples: int = 4801, channels: int = 2, sample_rate: int = RATE, seed: int = 0) -> Clip:
    samples = np.random.default_rng(seed).uniform(-0.7, 0.7, (channels, n_samples))
    return Clip(samples, sample_rate)


@pytest.mark.parametrize("history", ["", "A=PCM", "A=PCM,\r\n"])
def test_the_stamp_is_read_by_wavinfo_and_by_us(tmp_path, history):
    stamp = Bext(**{**STAMP.__dict__, "coding_history": history})
    path = tmp_path / "clip.wav"
    audio.write_clip(path, noise(), stamp)
    assert audio.read_bext(path) == audio.read_header(path).bext == stamp

    bext = WavInfoReader(path).bext
    assert bext.time_reference == stamp.time_reference_samples
    assert bext.description == stamp.description and bext.originator == stamp.originator
    assert bext.originator_ref == stamp.originator_reference
    assert (bext.originator_date, bext.originator_time) == (stamp.date, stamp.time)
    assert bext.coding_history == history


def test_the_stamp_stands_before_the_format_and_every_chunk_is_even():
    content = audio.wav_bytes(noise(3, 1), Bext(coding_history="odd"))
    assert content[12:16] == b"bext"
    size = struct.unpack("<I", content[16:20])[0]
    assert size == 605 and content[20 + size + 1:][:4] == b"fmt "
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8


def test_text_of_a_stamp_is_cut_and_made_ascii(tmp_path):
    path = tmp_path / "clip.wav"
    audio.write_clip(path, noise(), Bext(description="élan " + "x" * 300, coding_history="→"))
    stamp = audio.read_bext(path)
    assert stamp.description == "elan " + "x" * 251
    assert stamp.coding_history == "?"


@pytest.mark.parametrize("field", [{"originator_reference": "x" * 33}, {"time_reference_samples": -1},
                                   {"time_reference_samples": 2**64}, {"date": "today"}, {"time": "noon"}])
def test_a_stamp_that_does_not_fit_is_refused(field):
    with pytest.raises(InvalidInput, match="bext"):
        Bext(**field)


def test_a_damaged_stamp_is_refused_and_a_missing_one_is_none(tmp_path):
    plain = tmp_path / "plain.wav"
    audio.write_clip(plain, noise())
    assert audio.read_bext(plain) is None
    flac = tmp_path / "clip.flac"
    soundfile.write(flac, noise().samples.T, RATE)
    assert audio.read_bext(flac) is None

    damaged = tmp_path / "damaged.wav"
    content = audio.wav_bytes(noise())
    damaged.write_bytes(content[:12] + b"bext" + struct.pack("<I", 4) + b"\0" * 4 + content[12:])
    with pytest.raises(InvalidInput, match="bext chunk.*damaged"):
        audio.read_bext(damaged)
