# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of addresses: complete, in step with the kinds, and what `docs/osc.md` says."""

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.routes import EVENTS, PREFIX, ROUTES, find_route, markdown
from server.errors import InvalidOption
from server.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_the_table():
    written = (ROOT / "docs" / "osc.md").read_text(encoding="utf-8")
    assert written == markdown(), "run: python -m bridge.routes > docs/osc.md"


def test_the_command_in_the_page_prints_it():
    printed = subprocess.run([sys.executable, "-m", "bridge.routes"], capture_output=True, cwd=ROOT, timeout=60)
    assert printed.stdout.decode("utf-8").replace("\r\n", "\n") == markdown()


def test_every_kind_has_an_address_with_its_inputs_and_options():
    for kind in KINDS.values():
        route = ROUTES[f"{PREFIX}/render/{kind.name}"]
        placed = [spec.role for spec in kind.inputs if not spec.flag]
        named = {spec.role for spec in kind.inputs if spec.flag}
        assert [argument.name for argument in route.arguments] == ["request", *placed]
        assert {option.name for option in route.options} >= set(kind.options.model_fields) | named


def test_option_names_of_a_render_are_unique():
    for route in ROUTES.values():
        names = [option.name for option in route.options]
        assert len(names) == len(set(names)), route.address


def test_every_request_begins_with_its_id_and_only_i_f_s_are_used():
    for route in ROUTES.values():
        assert route.arguments[0].type == "s"
        assert {argument.type for argument in route.arguments + route.reply} <= set("ifs")
    for event in EVENTS:
        assert {argument.type for argument in event.arguments} <= set("ifs")


def test_optional_arguments_come_last():
    for route in ROUTES.values():
        required = [argument.required for argument in route.arguments]
        assert required == sorted(required, reverse=True)


def test_an_address_is_found_as_it_is_written():
    assert find_route(f"{PREFIX}/ping") is ROUTES[f"{PREFIX}/ping"]
    with pytest.raises(InvalidOption, match="did you mean '/athanor/v1/ping'"):
        find_route(f"{PREFIX}/pong")


def test_every_address_is_in_the_page_and_the_debug_kind_is_not():
    page = markdown()
    assert "debug" not in page
    for route in ROUTES.values():
        assert f"### `{route.address}`" in page
    for event in EVENTS:
        assert f"### `{event.address}`" in page
