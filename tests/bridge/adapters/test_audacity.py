# SPDX-License-Identifier: GPL-3.0-or-later
"""Audacity's side without Audacity: its configuration, the texts of its commands, and what the command line takes."""

import pytest

from bridge.adapters import audacity_pipe
from bridge.adapters.audacity import CONFIG, FORMER, install
from bridge.adapters.bridge_link import BridgeLink
from bridge.commands.audacity import options_of
from server.errors import InvalidOption, ServerUnreachable

BEFORE = """A=1
[Module]
mod-other=2
mod-script-pipe=4
[ModulePath]
mod-script-pipe=/usr/lib/m.so
[Z]
mod-script-pipe=9
"""


def test_the_module_is_enabled_and_set_back_and_nothing_else_is_touched(tmp_path):
    config = tmp_path / CONFIG
    config.write_text(BEFORE)
    assert install(tmp_path) == [config]
    assert config.read_text() == BEFORE.replace("pipe=4", "pipe=1")
    install(tmp_path)
    install(tmp_path, undo=True)
    assert config.read_text() == BEFORE
    assert not (tmp_path / FORMER).exists()
    install(tmp_path, undo=True)
    assert config.read_text() == BEFORE


def test_an_audacity_that_was_never_started_is_refused(tmp_path):
    with pytest.raises(InvalidOption, match="start Audacity once"):
        install(tmp_path)
    (tmp_path / CONFIG).write_text("[Module]\n[ModulePath]\nmod-script-pipe=/usr/lib/m.so\n")
    with pytest.raises(InvalidOption, match="start Audacity once"):
        install(tmp_path)


def test_a_command_s_values_are_written_so_that_audacity_reads_them():
    assert audacity_pipe._text('a "b" \\ c\nd') == "\"a 'b' \\\\ c d\""
    assert audacity_pipe._text(1 / 3) == "0.333333333333"
    assert audacity_pipe._text(2) == "2"


def test_options_of_one_name_are_a_list_and_other_forms_are_refused():
    given = ["stem=drum hits", "stem=a=b", "snr-db=-9"]
    assert options_of(given) == {"stem": ["drum hits", "a=b"], "snr_db": "-9"}
    with pytest.raises(InvalidOption, match="NAME=VALUE"):
        options_of(["stem"])


def test_where_athanor_has_not_run_the_person_is_told_to_start_it(tmp_path):
    with pytest.raises(ServerUnreachable, match="athanor up"):
        BridgeLink(tmp_path, "audacity")
