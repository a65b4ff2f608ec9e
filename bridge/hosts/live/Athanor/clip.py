# SPDX-License-Identifier: MIT
"""What of a Live clip's file sounds, as the options of `clip/add`; the same rules as in athanor_clip.js."""

REPITCH = 3
_STRAIGHT = 1e-6


class CannotRender(Exception):
    """Only Live can render this clip; the message says what to do."""


def describe(clip, tempo, track):
    """The options of an audio clip.

    tempo: quarter notes a minute. track: name of the clip's track. Raises CannotRender.
    """
    offset, length, rate, preserve = _sounding(clip, tempo)
    if offset < -_STRAIGHT:
        raise CannotRender("it begins before its file does: move its start, or consolidate it")
    options = ["@offset_s", decimal(max(0.0, offset)), "@length_s", decimal(length), "@track", track]
    if abs(rate - 1) > _STRAIGHT:
        options += ["@playback_rate", decimal(rate), "@preserve_pitch", int(preserve)]
    if clip.is_arrangement_clip:
        options += ["@start_s", decimal(clip.start_time * 60 / tempo), "@start_beats", decimal(clip.start_time)]
    return options


def decimal(number):
    """A number as the bridge reads it exactly, never as 1e-7."""
    return f"{number:.12f}".rstrip("0").rstrip(".")


def _sounding(clip, tempo):
    """Seconds of the file at which it begins, how many sound, how fast, and whether at their own pitch."""
    pitch = 2 ** ((clip.pitch_coarse + clip.pitch_fine / 100) / 12)
    if not clip.warping:
        return clip.loop_start, clip.loop_end - clip.loop_start, pitch, False
    markers = [(marker.beat_time, marker.sample_time) for marker in clip.warp_markers]
    slope = _seconds_per_beat(markers)
    preserve = clip.warp_mode != REPITCH
    if preserve and abs(pitch - 1) > _STRAIGHT:
        raise CannotRender("it is transposed while warped, which only Live can render: flatten it, or set Transpose to 0")
    start = clip.start_marker if clip.looping else clip.loop_start
    beats = clip.end_time - clip.start_time if clip.is_arrangement_clip else clip.loop_end - start
    if clip.looping and start + beats > clip.loop_end + _STRAIGHT:
        raise CannotRender("it repeats its loop: consolidate it (Ctrl-J, Cmd-J), or make it no longer than the loop")
    return markers[0][1] + slope * (start - markers[0][0]), slope * beats, slope * tempo / 60, preserve


def _seconds_per_beat(markers):
    """Seconds of the file in one beat; CannotRender where the markers do not lie on one line."""
    (first_beat, first), (last_beat, last) = markers[0], markers[-1]
    slope = (last - first) / (last_beat - first_beat) if last_beat > first_beat else 0.0
    if slope <= 0 or any(abs(first + slope * (beat - first_beat) - time) > _STRAIGHT for beat, time in markers):
        raise CannotRender("its warp markers bend it, and only Live can render that: consolidate or unwarp it")
    return slope
