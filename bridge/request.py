# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for, by OSC or in a terminal: a checked request, complete enough to be resumed by another process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bridge.lanes import Lane
from bridge.musical_time import MusicalTime
from bridge.placement import Start
from bridge.positions import seconds_as_samples
from bridge.regions import Region
from plugin_host import Chain
from server.kinds import find_kind


class RenderRequest(BaseModel):
    """One render, from the clips to the place where the results go.

    inputs: role -> path of the clip. names: role -> the clip's name as the client gave it. regions: role -> the part of its
    file that sounds, where it is not simply the file. pre: plugins for every input
    clip before the render, post: plugins for every result after it; as data, so that a preset may change meanwhile.
    start_samples or start_s (decimal text) at start_rate: the requested start on the timeline; a rate of 0 means the
    source clip's. music, lane, track: what the host said of tempo and key, how it will place the results, and which track
    the source clip lies on. asked: the message as it came, which tells a repeat from another request under the same id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str
    request_id: str
    origin: str
    kind: str
    inputs: dict[str, Path] = {}
    names: dict[str, str] = {}
    regions: dict[str, Region] = {}
    options: dict[str, Any] = {}
    pre: Chain | None = None
    post: Chain | None = None
    start_samples: int | None = None
    start_s: str | None = None
    start_rate: int = 0
    music: MusicalTime = MusicalTime()
    lane: Lane = "new_track"
    track: str = ""
    out: Path
    asked: str = ""

    def requested_start(self, source_rate: int) -> Start | None:
        """The start that was asked for, if any; `source_rate` (Hz) counts where the request named no rate."""
        rate = self.start_rate or source_rate
        if self.start_s is not None:
            return Start(seconds_as_samples(self.start_s, rate, "start_s"), rate, "requested")
        return None if self.start_samples is None else Start(self.start_samples, rate, "requested")


def checked_options(kind: str, options: Mapping[str, Any], roles: frozenset[str]) -> dict[str, Any]:
    """The options that were given, checked and in JSON's types; those not given keep the kind's defaults.

    Raises:
        InvalidOption, InvalidInput: as `Kind.parse`.
    """
    parsed = find_kind(kind).parse(options, roles)
    return parsed.model_dump(mode="json", include=set(options))
