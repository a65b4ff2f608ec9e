# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kinds. Adding one: a file here, a file in `server/methods/`, its line in KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.errors import InvalidOption
from server.kinds.base import Kind, nearest
from server.kinds.debug import DEBUG
from server.kinds.edit import EDIT
from server.kinds.fuse import FUSE
from server.kinds.generate import GENERATE
from server.kinds.learn import LEARN
from server.kinds.restore import RESTORE
from server.kinds.separate import SEPARATE
from server.kinds.vary import VARY

KINDS: dict[str, Kind] = {kind.name: kind for kind in (FUSE, LEARN, GENERATE, SEPARATE, EDIT, RESTORE, VARY)}


def find_kind(name: str) -> Kind:
    """The kind of that name; InvalidOption naming the nearest one if there is none."""
    if name == DEBUG.name:  # in no list: it is for tests, and a server refuses it unless told otherwise
        return DEBUG
    if name not in KINDS:
        raise InvalidOption(f"there is no job kind {name!r}{nearest(name, KINDS)}")
    return KINDS[name]


def parse_options(kind: str, options: Mapping[str, Any], roles: frozenset[str] | None = None) -> Any:
    """Checked options of `kind`; see `Kind.parse`."""
    return find_kind(kind).parse(options, roles)
