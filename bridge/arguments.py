# SPDX-License-Identifier: GPL-3.0-or-later
"""From the values of an OSC message to the arguments and @options of its route. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.packets import Message
from bridge.routes import CLIENT, Argument, Route
from server.errors import InvalidOption
from server.kinds.base import nearest


@dataclass(frozen=True)
class Call:
    """A request that fits its route.

    values: by argument name; texts and whole numbers. options: @options that were set. client: of `@client`, or "".
    asked: the message in one spelling, equal for equal messages.
    """

    route: Route
    values: dict[str, str | int]
    options: dict[str, Any]
    client: str
    asked: str

    @property
    def request_id(self) -> str:
        first = self.route.arguments[0].name
        return str(self.values.get(first, ""))


def request_id_of(message: Message) -> str:
    """The id that an answer should carry, also where the message is otherwise wrong; "" if there is none."""
    first = message.values[0] if message.values else ""
    return as_text(first) if isinstance(first, (str, int, float)) and not _is_key(first) else ""


def parse(route: Route, message: Message) -> Call:
    """The message as a call of its route.

    Raises:
        InvalidOption: too few or too many arguments, one of a wrong type, or an option that the route does not have (the
            nearest one is named), that is given twice or that has no value.
    """
    values = message.values
    for number, value in enumerate(values, 1):
        if not isinstance(value, (str, int, float)):
            raise InvalidOption(f"argument {number} of {route.address} is neither a text nor a number.")
    first_key = next((index for index, value in enumerate(values) if _is_key(value)), len(values))
    options = _options(route, values[first_key:])
    client = str(options.pop(CLIENT.name, ""))
    return Call(route, _fixed(route, values[:first_key]), options, client, json.dumps([message.address, *values]))


def _fixed(route: Route, given: Sequence[Any]) -> dict[str, str | int]:
    needed = [argument for argument in route.arguments if argument.required]
    if not len(needed) <= len(given) <= len(route.arguments):
        takes = " ".join(a.name if a.required else f"[{a.name}]" for a in route.arguments)
        raise InvalidOption(f"{route.address} takes {takes}; {len(given)} arguments came.")
    return {argument.name: _read(argument, value) for argument, value in zip(route.arguments, given, strict=False)}


def _read(argument: Argument, value: Any) -> str | int:
    if argument.type == "s":
        return as_text(value)
    try:
        number = int(value)
    except (ValueError, OverflowError):
        number = None
    if number is None or (isinstance(value, float) and number != value):
        raise InvalidOption(f"{argument.name}={value!r} is not a whole number.")
    return number


def _options(route: Route, values: Sequence[Any]) -> dict[str, Any]:
    known = [option.name for option in (*route.options, CLIENT)]
    groups: dict[str, list[Any]] = {}
    for value in values:
        if not _is_key(value):
            groups[list(groups)[-1]].append(value)
            continue
        name = value[1:]
        if name not in known:
            raise InvalidOption(f"{route.address} has no option @{name}{nearest(name, known)}")
        if name in groups:
            raise InvalidOption(f"@{name} is given twice.")
        groups[name] = []
    for name, group in groups.items():
        if not group:
            raise InvalidOption(f"@{name} has no value; give one after it.")
    several = {option.name for option in route.options if option.several}
    joined = {name: _joined(group, name in several) for name, group in groups.items()}
    return {name: value for name, value in joined.items() if value not in ("", [""])}


def _joined(group: list[Any], apart: bool) -> Any:
    """The values behind one @name as one value: a list of texts where each stands by itself, else one text."""
    if apart:
        return [as_text(value) for value in group]
    return group[0] if len(group) == 1 else " ".join(map(as_text, group))


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("@") and len(value) > 1


def as_text(value: str | int | float) -> str:
    """A value as text; whole floats without a point, as the person who typed them means them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
