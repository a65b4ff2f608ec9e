# SPDX-License-Identifier: GPL-3.0-or-later
"""Hard data consistency: what was measured is in the result as it was measured, whatever the model made of it.

The last stage of a restoration. DiffMusic (arXiv, 2024) ends with the decoded latent, so that its known audio is only near
to what was known; here the model fills in what is missing and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from server.audio import Clip
from server.errors import InvalidInput, InvalidOption
from server.methods.griffin_lim import griffin_lim, spectrum
from server.methods.linear_prediction import extrapolate

CROSSFADE_S = 0.02
_NEAR_S, _MOST_GAIN_DB = 0.2, 12.0  # how much around a gap says how loud it is, and how far that is believed
_CONTEXT_S, _ORDER = 0.1, 64  # what the extrapolation under a crossfade hears, and how far it looks back
_TRANSITION = 0.05  # of the cutoff, above it
HIGHEST_CUTOFF = 0.99
"""Of half the sample rate."""
_STOPBAND_DB = 90.0


def gap_samples(clip: Clip, gaps_s: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """The gaps as [start, stop) in samples, sorted, overlapping ones joined, cut at the clip's end.

    Raises:
        InvalidOption: a gap holds no sample of the clip, or together they leave nothing of it.
    """
    found: list[tuple[int, int]] = []
    for start_s, end_s in sorted(gaps_s):
        start, stop = max(0, round(start_s * clip.sample_rate)), min(round(end_s * clip.sample_rate), clip.n_samples)
        if start >= stop:
            raise InvalidOption(f"The gap {start_s:g}:{end_s:g} (seconds) holds nothing of the clip, which is "
                                f"{clip.duration_s:.3f} s long. Give start and end inside it.")
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    if found == [(0, clip.n_samples)]:
        raise InvalidOption("The gaps cover the whole clip; nothing is left to restore it from. Leave some of it.")
    return found


def inpaint(clip: Clip, restored: Clip, gaps_s: Sequence[tuple[float, float]], crossfade_s: float = CROSSFADE_S) -> Clip:
    """`clip` with its gaps filled from `restored`; every sample outside the gaps is the clip's own, bit for bit.

    The crossfades lie inside the gaps, where nothing is known: the known sound is continued there by linear prediction
    and faded out (raised cosine) while the restored one comes in. What fills a gap is brought to the level around it: a
    step in level is the first thing that is heard. What `clip` holds inside a gap is never heard.

    Args:
        gaps_s: (start, end) in seconds.
        crossfade_s: length of each crossfade, at most half a gap.

    Raises:
        InvalidInput: the two clips differ in rate, channels or length.
        InvalidOption: as `gap_samples`.
    """
    _require_alike(clip, restored)
    gaps = gap_samples(clip, gaps_s)
    samples = clip.samples.copy()
    edges = [0, *(edge for gap in gaps for edge in gap), clip.n_samples]
    for number, (start, stop) in enumerate(gaps):
        before, after = clip.samples[:, edges[2 * number] : start], clip.samples[:, stop : edges[2 * number + 3]]
        n_fade = min(round(crossfade_s * clip.sample_rate), (stop - start) // 2)
        filled = _as_loud_as_around(restored.samples[:, start:stop], before, after, clip.sample_rate)
        _fade_from(before, filled, n_fade, clip.sample_rate)
        _fade_from(after[:, ::-1], filled[:, ::-1], n_fade, clip.sample_rate)
        samples[:, start:stop] = filled
    return replace(clip, samples=samples)


def _as_loud_as_around(filled: np.ndarray, before: np.ndarray, after: np.ndarray, sample_rate: int) -> np.ndarray:
    """A copy of `filled` [channels, time] with the mean power of what is known on both sides, but for at most 12 dB."""
    near = round(_NEAR_S * sample_rate)
    sides = [side for side in (before[:, -near:], after[:, :near]) if side.size]
    have, *around = (float(np.mean(np.square(part, dtype=np.float64))) for part in (filled, *sides))
    wanted = sum(around) / len(around)
    gain_db = 10.0 * math.log10(wanted / have) if have > 0.0 and wanted > 0.0 else 0.0
    return filled * np.float32(10.0 ** (min(max(gain_db, -_MOST_GAIN_DB), _MOST_GAIN_DB) / 20.0))


def _fade_from(known: np.ndarray, filled: np.ndarray, n_fade: int, sample_rate: int) -> None:
    """Begin `filled` [channels, time], in place, with what `known` [channels, time] would have gone on with."""
    context = known[:, -round(_CONTEXT_S * sample_rate):]
    if n_fade == 0 or context.shape[1] < 4:
        return
    comes_in = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n_fade) + 0.5) / n_fade)
    for channel, made in zip(context, filled, strict=True):
        goes_on = extrapolate(channel, n_fade, _ORDER)
        made[:n_fade] = comes_in * made[:n_fade] + (1.0 - comes_in) * goes_on


def super_resolution(clip: Clip, restored: Clip, cutoff_hz: float) -> Clip:
    """The clip below `cutoff_hz` and `restored` above it, through a linear-phase pair of filters that add up to one.

    Below the cutoff the result equals the clip within 0.1 dB (both filters' ripple is under -90 dB of what each is given);
    `restored` comes in over the 5 % above it.

    Raises:
        InvalidInput: the two clips differ in rate, channels or length.
        InvalidOption: as `require_cutoff`.
    """
    _require_alike(clip, restored)
    require_cutoff(cutoff_hz, clip.sample_rate)
    nyquist_hz = clip.sample_rate / 2
    stop_hz = min(cutoff_hz * (1 + _TRANSITION), (cutoff_hz + nyquist_hz) / 2)
    kernel = low_pass(cutoff_hz, stop_hz, clip.sample_rate)
    measured, made = (clip.samples.astype(np.float64), restored.samples.astype(np.float64))
    # low * clip + (1 - low) * restored, as one filter of their difference
    return replace(clip, samples=made + filtered(measured - made, kernel))


def require_cutoff(cutoff_hz: float, sample_rate: int) -> None:
    """Raise InvalidOption unless the cutoff leaves something of a clip of this rate below and above it.

    Above it that is 1 % of the band: the nearer to its end, the longer the filter.
    """
    highest_hz = HIGHEST_CUTOFF * sample_rate / 2
    if not 0.0 < cutoff_hz <= highest_hz:
        raise InvalidOption(f"cutoff_hz={cutoff_hz:g} is not between 0 and {highest_hz:g} Hz, {HIGHEST_CUTOFF:.0%} of half "
                            "the clip's sample rate. Give a lower one, or resample the clip to a higher rate first.")


def low_pass(pass_hz: float, stop_hz: float, sample_rate: int) -> np.ndarray:
    """Linear-phase low-pass `[odd]`: 1 up to `pass_hz`, 0 from `stop_hz`, each within -90 dB (a Kaiser window)."""
    width = 2 * np.pi * (stop_hz - pass_hz) / sample_rate
    half = math.ceil((_STOPBAND_DB - 7.95) / (2.285 * width) / 2)
    n = np.arange(-half, half + 1)
    middle = (pass_hz + stop_hz) / sample_rate
    kernel = middle * np.sinc(middle * n) * np.kaiser(2 * half + 1, 0.1102 * (_STOPBAND_DB - 8.7))
    return kernel / kernel.sum()


def filtered(samples: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`samples` `[channels, time]` through a centred kernel `[odd]`, silence around them; float64, as long as it was."""
    n, half = samples.shape[-1], len(kernel) // 2
    size = 1 << (n + len(kernel)).bit_length()
    product = np.fft.rfft(samples, size) * np.fft.rfft(kernel, size)
    return np.fft.irfft(product, size)[..., half : half + n]


def phase_retrieval(magnitude: np.ndarray, restored: Clip, n_fft: int = 1024, hop: int = 256,
                    n_iterations: int = 100) -> tuple[Clip, float]:
    """A clip with the given magnitudes, from the phases of `restored`, and how far its own magnitudes are from them.

    Fast Griffin-Lim from the restored phase, of which the best iterate is kept. Not every array of magnitudes is that of
    a sound, hence the error: 20 log10(norm(STFT magnitude - given) / norm(given)), dB, over all channels.

    Args:
        magnitude: `[channels, bins, frames]`, or `[bins, frames]` for every channel: of a periodic Hann window of `n_fft`
            samples, a frame every `hop`, centred, so that there are n_samples // hop + 1 frames.
        restored: gives phases, rate and length.

    Raises:
        InvalidInput: the magnitudes are not finite, negative, all zero, or do not fit the clip.
    """
    given = _checked_magnitude(magnitude, restored, n_fft, hop)
    start = spectrum(torch.from_numpy(restored.samples), n_fft, hop)
    best, best_error = restored, math.inf
    for audio in griffin_lim(given, start, n_fft, hop, restored.n_samples, n_iterations):
        error = magnitude_error_db(given, audio, n_fft, hop)
        if error < best_error:
            best, best_error = replace(restored, samples=audio.numpy()), error
    return best, best_error


def magnitude_error_db(magnitude: torch.Tensor, audio: torch.Tensor, n_fft: int, hop: int) -> float:
    """Distance of the STFT magnitudes of `audio` `[channels, time]` from those given, dB of their norm."""
    distance = torch.linalg.vector_norm(spectrum(audio, n_fft, hop).abs() - magnitude)
    return 20.0 * math.log10(max(float(distance / torch.linalg.vector_norm(magnitude)), 1e-12))


def _checked_magnitude(magnitude: np.ndarray, restored: Clip, n_fft: int, hop: int) -> torch.Tensor:
    wanted = (restored.channels, n_fft // 2 + 1, restored.n_samples // hop + 1)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        given = np.asarray(magnitude, dtype=np.float32)
    if given.shape not in (wanted, wanted[1:]):
        raise InvalidInput(f"The magnitudes have the shape {list(given.shape)}; this clip takes {list(wanted)} (channels, "
                           f"bins, frames): Hann window of {n_fft} samples, a frame every {hop}, centred.")
    if not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise InvalidInput("The magnitudes hold NaN, infinite or negative values, or nothing but zeros. Give the absolute "
                           "values of a short-time Fourier transform.")
    return torch.from_numpy(np.array(np.broadcast_to(given, wanted)))  # a copy: a view could not be written to


def declip(clip: Clip, restored: Clip, clipped: np.ndarray) -> Clip:
    """The clip with its clipped samples from `restored`, all others bit for bit its own.

    The difference between the two at the edges of each clipped run is spread linearly over it, so that the curve does not
    jump; then every clipped sample is at least as far from zero as the clip has it, on the same side.

    Args:
        clipped: bool `[channels, time]`, True where the clip is clipped.

    Raises:
        InvalidInput: the two clips, or the mask, differ in shape or rate.
    """
    _require_alike(clip, restored)
    if clipped.shape != clip.samples.shape or clipped.dtype != np.bool_:
        raise InvalidInput(f"The mask of clipped samples is {clipped.dtype} {list(clipped.shape)}; it has to be bool "
                           f"{list(clip.samples.shape)}, as the clip.")
    samples = clip.samples.copy()
    for given, made, mask, out in zip(clip.samples, restored.samples, clipped, samples, strict=True):
        known, where = np.flatnonzero(~mask), np.flatnonzero(mask)
        offset = np.interp(where, known, (given - made)[known]) if len(known) else 0.0
        side = np.where(given[where] < 0, -1.0, 1.0)
        farther = np.maximum((side * (made[where] + offset)).astype(np.float32), np.abs(given[where]))
        out[where] = side * farther
    return replace(clip, samples=samples)


def _require_alike(clip: Clip, restored: Clip) -> None:
    if clip.samples.shape != restored.samples.shape or clip.sample_rate != restored.sample_rate:
        raise InvalidInput(f"The restored clip ({restored.channels} channels, {restored.n_samples} samples, "
                           f"{restored.sample_rate} Hz) is not like the one it is made from ({clip.channels}, "
                           f"{clip.n_samples}, {clip.sample_rate} Hz). Bring it to that rate and length first.")
