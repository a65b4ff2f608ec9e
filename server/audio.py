# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: read, check, reshape, level and write sound. The only place that changes a clip's layout.

Samples are float32 `[channels, time]`, full scale 1. Any format of libsndfile is read, whatever the file's name says
(MP3 content in a `.WAV` included); what is written is always a 32-bit float WAV, the same bytes for the same clip.
"""

from __future__ import annotations

import io
import math
import os
import secrets
import struct
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from server.bwf import Bext, chunk, find_bext, missing_sound_bytes, read_bext
from server.errors import InvalidInput, StorageError
from server.loudness import gated_loudness_lkfs, ungated_loudness_lkfs
from server.loudness import true_peak_dbfs as _true_peak_dbfs

__all__ = ["MAX_CHANNELS", "MAX_SAMPLE_RATE", "MIN_DURATION_S", "MIN_SAMPLE_RATE", "Bext", "Clip", "ClipHeader",
           "fade", "fold_mono", "loudness_lkfs", "match_level", "read_bext", "read_clip", "read_header",
           "require_length", "require_sound", "resample", "to_channels", "to_length", "true_peak_dbfs", "wav_bytes",
           "write_clip"]

MIN_DURATION_S = 0.05
"""Shortest clip a method works on; shorter ones can be read, but `require_sound` refuses them."""
MAX_CHANNELS = 2
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4_000, 768_000

_IEEE_FLOAT = 3
_MAX_WAV_DATA_BYTES = 2**32 - 2**20
_MP3_PADDING = 2 * 1152
_CEILING_MARGIN_DB = 0.001


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound in memory.

    Args:
        samples: `[channels, time]`, converted to contiguous float32; at least one channel and one sample.
        sample_rate: Hz, 4000 to 768000.

    Raises:
        InvalidInput: another shape or sample rate.
    """

    samples: np.ndarray
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or 0 in self.samples.shape:
            raise InvalidInput(f"A clip has the shape [channels, time] and at least one sample, not "
                               f"{list(self.samples.shape)}.")
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise InvalidInput(f"A sample rate of {self.sample_rate} Hz is outside {MIN_SAMPLE_RATE} to "
                               f"{MAX_SAMPLE_RATE} Hz. Resample the clip first.")
        object.__setattr__(self, "samples", np.ascontiguousarray(self.samples, dtype=np.float32))
        object.__setattr__(self, "sample_rate", int(self.sample_rate))

    @property
    def channels(self) -> int:
        return self.samples.shape[0]

    @property
    def n_samples(self) -> int:
        return self.samples.shape[1]

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sample_rate

    @property
    def is_silent(self) -> bool:
        """Whether every sample is exactly zero."""
        return not self.samples.any()


@dataclass(frozen=True)
class ClipHeader:
    """What a file says about itself: `format` and `subtype` are libsndfile's names (`WAV`, `PCM_24`)."""

    sample_rate: int
    channels: int
    n_samples: int
    format: str
    subtype: str
    bext: Bext | None

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sample_rate


Source = str | os.PathLike[str] | bytes | bytearray | memoryview


def read_header(source: Source, *, name: str | None = None) -> ClipHeader:
    """The header of a sound file, without its samples. Arguments and errors as `read_clip`."""
    name = name or _name(source)
    with _opened(source, name) as file:
        bext = find_bext(file, name)
        with _decoder(file, name) as sound:
            return ClipHeader(sound.samplerate, sound.channels, sound.frames, sound.format, sound.subtype, bext)


def read_clip(source: Source, *, limit_s: float | None = None, max_channels: int | None = MAX_CHANNELS,
              name: str | None = None, start: int = 0, n_samples: int | None = None) -> Clip:
    """Read a sound file, or a part of it.

    Silence is read; whether it is of use is the method's affair (`Clip.is_silent`, `require_sound`).

    Args:
        source: path, or the file's bytes.
        limit_s: longest clip allowed, in seconds; checked before the samples are read.
        max_channels: most channels allowed; None allows any number, for a caller that folds them.
        name: what an error calls the file; the path when omitted.
        start, n_samples: the part, in samples of the file; `limit_s` holds for the part.

    Raises:
        InvalidInput: missing, a folder, unreadable, empty, no sound file, without samples, cut short, shorter than the part
            that is asked for, longer than `limit_s`, more than `max_channels`, or holding NaN or infinite samples.
    """
    name = name or _name(source)
    with _opened(source, name) as file:
        missing = missing_sound_bytes(file)
        if missing:
            raise InvalidInput(f"{name} is cut short: {missing} bytes of sound are missing at its end. "
                               "Copy or export it again.")
        with _decoder(file, name) as sound:
            n_samples = sound.frames - start if n_samples is None else n_samples
            _check_limits(sound, name, n_samples / sound.samplerate, limit_s, max_channels)
            if not 0 <= start < start + n_samples <= sound.frames:
                raise InvalidInput(f"{name} has {sound.frames} samples, not {n_samples} from sample {start} on. "
                                   "Was it changed?")
            return _decoded(sound, name, start, n_samples)


