# SPDX-License-Identifier: GPL-3.0-or-later
"""The table as an OSCQuery tree (github.com/Vidvox/OSCQueryProposal): what can be sent, and where to. Pure."""

from __future__ import annotations

from typing import Any

from bridge.routes import EVENTS, ROUTES, Argument, Event, Route

_NO_VALUE, _WRITE_ONLY = 0, 2
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "DESCRIPTION")


def host_info(name: str, osc_port: int) -> dict[str, Any]:
    """What `?HOST_INFO` answers. `EXTENSIONS` names the optional attributes that nodes have."""
    return {"NAME": name, "OSC_IP": "127.0.0.1", "OSC_PORT": osc_port, "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": {"ACCESS": True, "DESCRIPTION": True, "VALUE": False, "RANGE": False, "LISTEN": False}}


def node(path: str) -> dict[str, Any] | None:
    """The node of an OSC address, with all that is under it; None where nothing is."""
    if path == "/":
        return _TREE
    found: dict[str, Any] | None = _TREE
    for part in path.strip("/").split("/"):
        found = found.get("CONTENTS", {}).get(part) if found else None
    return found


def _tree() -> dict[str, Any]:
    root: dict[str, Any] = {"FULL_PATH": "/", "ACCESS": _NO_VALUE, "DESCRIPTION": "Athanor's bridge", "CONTENTS": {}}
    for route in ROUTES.values():
        _put(root, route.address, _method(route))
    for event in EVENTS:
        _put(root, event.address, _told(event))
    return root


def _put(root: dict[str, Any], address: str, attributes: dict[str, Any]) -> None:
    place, path = root, ""
    for part in address.strip("/").split("/"):
        path = f"{path}/{part}"
        place = place.setdefault("CONTENTS", {}).setdefault(part, {"FULL_PATH": path, "ACCESS": _NO_VALUE})
    place.update(attributes)


def _method(route: Route) -> dict[str, Any]:
    options = " ".join(f"@{option.name}" for option in route.options if option.listed)
    help_text = f"{route.help} Takes {_names(route.arguments)}." + (f" Options: {options}." if options else "")
    return {"ACCESS": _WRITE_ONLY, "TYPE": _types(route.arguments), "DESCRIPTION": help_text}


def _told(event: Event) -> dict[str, Any]:
    return {"TYPE": _types(event.arguments), "DESCRIPTION": f"Sent by Athanor: {event.help}"}


def _names(arguments: tuple[Argument, ...]) -> str:
    return " ".join(argument.name if argument.required else f"[{argument.name}]" for argument in arguments)


def _types(arguments: tuple[Argument, ...]) -> str:
    return "".join(argument.type for argument in arguments)


_TREE = _tree()
