# SPDX-License-Identifier: GPL-3.0-or-later
"""The patches that ship: as the table makes them today, sound by Max's reference, with the table's addresses alone."""

import json
import re

import pytest
from py2max import Patcher

from bridge.adapters import max_patches
from bridge.adapters.amxd import unpack
from bridge.host_files import HOSTS
from bridge.routes import EVENTS, PREFIX, ROUTES

PATCHES = ("max/athanor.maxpat", "max/athanor.maxhelp")
SCRIPTS = sorted([*HOSTS.glob("max/*.js"), *HOSTS.glob("live/*.js")])


def boxes(text: str) -> list[dict]:
    return [entry["box"] for entry in json.loads(text)["patcher"]["boxes"]]


def every_patch() -> dict[str, str]:
    patches = {name: (HOSTS / name).read_text() for name in PATCHES}
    return patches | {"live/Athanor.amxd": unpack((HOSTS / "live" / "Athanor.amxd").read_bytes())[0]}


def test_the_files_are_what_the_table_makes_today():
    for path, data in max_patches.made().items():
        assert path.read_bytes() == data, f"{path.name}: run `python -m bridge.adapters.max_patches`"


@pytest.mark.parametrize("name", [*PATCHES, "live/Athanor.amxd"])
def test_patches_hold_against_max_s_reference(name, tmp_path):
    text = every_patch()[name]
    (tmp_path / "x.maxpat").write_text(text)
    findings = map(str, Patcher.from_file(tmp_path / "x.maxpat").lint())
    # The window is as small as the display, the rest lies beside it; `athanor` is the patch itself.
    assert [each for each in findings if "W-OFFCANVAS" not in each and "'athanor'" not in each] == []
    for box in boxes(text):
        names = {box["maxclass"]} | ({box["text"].split()[0]} if box["maxclass"] == "newobj" else set())
        assert names <= max_patches.OBJECTS
    assert "SPDX-License-Identifier: MIT" in text


def test_every_address_of_the_patches_is_in_the_table_and_none_is_missing():
    said = [box.get("text", "") for text in every_patch().values() for box in boxes(text)]
    requests = {text.split()[0] for text in said if text.startswith("/")}
    assert requests == set(ROUTES)
    heard = {word for text in said if text.startswith("route /") for word in text.split()[1:]}
    assert heard == {event.address for event in EVENTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_ask_only_for_what_the_table_has_in_words_that_max_8_knows(path):
    text = path.read_text()
    assert text.startswith("// SPDX-License-Identifier: MIT")
    code = re.sub(r"//.*", "", text)
    assert re.findall(r"=>|`|\b(?:let|const|class|async)\b", code) == []
    for name in re.findall(r'(?:\bask|\bsend)\("([a-z/]+)"', code):
        assert f"{PREFIX}/{name}" in ROUTES or name in ("samptype", "writewave")
