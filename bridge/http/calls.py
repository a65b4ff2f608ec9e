# SPDX-License-Identifier: GPL-3.0-or-later
"""The table's requests, answers and events as JSON objects, by the table's names. Pure."""

from __future__ import annotations

import math
from typing import Any

from bridge.packets import Message, Value
from bridge.routes import EVENTS, OK, PREFIX, Argument, Route
from server.errors import InvalidOption, RequestRefused
from server.kinds.base import nearest

OPTIONS = "options"
_EVENT_ARGUMENTS = {event.address: event.arguments for event in EVENTS}
_EMPTY: dict[str, Value] = {"s": "", "i": 0, "f": 0.0}
_STATUS = {"unknown_address": 404, "unknown_job": 404, "conflict": 409, "not_ended": 409, "selection_full": 409,
           "forbidden": 403, "no_such_file": 404, "too_large": 413, "too_slow": 408, "too_many": 429, "busy": 503,
           "server_unreachable": 503, "storage_full": 507, "internal": 500}


class Collected:
    """An outlet that keeps an answer and what follows it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def check(self) -> None:
        """RequestRefused if the answer is an error."""
        if self.messages[0].address != OK:
            _, _, code, message = self.messages[0].values
            raise RequestRefused(str(message), code=str(code), retryable=False)


def message_of(route: Route, body: Any) -> Message:
    """The request that a JSON object stands for: arguments by name, and `options`, an object, for what follows an @.

    A list stands for several values of one option, true and false for 1 and 0; what is null is not set.

    Raises:
        InvalidOption: no object, a name that the route does not have (the nearest one is named), an argument that is
            missing, or a value that is no text, number or truth value.
    """
    given = _object(body, "the body")
    options = _object(given.pop(OPTIONS, None) or {}, OPTIONS)
    _check_names(route, given)
    values = [_value(argument.name, given.get(argument.name)) for argument in route.arguments]
    values = [_EMPTY[argument.type] if value is None else value
              for argument, value in zip(route.arguments, values[:_count(route, values)], strict=False)]
    for name, value in options.items():
        several = value if isinstance(value, list) else [value]
        if several and value is not None:
            values += [f"@{name}", *(_set_value(name, each) for each in several)]
    return Message(route.address, tuple(values))


def answer_json(route: Route | None, messages: list[Message]) -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON of an answer; the messages that followed it are under `events`."""
    first, *others = messages
    if first.address != OK:
        request, _, code, message = first.values
        return refusal_json(str(code), str(message), str(request))
    assert route is not None
    answer = {"ok": True, "request": first.values[0], **_named(route.reply, first.values[2:])}
    if others:
        answer["events"] = [event_json(message) for message in others]
    return 200, answer


def refusal_json(code: str, message: str, request: str = "") -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON of what was refused."""
    return _STATUS.get(code, 400), {"ok": False, "request": request, "code": code, "message": message}


def event_name(message: Message) -> str:
    """What an event is called: its address without the common beginning."""
    return message.address.removeprefix(f"{PREFIX}/")


def event_json(message: Message) -> dict[str, Any]:
    """A message that Athanor sends by itself, by the names of its arguments."""
    return {"event": event_name(message), **_named(_EVENT_ARGUMENTS[message.address], message.values)}


def _named(arguments: tuple[Argument, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {argument.name: value for argument, value in zip(arguments, values, strict=False)}


def _count(route: Route, values: list[Any]) -> int:
    """How many fixed arguments to send: up to the last one given, and all that are needed."""
    last = max((number for number, value in enumerate(values, 1) if value is not None), default=0)
    for argument, value in zip(route.arguments, values, strict=True):
        if argument.required and value is None:
            raise InvalidOption(f"{argument.name!r} is missing: {argument.meaning}.")
    return last


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidOption(f"{what} must be a JSON object, not {type(value).__name__}.")
    return dict(value)


def _check_names(route: Route, given: dict[str, Any]) -> None:
    known = [argument.name for argument in route.arguments]
    for name in given:
        if name not in known:
            raise InvalidOption(f"{route.address} has no argument {name!r}{nearest(name, [*known, OPTIONS])}")


def _set_value(name: str, value: Any) -> Value:
    read = _value(name, value)
    if read is None:
        raise InvalidOption(f"{name}: a list holds a null; give texts or numbers.")
    return read


def _value(name: str, value: Any) -> Value | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidOption(f"{name}={value} is not a number.")
    if isinstance(value, str) and value.startswith("@") and len(value) > 1:
        raise InvalidOption(f"{name}={value!r} begins with @, which marks the name of an option; leave it out.")
    if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "ignore").decode() != value):
        raise InvalidOption(f"{name} holds a character that no text may hold (NUL, or half a surrogate pair).")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise InvalidOption(f"{name} is neither a text nor a number.")
