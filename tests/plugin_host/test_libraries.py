# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin that lacks a library is told apart from one that is no plugin at all."""

from __future__ import annotations

from plugin_host.libraries import missing_libraries


def test_a_missing_library_is_named(plugin_lacking_a_library):
    assert missing_libraries(plugin_lacking_a_library) == ["libQ.so.6"]
    inner = next(plugin_lacking_a_library.glob("Contents/*/*.so"))
    assert missing_libraries(inner) == ["libQ.so.6"]


def test_what_is_no_library_lacks_none(broken_plugin, tmp_path):
    assert missing_libraries(broken_plugin) == []
    assert missing_libraries(tmp_path / "none.vst3") == []
