# SPDX-License-Identifier: MIT
"""Results into a Live Set: onto new tracks at their beats, or take lanes of the source's track. Never over anything."""

import json
import os

LAST_BEAT = 1576800.0
_NEAR = 1e-5  # beats: a quarter of a sample at 120 bpm and 48 kHz


class NotPlaced(Exception):
    """Nothing, or not all, could be placed; the message says why."""


def read_result(root, done, tempo):
    """What is known of a result: path, beats, name, colour (int or None). done: the values of its `done` message."""
    path, beats, name, colour = os.path.join(root, *done[5].split("/")), float(done[8]) * tempo / 60, done[4], None
    try:
        with open(os.path.join(root, *done[6].split("/")), encoding="utf-8") as file:
            record = json.load(file)
        name = record.get("name") or name
        beats = beats if record.get("start_beats") is None else record["start_beats"]
        colour = int(record["colour"][1:], 16) if record.get("colour") else None
    except (OSError, ValueError):
        pass  # the sound is there: it is placed where the message says
    return {"path": path, "beats": beats, "name": name, "colour": colour}


def place(song, results, lane, track):
    """Make the clips. lane: new_track or take_lane; track: the source's, or None. Returns the clips and words for where.

    Raises NotPlaced, before anything is made where that can be known.
    """
    for result in results:
        if not 0 <= result["beats"] <= LAST_BEAT:
            raise NotPlaced(f"Live has no beat {result['beats']}.")
    on_lanes = lane == "take_lane" and track is not None and track.has_audio_input and not track.is_frozen
    clips = [_one(song, result, track if on_lanes else None) for result in results]
    where = "take lanes of " + track.name if on_lanes else ", ".join("track " + result["name"] for result in results)
    return clips, "Live, " + where


def check(clips, results):
    """Whether clips lie where they belong, a moment after they were made. Raises NotPlaced."""
    for clip, result in zip(clips, results, strict=True):
        if clip.warping or abs(clip.start_time - result["beats"]) >= _NEAR:
            raise NotPlaced(f"{result['name']} is not where it belongs, or is warped; undo, or move it by hand.")


def _one(song, result, track):
    try:
        if track is None:
            parent = song.create_audio_track(-1) or song.tracks[-1]
            _dress(parent, result)
        else:
            parent = track.create_take_lane() or track.take_lanes[-1]
            parent.name = result["name"]
        parent.create_audio_clip(result["path"], result["beats"])
    except RuntimeError as error:
        raise NotPlaced(f"Live did not take {result['path']}: {error}") from None
    found = [clip for clip in parent.arrangement_clips if abs(clip.start_time - result["beats"]) < _NEAR]
    if not found:
        raise NotPlaced(f"Live has made no clip of {result['path']}.")
    found[-1].warping = False
    _dress(found[-1], result)
    return found[-1]


def _dress(thing, result):
    thing.name = result["name"]
    if result["colour"] is not None:
        thing.color = result["colour"]
