# SPDX-License-Identifier: GPL-3.0-or-later
"""The iXML chunk of a result: what it is and how it was made, in the words that editors of film and broadcast sound read.

Fields are those of the iXML specification 2.0; job id and number bind the results of one job together as a file set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

# What XML 1.0 does not allow in a text.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def ixml(*, project: str, take: str, note: str, family: str, file: str, sample_rate: int, channels: int,
         time_reference_samples: int, parents: tuple[str, ...] = (), user: Mapping[str, Any] | None = None) -> str:
    """The chunk's text.

    Args:
        project, take, note: free text; the take is what the result is.
        family: what the results of one job share (the job id). file: the sound file's name.
        sample_rate: Hz. time_reference_samples: start on the timeline, as in the bext chunk.
        parents: names of the files that it was made from.
        user: further facts, one line `name: value` each.
    """
    root = ElementTree.Element("BWFXML")
    high, low = divmod(time_reference_samples, 2**32)
    _fill(root, {
        "IXML_VERSION": "2.0", "PROJECT": project, "TAKE": take, "FILE_UID": f"{family} {take}", "NOTE": note,
        "FILE_SET": {"FAMILY_UID": family, "FAMILY_NAME": project},
        "SPEED": {"FILE_SAMPLE_RATE": sample_rate, "AUDIO_BIT_DEPTH": 32, "TIMESTAMP_SAMPLE_RATE": sample_rate,
                  "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI": high, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO": low},
        "HISTORY": {"ORIGINAL_FILENAME": file, "PARENT_FILENAME": ", ".join(parents)},
        "USER": "\n".join(f"{name}: {value}" for name, value in (user or {}).items()),
    })
    tracks = ElementTree.SubElement(root, "TRACK_LIST")
    _fill(tracks, {"TRACK_COUNT": channels})
    for number, side in enumerate(("left", "right") if channels == 2 else ("mono",), 1):
        _fill(ElementTree.SubElement(tracks, "TRACK"),
              {"CHANNEL_INDEX": number, "INTERLEAVE_INDEX": number, "NAME": f"{take} {side}"})
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _fill(parent: ElementTree.Element, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, Mapping):
            _fill(child, value)
        else:
            child.text = _FORBIDDEN.sub(" ", str(value))
