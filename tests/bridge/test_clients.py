# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who, and where answers go."""

import pytest

from bridge.clients import Clients
from bridge.journal import Journal
from bridge.outlets import SPOOL, UDP, Address, Nowhere, Outlets
from server.errors import InvalidOption


@pytest.fixture
def journal():
    journal = Journal(":memory:")
    yield journal
    journal.close()


def test_a_client_that_said_nothing_is_where_it_sends_from(journal):
    clients = Clients(journal, 9101)
    name = clients.name(Address("udp", "127.0.0.1:54321"))
    assert clients.address(name) == Address("udp", "127.0.0.1:54321")


@pytest.mark.parametrize("name", ["reaper", "live:set", "127.0.0.1:", "my:127.0.0.1:x"])
def test_nobody_is_at_a_name_that_never_came(journal, name):
    assert Outlets().outlet(Clients(journal, 9101).address(name)) == Nowhere(Address("", name))


def test_hello_gives_a_name_and_a_reply_port(journal):
    clients = Clients(journal, 9101)
    clients.hello("max", Address("udp", "127.0.0.1:54321"), 7400)
    assert clients.name(Address("udp", "127.0.0.1:54321")) == "max"
    assert clients.address("max") == Address("udp", "127.0.0.1:7400")
    clients.hello("pd", Address("udp", "127.0.0.1:50000"), 0)
    assert clients.address("pd") == Address("udp", "127.0.0.1:50000")


def test_names_outlive_the_bridge_and_move_with_a_new_hello(journal):
    Clients(journal, 9101).hello("max", Address("udp", "127.0.0.1:54321"), 7400)
    clients = Clients(journal, 9101)
    assert clients.address("max") == Address("udp", "127.0.0.1:7400")
    clients.hello("max", Address("udp", "127.0.0.1:54322"), 7401)
    assert clients.address("max") == Address("udp", "127.0.0.1:7401")


def test_each_transport_has_its_own_way_back(journal):
    clients = Clients(journal, 9101)
    sources = {"live": Address("http", "live"), "reaper": Address("spool", "reaper"),
               "max": Address("tcp", "127.0.0.1:50001")}
    for name, source in sources.items():
        clients.hello(name, source)
    clients.hello("ardour", Address("udp", "127.0.0.1:50002"), via="spool", wake="3819 /access_action LuaAction/script-2")
    clients.hello("script", Address("http", "script"), reply_port=7400)
    again = Clients(journal, 9101)
    for name, source in sources.items():
        assert again.address(name) == source
    assert again.address("ardour") == Address("spool", "ardour", "3819 /access_action LuaAction/script-2")
    assert again.address("script") == Address("udp", "127.0.0.1:7400")


@pytest.mark.parametrize("source", [Address("tcp", "127.0.0.1:1"), Address("udp", "127.0.0.1:1"), Address("spool", "x"),
                                    Address("http", "-")])
def test_who_said_no_hello_is_found_by_its_name_alone(journal, source):
    clients = Clients(journal, 9101)
    assert clients.address(clients.name(source)) == source
    assert not clients.knows(clients.name(source))


def test_a_connection_that_ended_has_no_name(journal):
    clients, source = Clients(journal, 9101), Address("tcp", "127.0.0.1:50001")
    clients.hello("max", source)
    clients.left(source)
    assert clients.name(source) == "tcp:127.0.0.1:50001"


def test_a_claimed_name_must_have_said_hello(journal):
    clients = Clients(journal, 9101)
    clients.hello("term", Address("udp", "127.0.0.1:54321"), 7400)
    assert clients.name(Address("udp", "127.0.0.1:1"), "term") == "term"
    with pytest.raises(InvalidOption, match="no client 'nobody'"):
        clients.name(Address("udp", "127.0.0.1:1"), "nobody")


@pytest.mark.parametrize(("name", "port"), [("", 0), ("  ", 0), ("x" * 65, 0), ("a", 65536), ("a", -1), ("a", 9101)])
def test_impossible_names_and_ports_are_refused(journal, name, port):
    with pytest.raises(InvalidOption):
        Clients(journal, 9101).hello(name, Address("udp", "127.0.0.1:54321"), port)


def test_after_a_restart_a_client_is_known_by_where_its_answers_go(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    before = Clients(journal, 9101)
    before.hello("pd", Address(UDP, "127.0.0.1:7400"))
    before.hello("max", Address(UDP, "127.0.0.1:7500"), 7501)
    before.hello("ardour", Address(SPOOL, "ardour"), wake="3819 /access_action x")
    before.hello("pd2", Address(UDP, "127.0.0.1:7400"))  # the newer owner of that port
    after = Clients(journal, 9101)
    assert after.name(Address(UDP, "127.0.0.1:7400")) == "pd2"
    assert after.name(Address(SPOOL, "ardour")) == "ardour"
    assert after.name(Address(UDP, "127.0.0.1:7500")) == "127.0.0.1:7500"  # max is heard at another port than it sends from
    journal.close()
