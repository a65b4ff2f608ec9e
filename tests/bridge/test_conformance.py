# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole table over every transport: the same request gets the same answer, once, whichever way it comes."""

import asyncio

import pytest

from bridge.packets import Message
from bridge.routes import ERROR, OK, PREFIX, ROUTES
from tests.bridge import wires

GIVEN = {"file": "original.wav", "original": "original.wav", "reference": "reference.wav", "clip": "original.wav",
         "mixture": "original.wav", "job": "first", "preset": "no such preset", "client": "ignored"}
"""What a route's fixed arguments are called, and what is sent for them."""


def request_of(route, number: int) -> Message:
    """A request with its own id and every fixed argument that is needed or has a value above."""
    values = [f"q{number}"]
    for argument in route.arguments[1:]:
        if argument.name not in GIVEN and not argument.required:
            break
        values.append(GIVEN.get(argument.name, "nothing"))
    return Message(route.address, tuple(values))


@pytest.fixture
async def every_wire(lonely_bridge, root):
    async with wires.all_wires(lonely_bridge, root) as found:
        yield found


async def same_answer(every_wire, message: Message) -> list[Message]:
    """What all of them answer."""
    answers = {wire.name: [wires.masked(each) for each in await wire.ask(message)] for wire in every_wire}
    first = answers["udp"]
    for name, answer in answers.items():
        assert answer == first, f"{name} differs for {message}"
    return first


async def test_every_request_of_the_table_has_the_same_answer_by_every_way(every_wire):
    await same_answer(every_wire, Message(f"{PREFIX}/render/fuse", ("first", "original.wav", "reference.wav", "@seed", 5)))
    for wire in every_wire:
        while (await wire.ask(Message(f"{PREFIX}/job/status", ("s", "first"))))[0].values[5] != "failed":
            await asyncio.sleep(0.01)
    accepted = set()
    for number, route in enumerate(ROUTES.values()):
        if route.handler == "hello":
            continue  # each of them has its own name; below
        asked = request_of(route, number)
        answer = (await same_answer(every_wire, asked))[0]
        if answer.address == OK:
            accepted.add(route.handler)
        await same_answer(every_wire, Message(route.address, (f"x{number}", *asked.values[1:], "@no_such_option", "1")))
    assert accepted >= {"ping", "render", "add_clip", "clear_clips", "list_clips", "list_presets", "cancel", "status",
                        "list_jobs"}


async def test_hello_answers_each_in_its_own_name(every_wire):
    for wire in every_wire:
        name = "http wire" if wire.name == "http" else "wire" if wire.name == "spool" else wire.name
        answer, *_ = await wire.ask(Message(f"{PREFIX}/hello", (name,)))
        assert (answer.address, answer.values[0], int(answer.values[2])) == (OK, name, 1)
        refused, *_ = await wire.ask(Message(f"{PREFIX}/hello", (name, 0, "", 2)))
        assert refused.values[2] == "unsupported_version"


NAMES = ("../secret.wav", "/etc/passwd", "..\\secret.wav", "C:\\secret.wav", "link/secret.wav", "results/../../secret.wav",
         "", " ", "original.wav/x", "no such.wav", "\\\\host\\share\\x.wav", "folder")


async def test_no_name_leads_out_of_the_import_root_by_any_way(every_wire, root, tmp_path):
    (tmp_path / "secret.wav").write_bytes((root / "original.wav").read_bytes())
    (root / "link").symlink_to(tmp_path, target_is_directory=True)
    (root / "folder").mkdir()
    for number, name in enumerate(NAMES):
        answer = (await same_answer(every_wire, Message(f"{PREFIX}/clip/add", (f"n{number}", name))))[0]
        assert (answer.address, answer.values[2]) == (ERROR, "invalid_input"), name


async def test_a_repeat_gets_the_same_job_and_another_request_a_conflict_by_every_way(every_wire):
    words = Message(f"{PREFIX}/render/fuse", ("same", "original.wav", "reference.wav", "@seed", 5))
    for wire in every_wire:
        first, again = (await wire.ask(words))[0], (await wire.ask(words))[0]
        assert first == again
        other = (await wire.ask(Message(words.address, (*words.values[:-1], 6))))[0]
        assert other.values[2] == "conflict"
