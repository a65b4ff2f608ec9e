# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of routes as JavaScript, for the scripts inside Max and Live: `bridge/hosts/max/athanor_table.js`."""

from __future__ import annotations

import json
from typing import Any

from bridge.routes import DEFAULT_PORT, EVENTS, PREFIX, ROUTES
from server.kinds import KINDS

_HEAD = """// SPDX-License-Identifier: MIT
// Made from bridge/routes.py by `python -m bridge.adapters.max_patches`; not to be edited.
"""


def short(address: str) -> str:
    """An address without its prefix: `render/fuse`."""
    return address.removeprefix(f"{PREFIX}/")


def table() -> dict[str, Any]:
    """port, prefix; what each request's `ok` adds and the arguments of each event, by short address; audio inputs of each
    kind in their order."""
    return {
        "port": DEFAULT_PORT,
        "prefix": PREFIX,
        "replies": {short(route.address): [a.name for a in route.reply] for route in ROUTES.values()},
        "events": {short(event.address): [a.name for a in event.arguments] for event in EVENTS},
        "kinds": {name: [spec.role for spec in kind.inputs if spec.is_audio and not spec.flag]
                  for name, kind in KINDS.items()},
    }


def table_script() -> str:
    """The file's text."""
    lines = [f"exports.{name} = {json.dumps(value, indent=2)};" for name, value in table().items()]
    return _HEAD + "\n".join(lines) + "\n"