def write_clip(path: str | os.PathLike[str], clip: Clip, bext: Bext | None = None, ixml: str = "") -> None:
    """Write a 32-bit float WAV so that `path` holds either the whole new file or what it held before.

    bext, ixml: its stamp and what its iXML chunk says, if it shall have them.

    Raises:
        InvalidInput: the clip holds NaN or infinite samples, or does not fit 4 GiB.
        StorageError: the folder is missing or read-only, or the disk is full; names the path.
    """
    path = Path(path)
    content = wav_bytes(clip, bext, ixml)
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with open(part, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as cause:
        raise StorageError(f"{path} cannot be written: {cause.strerror}. Free some space, or choose a folder that "
                           "exists and can be written.") from cause


def wav_bytes(clip: Clip, bext: Bext | None = None, ixml: str = "") -> bytes:
    """The clip as a 32-bit float WAV file, the bext and iXML chunks before `fmt `. Errors as `write_clip`, less the
    storage."""
    _check_finite(clip.samples, clip.sample_rate, "The clip to write")
    if clip.samples.nbytes > _MAX_WAV_DATA_BYTES:
        raise InvalidInput(f"A clip of {clip.duration_s:.0f} s does not fit the 4 GiB of a WAV file. Cut it in parts.")
    frame_bytes = 4 * clip.channels
    layout = struct.pack("<HHIIHHH", _IEEE_FLOAT, clip.channels, clip.sample_rate, clip.sample_rate * frame_bytes,
                         frame_bytes, 32, 0)
    body = b"".join([
        chunk(b"bext", bext.pack()) if bext else b"",
        chunk(b"iXML", ixml.encode()) if ixml else b"",
        chunk(b"fmt ", layout),
        chunk(b"fact", struct.pack("<I", clip.n_samples)),
        chunk(b"data", clip.samples.T.astype("<f4").tobytes()),
    ])
    return chunk(b"RIFF", b"WAVE" + body)


def resample(clip: Clip, sample_rate: int) -> Clip:
    """The clip at another rate (soxr, VHQ), time-aligned: sample k of the result lies at k / sample_rate.

    The result has exactly ceil(n_samples * sample_rate / clip.sample_rate) samples.
    """
    if sample_rate == clip.sample_rate:
        return clip
    n_samples = -(-clip.n_samples * sample_rate // clip.sample_rate)
    # soxr rounds the length; a little silence at the end makes sure that the last sample exists.
    padding = 2 + 2 * clip.sample_rate // sample_rate
    padded = np.pad(clip.samples, ((0, 0), (0, padding)))
    resampled = soxr.resample(padded.T, clip.sample_rate, sample_rate, quality="VHQ").T
    return Clip(resampled[:, :n_samples], sample_rate)


def to_length(clip: Clip, n_samples: int) -> Clip:
    """The clip cut, or continued with silence, at its end to `n_samples`."""
    if n_samples <= clip.n_samples:
        return replace(clip, samples=clip.samples[:, :n_samples])
    return replace(clip, samples=np.pad(clip.samples, ((0, 0), (0, n_samples - clip.n_samples))))


def fold_mono(clip: Clip) -> Clip:
    """One channel: the mean of all."""
    return clip if clip.channels == 1 else replace(clip, samples=clip.samples.mean(axis=0, keepdims=True))


def to_channels(clip: Clip, channels: int) -> Clip:
    """The clip with `channels` channels: unchanged, folded to the mean, or the mean on every channel."""
    if channels == clip.channels:
        return clip
    return replace(clip, samples=np.repeat(fold_mono(clip).samples, channels, axis=0))


def fade(clip: Clip, in_s: float = 0.0, out_s: float = 0.0) -> Clip:
    """Raised-cosine fades of `in_s` and `out_s` seconds; each reaches over the whole clip at most."""
    samples = clip.samples.copy()
    n_in, n_out = (min(round(seconds * clip.sample_rate), clip.n_samples) for seconds in (in_s, out_s))
    if n_in:
        samples[:, :n_in] *= _ramp(n_in)
    if n_out:
        samples[:, -n_out:] *= _ramp(n_out)[::-1]
    return replace(clip, samples=samples)


def true_peak_dbfs(clip: Clip) -> float:
    """Peak of the waveform between the samples too (fourfold oversampling), in dBTP; -inf for silence."""
    return _true_peak_dbfs(clip.samples, clip.sample_rate)


def loudness_lkfs(clip: Clip) -> float:
    """Integrated loudness by ITU-R BS.1770-4 (LKFS = LUFS); -inf where nothing is above its gate of -70."""
    return gated_loudness_lkfs(clip.samples, clip.sample_rate)


def to_peak(clip: Clip, peak_dbtp: float) -> Clip:
    """The clip scaled to a true peak of `peak_dbtp`; a silent one as it is."""
    if clip.is_silent:
        return clip
    return replace(clip, samples=clip.samples * np.float32(10.0 ** ((peak_dbtp - true_peak_dbfs(clip)) / 20.0)))


def match_level(clip: Clip, to: Clip, *, ceiling_dbtp: float = -1.0) -> Clip:
    """The clip as loud as `to`, or less where its true peak would pass the ceiling.

    Loudness is gated (BS.1770-4); where either clip lies wholly under the gate, both are compared ungated. A silent
    clip is returned as it is.

    Args:
        ceiling_dbtp: highest true peak of the result, dBTP.

    Raises:
        InvalidInput: `to` is silent, so there is no level to match.
    """
    if to.is_silent:
        raise InvalidInput("The clip whose level should be matched is silent. Give one with sound.")
    if clip.is_silent:
        return clip
    have, want = loudness_lkfs(clip), loudness_lkfs(to)
    if not (math.isfinite(have) and math.isfinite(want)):
        have, want = (ungated_loudness_lkfs(c.samples, c.sample_rate) for c in (clip, to))
    gain_db = min(want - have, ceiling_dbtp - _CEILING_MARGIN_DB - true_peak_dbfs(clip))
    return replace(clip, samples=clip.samples * np.float32(10.0 ** (gain_db / 20.0)))


def require_length(clip: Clip, name: str, *, min_s: float = MIN_DURATION_S) -> None:
    """Refuse a clip shorter than `min_s` seconds; `name` is what the error calls it ("The original").

    Raises:
        InvalidInput: too short.
    """
    if clip.duration_s < min_s:
        raise InvalidInput(f"{name} is too short: {clip.n_samples} sample{'s' * (clip.n_samples > 1)} "
                           f"({1000 * clip.duration_s:.3g} ms); at least {1000 * min_s:.0f} ms are needed.")


def require_sound(clip: Clip, name: str, *, min_s: float = MIN_DURATION_S) -> None:
    """As `require_length`, and refuse silence too: for methods that have nothing to work on without sound."""
    require_length(clip, name, min_s=min_s)
    if clip.is_silent:
        raise InvalidInput(f"{name} is silent: every sample is zero. Give a clip with sound in it.")


@contextmanager
def _opened(source: Source, name: str):
    if isinstance(source, bytes | bytearray | memoryview):
        file: BinaryIO = io.BytesIO(source)
    else:
        if Path(source).is_dir():
            raise InvalidInput(f"{name} is a folder, not a sound file. Give the path of one file.")
        try:
            file = open(source, "rb")
        except FileNotFoundError as cause:
            raise InvalidInput(f"{name} does not exist. Check the path and its spelling.") from cause
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", cause)
            raise InvalidInput(f"{name} cannot be read: {reason}. Check that you may open it.") from cause
    with file:
        if file.seek(0, io.SEEK_END) == 0:
            raise InvalidInput(f"{name} is empty (0 bytes). Export it again.")
        file.seek(0)
        yield file


def _decoder(file: BinaryIO, name: str) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as cause:
        raise InvalidInput(f"{name} is not a sound file that can be read ({cause.error_string.rstrip('.')}). "
                           "WAV, AIFF, FLAC, CAF, OGG and MP3 can.") from cause


def _check_limits(sound: soundfile.SoundFile, name: str, duration_s: float, limit_s: float | None,
                  max_channels: int | None) -> None:
    if sound.frames == 0:
        raise InvalidInput(f"{name} holds no samples. Export it again.")
    if max_channels is not None and sound.channels > max_channels:
        raise InvalidInput(f"{name} has {sound.channels} channels; at most {max_channels} are allowed. "
                           "Fold it to stereo or mono first.")
    if limit_s is not None and duration_s > limit_s:
        raise InvalidInput(f"{name} is {duration_s:.1f} s long; at most {limit_s:g} s are allowed. Cut it.")


def _decoded(sound: soundfile.SoundFile, name: str, start: int, n_samples: int) -> Clip:
    sample_rate = sound.samplerate
    try:
        if start:
            sound.seek(start)
        samples = sound.read(n_samples, dtype="float32", always_2d=True).T
    except soundfile.LibsndfileError as cause:
        raise InvalidInput(f"{name} is damaged or cut short ({cause.error_string.rstrip('.')}). "
                           "Copy or export it again.") from cause
    # An MP3's header counts the encoder's padding, which decoders drop.
    if samples.shape[1] < n_samples - (_MP3_PADDING if sound.format == "MP3" else 0):
        raise InvalidInput(f"{name} is cut short: {samples.shape[1]} of {n_samples} samples can be read. "
                           "Copy or export it again.")
    _check_finite(samples, sample_rate, name)
    return Clip(samples, sample_rate)


def _check_finite(samples: np.ndarray, sample_rate: int, name: str) -> None:
    finite = np.isfinite(samples)
    if not finite.all():
        first = int(np.argmin(finite.all(axis=0)))
        raise InvalidInput(f"{name} holds NaN or infinite samples, the first at {first / sample_rate:.3f} s (sample "
                           f"{first}). Export it again; a plugin in the project may be broken.")


def _ramp(n_samples: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(n_samples) + 0.5) / n_samples)).astype(np.float32)


def _name(source: Source) -> str:
    return "The clip" if isinstance(source, bytes | bytearray | memoryview) else str(source)
