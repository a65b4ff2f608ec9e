# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a damage before anything is rendered: given as an option or a file, or read off the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from server.audio import Clip, require_sound
from server.errors import InvalidInput, InvalidOption
from server.kinds.restore import RestoreOptions
from server.methods import consistency, room
from server.methods.bridge import bridged
from server.methods.damage import band_end_hz, clip_level, clipped_samples
from server.methods.griffin_lim import spectrum
from server.methods.widen import widened
from server.sampling.noise import KeyedNoise

_N_FFT, _HOP = 1024, 256  # of a clip's own magnitudes
_ROUGH_ITERATIONS = 32
LONGEST_GUESS_S = 1.0
"""Of a room that is guessed from the clip: what dies away more slowly is more often a sound of its own than a room."""
_WITHOUT_STRENGTH = ("inpaint", "phase_retrieval", "separate")


@dataclass(frozen=True)
class Known:
    """Of the task's damage: cutoff_hz, level (of the clip's samples), rt60_s or a recorded room, magnitudes
    [channels, bins, frames]; what another task would need is None."""

    cutoff_hz: float | None = None
    level: float | None = None
    rt60_s: float | None = None
    room: Clip | None = None
    magnitude: np.ndarray | None = None

    def told(self) -> dict[str, float]:
        """The numbers among it, for the provenance."""
        numbers = {"cutoff_hz": self.cutoff_hz, "clip_level": self.level, "rt60_s": self.rt60_s}
        return {name: round(value, 4) for name, value in numbers.items() if value is not None}

    def response(self, sample_rate: int) -> np.ndarray:
        """The room [n] at this rate: as recorded, else one made of its reverberation time."""
        if self.room is not None:
            return room.measured(self.room, sample_rate)
        assert self.rt60_s is not None, "asked for by dereverb alone"
        return room.parametric(self.rt60_s, sample_rate)

    def window(self) -> tuple[int, int]:
        """n_fft and hop of the magnitudes."""
        assert self.magnitude is not None, "asked for by phase_retrieval alone"
        n_fft = 2 * (self.magnitude.shape[-2] - 1)
        return n_fft, n_fft // 4


def known(clips: Mapping[str, Clip], files: Mapping[str, Path], options: RestoreOptions) -> Known:
    """What the options, the inputs and the clip say.

    Raises:
        InvalidInput: the clip is silent or too short; unreadable magnitudes; a room that the clip does not tell.
        InvalidOption: a gap, cutoff or level that the clip does not have; a strength where it has no meaning.
    """
    clip, task = clips["clip"], options.task
    require_sound(clip, "The clip")
    if options.strength != 1.0 and task in _WITHOUT_STRENGTH:
        raise InvalidOption(f"restore: strength={options.strength:g} has no meaning for task={task}; leave it out.")
    if task == "inpaint":
        consistency.gap_samples(clip, options.gap)
    if task == "super_resolution":
        cutoff_hz = options.cutoff_hz or band_end_hz(clip)
        consistency.require_cutoff(cutoff_hz, clip.sample_rate)
        return Known(cutoff_hz=cutoff_hz)
    if task == "declip":
        level = options.clip_level or clip_level(clip)
        clipped_samples(clip, level)
        return Known(level=level)
    if task == "phase_retrieval":
        return Known(magnitude=_magnitude(clip, files))
    if task == "dereverb":
        if "room" in clips:
            return Known(room=clips["room"])
        return Known(rt60_s=options.rt60 or min(room.estimate_rt60(clip), LONGEST_GUESS_S))
    return Known()


def roughly_mended(clip: Clip, options: RestoreOptions, found: Known) -> Clip:
    """What the model is shown: the clip; gaps bridged by what is beside them, a lost top copied, phases by Griffin-Lim."""
    if options.task == "inpaint":
        return bridged(clip, options.gap)
    if found.cutoff_hz is not None and found.cutoff_hz < clip.sample_rate / 2:
        return widened(clip, found.cutoff_hz)
    if found.magnitude is not None:
        noise = KeyedNoise(0, range(clip.channels), "phases")(0, (clip.n_samples,)).numpy()
        start = replace(clip, samples=0.1 * noise)
        return consistency.phase_retrieval(found.magnitude, start, *found.window(), _ROUGH_ITERATIONS)[0]
    return clip


def _magnitude(clip: Clip, files: Mapping[str, Path]) -> np.ndarray:
    """The magnitudes given, else the clip's own."""
    if "magnitude" not in files:
        return spectrum(torch.from_numpy(clip.samples), _N_FFT, _HOP).abs().numpy()
    wanted = "Give an array [channels, bins, frames] of numbers, as numpy.save writes it."
    try:
        given = np.load(files["magnitude"], allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInput(f"The magnitudes cannot be read: {error}. {wanted}") from None
    if not isinstance(given, np.ndarray) or given.ndim not in (2, 3) or given.dtype.kind not in "fiu":
        raise InvalidInput(f"The magnitudes are no such array. {wanted}")
    if given.shape[-2] < 3:  # the frames of a window of 2 (bins - 1) samples lie a quarter of it apart
        raise InvalidInput(f"The magnitudes have {given.shape[-2]} bins; there must be 3 or more. {wanted}")
    return given


def gap_frames(spans: list[tuple[int, int]], sample_rate: int, latent_hz: float, n_frames: int) -> torch.Tensor:
    """1 for latent frames that know nothing of the gaps, 0 for those in and beside one; [n_frames]."""
    free = torch.ones(n_frames)
    for start, stop in spans:
        first, last = int(start / sample_rate * latent_hz) - 1, -int(-stop / sample_rate * latent_hz // 1) + 1
        free[max(0, first) : last] = 0.0
    return free
