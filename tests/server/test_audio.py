# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: every bad file gives one clear error, every good one comes back exactly."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server import audio
from server.audio import Bext, Clip
from server.errors import InvalidInput, StorageError

RATE = 48_000
STAMP = Bext(description="glass bells", originator="athanor", originator_reference="0123456789abcdef0123456789abcdef",
             date="2026-11-20", time="12:34:56", time_reference_samples=2**33 + 7,
             coding_history="A=PCM,F=48000,W=32,M=stereo,T=athanor\r\n")


def noise(n_samples: int = 4801, channels: int = 2, sample_rate: int = RATE, seed: int = 0) -> Clip:
    samples = np.random.default_rng(seed).uniform(-0.7, 0.7, (channels, n_samples))
    return Clip(samples, sample_rate)


def sine(frequency_hz: float, duration_s: float, level_dbfs: float = 0.0, channels: int = 1,
         phase: float = 0.0) -> Clip:
    time_s = np.arange(round(duration_s * RATE)) / RATE
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency_hz * time_s + phase)
    return Clip(np.repeat(wave[None], channels, axis=0), RATE)


def save(path: Path, clip: Clip, **how) -> Path:
    soundfile.write(path, clip.samples.T, clip.sample_rate, **how)
    return path


@contextmanager
def ordinary_user():
    """Root may open everything; file permissions can only be met as somebody else."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that an ordinary user can reach, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


# --- written and read back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 2, 4801])
def test_a_written_clip_is_read_back_bit_exactly_by_three_readers(tmp_path, channels, n_samples):
    from pedalboard.io import AudioFile

    clip = noise(n_samples, channels)
    path = tmp_path / "clip.wav"
    audio.write_clip(path, clip, STAMP)

    ours = audio.read_clip(path)
    assert ours.sample_rate == RATE and np.array_equal(ours.samples, clip.samples)
    theirs, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE and np.array_equal(theirs.T, clip.samples)
    assert soundfile.info(path).subtype == "FLOAT"
    with AudioFile(str(path)) as file:
        assert file.samplerate == RATE and np.array_equal(file.read(file.frames), clip.samples)


def test_the_same_clip_gives_the_same_bytes():
    assert audio.wav_bytes(noise(), STAMP) == audio.wav_bytes(noise(), STAMP)


def test_nan_is_never_written(tmp_path):
    clip = noise()
    clip.samples[1, 480] = np.nan
    with pytest.raises(InvalidInput, match=r"first at 0\.010 s"):
        audio.write_clip(tmp_path / "clip.wav", clip)
    assert not list(tmp_path.iterdir())


# --- storage that does not hold ----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_leaves_the_old_file_and_no_remains(tmp_path):
    import resource

    path = tmp_path / "clip.wav"
    audio.write_clip(path, noise(100))
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(StorageError, match="clip.wav cannot be written"):
            audio.write_clip(path, noise(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_read_only_folder_is_named(open_folder):
    open_folder.chmod(0o555)
    with ordinary_user(), pytest.raises(StorageError, match=f"{open_folder}.*Permission denied"):
        audio.write_clip(open_folder / "clip.wav", noise())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="missing.clip.wav cannot be written: No such file"):
        audio.write_clip(tmp_path / "missing" / "clip.wav", noise())


# --- good files of every sort ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "how"), [
    ("clip.wav", {"subtype": "PCM_24"}), ("clip.flac", {"subtype": "PCM_24"}), ("clip.aiff", {"subtype": "PCM_24"}),
    ("clip.caf", {"subtype": "PCM_24"}), ("clip.rf64", {"subtype": "PCM_24", "format": "RF64"}),
])
def test_24_bit_files_are_read_exactly(tmp_path, name, how):
    steps = np.random.default_rng(1).integers(-2**23, 2**23, (2, 1000))
    path = save(tmp_path / name, Clip(steps / 2**23, RATE), **how)
    assert np.array_equal(audio.read_clip(path).samples, (steps / 2**23).astype(np.float32))
    header = audio.read_header(path)
    assert (header.sample_rate, header.channels, header.n_samples, header.subtype) == (RATE, 2, 1000, "PCM_24")


@pytest.mark.parametrize("as_bytes", [False, True])
def test_mp3_content_is_read_whatever_the_file_is_called(tmp_path, as_bytes):
    mp3 = save(tmp_path / "clip.mp3", sine(440, 1.0, -6))
    path = mp3.rename(tmp_path / "clip.WAV")
    clip = audio.read_clip(path.read_bytes() if as_bytes else path)
    assert clip.n_samples == RATE
    assert audio.read_header(path).format == "MP3"
    assert np.abs(clip.samples - sine(440, 1.0, -6).samples)[:, 2000:-2000].max() < 0.02


def test_192_khz_is_read_as_it_is(tmp_path):
    clip = audio.read_clip(save(tmp_path / "clip.wav", noise(1920, 2, 192_000), subtype="FLOAT"))
    assert (clip.sample_rate, clip.n_samples, clip.duration_s) == (192_000, 1920, 0.01)


def test_eight_channels_are_refused_unless_the_caller_folds(tmp_path):
    path = save(tmp_path / "clip.wav", noise(100, 8), subtype="FLOAT")
    with pytest.raises(InvalidInput, match="8 channels; at most 2"):
        audio.read_clip(path)
    clip = audio.read_clip(path, max_channels=None)
    assert clip.channels == 8
    np.testing.assert_allclose(audio.fold_mono(clip).samples[0], clip.samples.mean(axis=0), rtol=1e-6)


def test_silence_and_one_sample_are_read_but_no_method_takes_them(tmp_path):
    silent = audio.read_clip(save(tmp_path / "silent.wav", Clip(np.zeros((2, RATE)), RATE)))
    assert silent.is_silent and not noise().is_silent
    with pytest.raises(InvalidInput, match="The original is silent"):
        audio.require_sound(silent, "The original")
    one = audio.read_clip(save(tmp_path / "one.wav", noise(1)))
    assert one.n_samples == 1
    with pytest.raises(InvalidInput, match=r"too short: 1 sample \(0\.0208 ms\); at least 50 ms"):
        audio.require_sound(one, "The original")
    audio.require_sound(noise(2400), "The original")


# --- bad files of every sort -------------------------------------------------------------------------------------


def written(content: bytes):
    def build(folder: Path) -> Path:
        path = folder / "clip.wav"
        path.write_bytes(content)
        return path

    return build


def halved(name: str, **how):
    def build(folder: Path) -> Path:
        path = save(folder / name, noise(48_000, 1), **how)
        content = path.read_bytes()
        path.write_bytes(content[:len(content) // 2])
        return path

    return build


def without_samples(folder: Path) -> Path:
    path = folder / "clip.wav"
    soundfile.write(path, np.zeros((0, 1)), RATE)
    return path


def with_value(value: float):
    def build(folder: Path) -> Path:
        clip = noise()
        clip.samples[0, 24] = value
        return save(folder / "clip.wav", clip, subtype="FLOAT")

    return build


@pytest.mark.parametrize(("build", "message"), [
    (lambda folder: folder / "none.wav", "none.wav does not exist"),
    (lambda folder: folder, "is a folder, not a sound file"),
    (lambda folder: written(b"x")(folder) / "inside.wav", "cannot be read: Not a directory"),
    (lambda folder: folder / "nul\0.wav", "cannot be read: embedded null"),
    (written(b""), r"empty \(0 bytes\)"),
    (without_samples, "holds no samples"),
    (written(b"hello world" * 99), "not a sound file that can be read"),
    (written(audio.wav_bytes(noise())[:20]), "not a sound file that can be read"),
    (halved("clip.wav", subtype="FLOAT"), "cut short: 96.* bytes of sound are missing"),
    (halved("clip.aiff", subtype="PCM_24"), "cut short: 72.* bytes of sound are missing"),
    (halved("clip.flac"), "damaged or cut short"),
    (halved("clip.mp3"), "cut short: .* of 48000 samples can be read"),
    (with_value(np.nan), r"NaN or infinite samples, the first at 0\.001 s \(sample 24\)"),
    (with_value(-np.inf), "NaN or infinite"),
])
def test_a_bad_file_gives_one_clear_error(tmp_path, build, message):
    with pytest.raises(InvalidInput, match=message):
        audio.read_clip(build(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_an_unreadable_file_says_so(open_folder):
    path = save(open_folder / "clip.wav", noise())
    path.chmod(0)
    with ordinary_user(), pytest.raises(InvalidInput, match="clip.wav cannot be read: Permission denied"):
        audio.read_clip(path)
    with ordinary_user(), pytest.raises(InvalidInput, match="clip.wav cannot be read: Permission denied"):
        audio.read_bext(path)


def test_a_clip_over_the_limit_is_refused_by_its_header(tmp_path):
    path = save(tmp_path / "clip.wav", noise(RATE + 1))
    assert audio.read_clip(path, limit_s=1.1).n_samples == RATE + 1
    with pytest.raises(InvalidInput, match=r"clip.wav is 1\.0 s long; at most 1 s"):
        audio.read_clip(path, limit_s=1)


def test_errors_call_a_clip_as_they_are_told():
    with pytest.raises(InvalidInput, match="^The reference is not a sound file"):
        audio.read_clip(b"hello", name="The reference")
    with pytest.raises(InvalidInput, match="^The clip is empty"):
        audio.read_clip(b"")


@pytest.mark.parametrize(("samples", "sample_rate"), [
    (np.zeros(4), RATE), (np.zeros((0, 4)), RATE), (np.zeros((1, 0)), RATE), (np.zeros((1, 4)), 0),
    (np.zeros((1, 4)), 3999), (np.zeros((1, 4)), 768_001),
])
def test_a_clip_has_channels_samples_and_a_rate(samples, sample_rate):
    with pytest.raises(InvalidInput):
        Clip(samples, sample_rate)


# --- shape -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate_in", "rate_out", "n_in", "n_out"), [
    (48_000, 44_100, 192_000, 176_400), (44_100, 48_000, 1, 2), (44_100, 48_000, 44_101, 48_002),
    (192_000, 44_100, 100_001, 22_969), (8_000, 44_100, 7, 39), (44_100, 16_000, 1, 1), (48_000, 48_000, 5, 5),
])
def test_resampling_has_an_exact_length(rate_in, rate_out, n_in, n_out):
    clip = audio.resample(noise(n_in, 2, rate_in), rate_out)
    assert (clip.n_samples, clip.channels, clip.sample_rate) == (n_out, 2, rate_out)


def test_resampling_keeps_time_and_waveform_to_the_last_sample():
    time_s = np.arange(24_000) / 48_000
    wave = np.sin(2 * np.pi * 1000 * time_s) * np.hanning(24_000)
    clip = audio.resample(Clip(wave[None], 48_000), 44_100)
    time_s = np.arange(clip.n_samples) / 44_100
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time_s * 48_000 / 23_999)
    np.testing.assert_allclose(clip.samples[0], np.sin(2 * np.pi * 1000 * time_s) * window, atol=1e-5)


def test_length_is_cut_or_filled_at_the_end():
    clip = noise(10)
    assert np.array_equal(audio.to_length(clip, 4).samples, clip.samples[:, :4])
    longer = audio.to_length(clip, 12)
    assert np.array_equal(longer.samples[:, :10], clip.samples) and not longer.samples[:, 10:].any()


def test_channels_fold_to_the_mean_and_spread_evenly():
    clip = Clip(np.array([[1.0, 0.0], [0.0, 1.0]]), RATE)
    assert audio.to_channels(clip, 2) is clip
    assert np.array_equal(audio.to_channels(clip, 1).samples, [[0.5, 0.5]])
    assert np.array_equal(audio.to_channels(audio.fold_mono(clip), 2).samples, [[0.5, 0.5], [0.5, 0.5]])


def test_fades_reach_from_silence_to_full_level_and_never_past_the_clip():
    clip = Clip(np.ones((2, 4800)), RATE)
    faded = audio.fade(clip, 0.01, 0.02).samples
    assert faded[0, 0] < 1e-4 and faded[0, -1] < 1e-4
    assert np.all(faded[:, 480:-960] == 1.0) and np.all(np.diff(faded[0, :480]) > 0)
    assert np.all(clip.samples == 1.0)
    assert audio.fade(Clip(np.ones((1, 1)), RATE), 1, 1).samples[0, 0] == pytest.approx(0.25)


# --- level -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level_dbfs", [-20, -90])
def test_a_matched_clip_is_as_loud_as_its_model(level_dbfs):
    model = sine(300, 2.0, level_dbfs, channels=2)
    matched = audio.match_level(noise(RATE), to=model)
    if level_dbfs > -70:
        assert audio.loudness_lkfs(matched) == pytest.approx(audio.loudness_lkfs(model), abs=0.01)
    else:
        assert 0 < np.abs(matched.samples).max() < 1e-3


def test_a_matched_clip_stays_under_the_ceiling():
    matched = audio.match_level(noise(RATE), to=sine(300, 2.0, 12))
    assert -1.01 < audio.true_peak_dbfs(matched) <= -1.0
    lower = audio.match_level(noise(RATE), to=sine(300, 2.0, 12), ceiling_dbtp=-6)
    assert -6.01 < audio.true_peak_dbfs(lower) <= -6.0


def test_silence_cannot_be_a_model_and_stays_silence():
    silent = Clip(np.zeros((1, RATE)), RATE)
    assert audio.match_level(silent, to=noise()).is_silent
    with pytest.raises(InvalidInput, match="level should be matched is silent"):
        audio.match_level(noise(), to=silent)


@pytest.mark.parametrize(("format", "subtype"), [
    ("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("AIFF", "FLOAT"), ("OGG", "VORBIS"),
])
def test_a_part_of_a_file_is_that_part_of_the_whole(tmp_path, format, subtype):
    rng = np.random.default_rng(3)
    path = tmp_path / f"a.{format.lower()}"
    soundfile.write(path, 0.2 * rng.standard_normal((9000, 2)), 44100, format=format, subtype=subtype)
    whole = audio.read_clip(path)
    part = audio.read_clip(path, start=1234, n_samples=567)
    assert np.array_equal(part.samples, whole.samples[:, 1234:1801])
    assert np.array_equal(audio.read_clip(path, start=8999).samples, whole.samples[:, 8999:])
    assert audio.read_clip(path, start=0, n_samples=441, limit_s=0.01).n_samples == 441


@pytest.mark.parametrize(("start", "n_samples"), [(9000, None), (0, 9001), (8999, 2), (-1, 5), (5, 0)])
def test_a_part_outside_a_file_is_refused(tmp_path, start, n_samples):
    soundfile.write(tmp_path / "a.wav", np.zeros(9000), 44100)
    with pytest.raises(InvalidInput, match="has 9000 samples"):
        audio.read_clip(tmp_path / "a.wav", start=start, n_samples=n_samples)
