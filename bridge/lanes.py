# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result's lane is called and coloured in a host, and of which sort it is. Pure."""

from __future__ import annotations

from typing import Literal, get_args

from server.errors import InvalidOption
from server.kinds.base import nearest

Lane = Literal["new_track", "take_lane", "slot", "replace"]
"""new_track: a new track. take_lane: another take beside the source clip. slot: an empty clip slot of a launcher. replace:
in the source clip's place, which stays on disk and can be got back by the host's undo."""

# A hue for each family: made of two sounds, made new, cut out, left over, changed, mended.
_COLOURS = {"fused": "#d9822b", "generated": "#2b9c8f", "recalled": "#2b9c8f", "stem": "#3d7edb", "residual": "#8a8f98",
            "edited": "#b04fc4", "variation": "#c44f8a", "restored": "#5aa83c", "processed": "#a8923c"}
_OTHERS = "#8c7ae6"
_MOST_NAME = 80


def lane(value: str) -> Lane:
    """The lane of that name; InvalidOption naming the nearest one if there is none."""
    known = get_args(Lane)
    if value not in known:
        raise InvalidOption(f"lane={value!r} is not known{nearest(value, known)}")
    return value  # type: ignore[return-value]


def colour(role: str) -> str:
    """The colour of a result by its role, `#rrggbb`."""
    return _COLOURS.get(role, _OTHERS)


def lane_name(source: str, words: str, result: str) -> str:
    """A name for a result's track or lane.

    Args:
        source: name of the track that the source clip lies on, or of the clip, or what was asked for.
        words: the words that tell this result from the others of its job; "" if it has none.
        result: the result's name, as `fused_2`.
    """
    what = words.strip() or result.replace("_", " ")
    name = f"{source.strip()}: {what}" if source.strip() else what
    return name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME - 3].rstrip()}..."
