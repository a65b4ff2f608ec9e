# SPDX-License-Identifier: GPL-3.0-or-later
"""`docs/http.md` says of every request and event how it looks by HTTP and in a spool folder."""

from pathlib import Path

from bridge.http.page import markdown
from bridge.routes import EVENTS, ROUTES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "http.md"


def test_the_page_is_the_table():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: python -m bridge.http.page > docs/http.md"


def test_every_request_and_event_is_in_the_page():
    page = markdown()
    assert "debug" not in page
    for route in ROUTES.values():
        assert f"### `POST {route.address}`" in page
    for event in EVENTS[2:]:
        assert f"| `{event.address.removeprefix('/athanor/v1/')}` |" in page
