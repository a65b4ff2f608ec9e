# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour's registered scripts: ours come and go, and a person's own stay byte for byte."""

import base64
import re
from xml.etree import ElementTree

import pytest

from bridge.adapters.ardour_scripts import MOST_ACTIONS, action_numbers, is_empty, with_scripts, without_scripts
from server.errors import InvalidInput

# As Ardour writes it: keys in any order, bytecode with every escape of %q, a text that looks like a statement, arguments.
PERSONS = (b'scripts = {} scripts[2] = {} scripts[2]["f"] = "\\27Lua\\0\\13\\\n\\"\xff\\\\" scripts[2]["n"] = "Mine" '
           b'scripts[2]["s"] = "scripts[3] = {} -- \\"quoted\\"\\\nend" scripts[2]["a"] = {} scripts[2]["a"]["k"] = 1 '
           b'scripts[2]["c"] = true  ')
HOOK = b's = {} s["n"] = "My hook" s["s"] = "" s["f"] = "" '
FILE = (f'<UIScripts><ActionScript lua="Lua 5.3">{base64.b64encode(PERSONS).decode()}</ActionScript><ActionHooks>'
        '<LuaCallback id="900000001" lua="Lua 5.3" name="My hook" signals="1">'
        f"{base64.b64encode(HOOK).decode()}</LuaCallback></ActionHooks></UIScripts>")
ACTIONS = {"Athanor: a": 'x = "é\\n"\n', "Athanor: b": "y = 2\n"}
HOOKS = {"Athanor: watch": "z = 3\n"}


def lua_of(text):
    return base64.b64decode(ElementTree.fromstring(text).find("ActionScript").text)


def statements(lua):
    return re.sub(rb"\s+", b" ", lua.replace(b"\\\n", b"<newline>")).strip()


def test_ours_take_the_free_numbers_and_a_persons_scripts_stay_as_they_are():
    text = with_scripts(FILE, ACTIONS, HOOKS)
    assert action_numbers(text) == {"Athanor: a": 1, "Athanor: b": 3}
    assert statements(PERSONS.removeprefix(b"scripts = {}")) in statements(lua_of(text))
    assert b'scripts[1]["s"] = "x = \\"\xc3\xa9\\\\n\\"\\n"' in lua_of(text)
    hooks = ElementTree.fromstring(text).find("ActionHooks")
    assert [hook.get("id") for hook in hooks] == ["900000001", "900000002"]
    assert hooks[1].get("signals") == "001" + 46 * "0"
    assert base64.b64decode(hooks[0].text) == HOOK


def test_installing_twice_is_as_once_and_taking_out_leaves_what_was_there():
    once = with_scripts(FILE, ACTIONS, HOOKS)
    assert with_scripts(once, ACTIONS, HOOKS) == once
    assert statements(lua_of(without_scripts(once))) == statements(PERSONS)
    assert without_scripts(once) == without_scripts(FILE)
    assert not is_empty(without_scripts(once))
    assert is_empty(without_scripts(with_scripts("", ACTIONS, HOOKS)))


def test_a_file_that_is_not_known_or_full_is_refused_with_what_to_do():
    other = f"<UIScripts><ActionScript>{base64.b64encode(b'function x() end').decode()}</ActionScript></UIScripts>"
    with pytest.raises(InvalidInput, match="Script Manager"):
        with_scripts(other, ACTIONS, {})
    with pytest.raises(InvalidInput, match="no XML"):
        with_scripts("<UIScripts>", ACTIONS, {})
    with pytest.raises(InvalidInput, match=f"at most {MOST_ACTIONS}.* 1 are registered .*Remove 1 "):
        with_scripts(FILE, {f"Athanor: {number}": "" for number in range(MOST_ACTIONS)}, {})
