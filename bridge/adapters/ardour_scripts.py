# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour's file `ui_scripts`: the actions and hooks that a person has registered. Pure; what is not ours stays as it is.

Actions are kept as Lua text in base64: `scripts = {} scripts[1] = {} scripts[1]["n"] = "name" ["s"] = "source"
["f"] = "factory"`, where the factory is whatever Lua's `load` takes: bytecode, or text as here, which no Lua version minds.
Hooks are elements of their own, each with one such table and a mask of the signals that it is called for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from xml.etree import ElementTree

from server.errors import InvalidInput

OURS = "Athanor: "
MOST_ACTIONS = 32
_LUA = "Lua 5.3"
# Of Ardour 7: how many signals its hooks know, and which of them comes every second.
_SIGNALS, _EVERY_SECOND = 49, 46
WITH_HOOKS = (7,)
"""Versions of Ardour whose signals are numbered like that; in others the person adds the hook."""
_FIRST_ID = 900_000_001
_STRING = rb'"(?:[^"\\]|\\.)*"'
_KEY = rb"\[(?:\d+|" + _STRING + rb")\]"
_STATEMENT = re.compile(rb"\s*scripts(?:\[(\d+)\]((?:" + _KEY + rb")*))? = (\{\}|" + _STRING + rb"|[\w.+-]+)\s*", re.DOTALL)


def with_scripts(text: str, actions: Mapping[str, str], hooks: Mapping[str, str]) -> str:
    """The file with our actions and hooks in it, in place of those of an earlier version.

    Args:
        text: the file; "" where there is none.
        actions, hooks: Lua source by name; every name begins with OURS. Actions take the lowest free numbers, in order.

    Raises:
        InvalidInput: the file is not as Ardour writes it, or has no room.
    """
    tree = _without_ours(text)
    node = tree.find("ActionScript")
    assert node is not None
    kept = _entries(node)
    free = [number for number in range(1, MOST_ACTIONS + 1) if number not in kept]
    if len(free) < len(actions):
        raise InvalidInput(f"Ardour holds at most {MOST_ACTIONS} scripts, and {len(kept)} are registered already. Remove "
                           f"{len(actions) - len(free)} in Edit > Lua Scripts > Script Manager and try again.")
    for number, (name, source) in zip(free, actions.items(), strict=False):
        kept[number] = _table(f"scripts[{number}]", name, source)
    _write(node, kept)
    callbacks = tree.find("ActionHooks")
    assert callbacks is not None
    taken = {callback.get("id") for callback in callbacks}
    ids = (str(number) for number in range(_FIRST_ID, _FIRST_ID + 1000) if str(number) not in taken)
    mask = f"{1 << _EVERY_SECOND:0{_SIGNALS}b}"
    for name, source in hooks.items():
        callback = ElementTree.SubElement(callbacks, "LuaCallback", lua=_LUA, id=next(ids), name=name, signals=mask)
        callback.text = _base64(_table("s", name, source))
    return _text(tree)


def without_scripts(text: str) -> str:
    """The file without our actions and hooks. Errors as `with_scripts`."""
    return _text(_without_ours(text))


def action_numbers(text: str) -> dict[str, int]:
    """Our actions in the file, by name: N of Ardour's action `LuaAction/script-N`."""
    node = _tree(text).find("ActionScript")
    assert node is not None
    return {name: number for number, entry in _entries(node).items()
            if (name := _name(entry)).startswith(OURS)}


def is_empty(text: str) -> bool:
    """Whether nothing is registered any more."""
    tree = _tree(text)
    node, hooks = tree.find("ActionScript"), tree.find("ActionHooks")
    assert node is not None
    assert hooks is not None
    return not _entries(node) and not len(hooks)


def _without_ours(text: str) -> ElementTree.Element:
    tree = _tree(text)
    node, hooks = tree.find("ActionScript"), tree.find("ActionHooks")
    assert node is not None
    assert hooks is not None
    _write(node, {number: entry for number, entry in _entries(node).items() if not _name(entry).startswith(OURS)})
    for callback in list(hooks):
        if _name(base64.b64decode(callback.text or "")).startswith(OURS):
            hooks.remove(callback)
    return tree


def _tree(text: str) -> ElementTree.Element:
    """The file's root, with both of its parts."""
    try:
        tree = ElementTree.fromstring(text) if text.strip() else ElementTree.Element("UIScripts")
    except ElementTree.ParseError as error:
        raise InvalidInput(f"Ardour's file ui_scripts is no XML ({error}); move it away and try again.") from None
    if tree.find("ActionScript") is None:
        ElementTree.SubElement(tree, "ActionScript", lua=_LUA).text = _base64(b"scripts = {} ")
    if tree.find("ActionHooks") is None:
        ElementTree.SubElement(tree, "ActionHooks")
    return tree


def _entries(node: ElementTree.Element) -> dict[int, bytes]:
    """The registered actions by number, each as the Lua statements that make it."""
    lua = base64.b64decode(node.text or "")
    found: dict[int, bytes] = {}
    at = 0
    while at < len(lua):
        statement = _STATEMENT.match(lua, at)
        if statement is None:
            raise InvalidInput("Ardour's file ui_scripts is not written as it is known here; add the scripts by hand in "
                               "Edit > Lua Scripts > Script Manager.")
        if statement[1] is not None:
            number = int(statement[1])
            found[number] = found.get(number, b"") + statement[0].strip() + b" "
        at = statement.end()
    return found


def _write(node: ElementTree.Element, entries: Mapping[int, bytes]) -> None:
    node.text = _base64(b"scripts = {} " + b"".join(entries[number] for number in sorted(entries)))


def _name(entry: bytes) -> str:
    name = re.search(rb'\["n"\] = "((?:[^"\\]|\\.)*)"', entry)
    return name[1].decode("utf-8", "replace") if name else ""


def _table(variable: str, name: str, source: str) -> bytes:
    """The statements that make one script's table. The factory declares what Ardour gives a script that it reads."""
    factory = f"local function ardour () end\n{source}\nreturn factory (...)\n"
    head = variable.encode()
    fields = {b"n": name, b"s": source, b"f": factory}
    lines = (head + b'["' + key + b'"] = ' + _quoted(value) + b" " for key, value in fields.items())
    return head + b" = {} " + b"".join(lines)


def _quoted(text: str) -> bytes:
    replaced = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "\\n")
    return b'"' + replaced.encode() + b'"'


def _base64(lua: bytes) -> str:
    return base64.b64encode(lua).decode("ascii")


def _text(tree: ElementTree.Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(tree, encoding="unicode") + "\n"
