# SPDX-License-Identifier: GPL-3.0-or-later
"""DAWproject 1.0: a zip with `project.xml`, `metadata.xml` and the sound files in it.

For Bitwig, Studio One, Cubase and others. The arrangement counts in seconds, so that tempo moves nothing; a clip plays its
file as it is, without warps.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bridge.interchange.timeline import PlacedClip, Timeline, Track
from server import __version__

_FOLDER = "audio"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MASTER = "master"


def write(timeline: Timeline, path: Path) -> None:
    """Write the project to `path`, with a copy of every sound file in it."""
    names = embedded_names(timeline)
    with zipfile.ZipFile(path, "w") as archive:
        for name, document in (("project.xml", project(timeline, names)), ("metadata.xml", metadata(timeline))):
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), document)
        for sound, name in names.items():
            with open(sound, "rb") as file, archive.open(_entry(name, zipfile.ZIP_STORED), "w", force_zip64=True) as copy:
                while block := file.read(1 << 20):
                    copy.write(block)


def embedded_names(timeline: Timeline) -> dict[Path, str]:
    """Where each sound file lies in the zip: its own name, numbered where two files have the same."""
    names: dict[Path, str] = {}
    for clip in (clip for track in timeline.tracks for clip in track.clips):
        if clip.sound not in names:
            taken, number, name = set(names.values()), 2, f"{_FOLDER}/{clip.sound.name}"
            while name in taken:
                name, number = f"{_FOLDER}/{clip.sound.stem}-{number}{clip.sound.suffix}", number + 1
            names[clip.sound] = name
    return names


def project(timeline: Timeline, names: dict[Path, str]) -> bytes:
    """`project.xml`; names as `embedded_names` gives them."""
    root = Element("Project", version="1.0")
    SubElement(root, "Application", name="Athanor", version=__version__)
    transport = SubElement(root, "Transport")
    SubElement(transport, "Tempo", unit="bpm", value=repr(timeline.tempo_bpm), id="tempo", name="Tempo")
    SubElement(transport, "TimeSignature", numerator=str(timeline.meter[0]), denominator=str(timeline.meter[1]), id="meter")
    structure = SubElement(root, "Structure")
    for index, track in enumerate(timeline.tracks):
        element = SubElement(structure, "Track", contentType="audio", loaded="true", id=f"track{index}",
                             **_look(track.name, track.colour))
        _channel(element, f"channel{index}", "regular", track.channels, destination=_MASTER)
    _channel(SubElement(structure, "Track", contentType="audio", loaded="true", id="mastertrack", name="Master"),
             _MASTER, "master", 2)
    lanes = SubElement(SubElement(root, "Arrangement", id="arrangement"), "Lanes", timeUnit="seconds", id="lanes")
    for index, track in enumerate(timeline.tracks):
        _lane(lanes, index, track, names)
    return _document(root)


def metadata(timeline: Timeline) -> bytes:
    """`metadata.xml`: the project's title."""
    root = Element("MetaData")
    SubElement(root, "Title").text = timeline.name
    return _document(root)


def _channel(track: Element, identity: str, role: str, channels: int, **more: str) -> None:
    element = SubElement(track, "Channel", audioChannels=str(channels), role=role, solo="false", id=identity, **more)
    SubElement(element, "Mute", value="false", id=f"{identity}mute", name="Mute")
    SubElement(element, "Pan", unit="normalized", value="0.5", min="0.0", max="1.0", id=f"{identity}pan", name="Pan")
    SubElement(element, "Volume", unit="linear", value="1.0", min="0.0", max="2.0", id=f"{identity}volume", name="Volume")


def _lane(lanes: Element, index: int, track: Track, names: dict[Path, str]) -> None:
    lane = SubElement(lanes, "Lanes", track=f"track{index}", id=f"lane{index}")
    clips = SubElement(lane, "Clips", id=f"clips{index}")
    for clip in track.clips:
        _clip(clips, clip, names[clip.sound])


def _clip(clips: Element, clip: PlacedClip, file: str) -> None:
    # The shortest decimal of a double: read back it is the same double, and that rounds to the exact sample.
    duration = repr(float(clip.duration))
    element = SubElement(clips, "Clip", time=repr(float(clip.start.seconds)), duration=duration,
                         contentTimeUnit="seconds", playStart="0.0", **_look(clip.name, clip.colour))
    audio = SubElement(element, "Audio", channels=str(clip.channels), duration=duration, algorithm="raw",
                       sampleRate=str(clip.sample_rate))
    SubElement(audio, "File", path=file, external="false")


def _look(name: str, colour: str) -> dict[str, str]:
    return {"name": name} | ({"color": colour} if colour else {})


def _document(root: Element) -> bytes:
    indent(root)
    return tostring(root, encoding="UTF-8", xml_declaration=True)


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = compression
    entry.external_attr = 0o644 << 16
    return entry
