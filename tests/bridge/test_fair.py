# SPDX-License-Identifier: GPL-3.0-or-later
"""Fair share: a burst of one client leaves room for the others, and nothing is lost or held for ever."""

import asyncio
from contextlib import suppress

from bridge.fair import FairSlots


class Work:
    """Jobs that hold a slot until they are told to end."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots, self.running, self.tasks = slots, [], []

    def start(self, client: str, count: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._run(client)) for _ in range(count)]

    async def _run(self, client: str) -> None:
        async with self.slots.slot(client):
            end = asyncio.Event()
            self.running.append((client, end))
            await end.wait()
            self.running.remove((client, end))

    async def settle(self) -> dict[str, int]:
        """How many each client runs, once nothing moves."""
        for _ in range(10):
            await asyncio.sleep(0)
        names = [client for client, _ in self.running]
        return {name: names.count(name) for name in names}

    def end(self, client: str) -> None:
        next(end for name, end in self.running if name == client).set()


async def test_a_burst_takes_half_and_whoever_comes_next_half_of_the_rest():
    work = Work(FairSlots(16))
    work.start("a", 20)
    assert await work.settle() == {"a": 8}
    work.start("b", 20)
    assert await work.settle() == {"a": 8, "b": 4}
    work.start("c", 20)
    work.start("d", 20)
    assert await work.settle() == {"a": 8, "b": 4, "c": 2, "d": 1}


async def test_a_free_slot_goes_to_whoever_holds_the_fewest():
    work = Work(FairSlots(4))
    for client in "abcd":
        work.start(client, 5)
    assert await work.settle() == {"a": 2, "b": 1, "c": 1}
    work.end("a")
    assert await work.settle() == {"a": 1, "b": 1, "c": 1, "d": 1}


async def test_everything_runs_in_the_end():
    work = Work(FairSlots(3))
    work.start("a", 7)
    work.start("b", 2)
    seen = 0
    while await work.settle():
        work.end(work.running[0][0])
        seen += 1
    assert seen == 9
    await asyncio.gather(*work.tasks)


async def test_who_gives_up_waiting_or_at_the_moment_of_its_turn_holds_nothing():
    slots = FairSlots(1)
    work = Work(slots)
    work.start("a", 3)
    await work.settle()
    work.tasks[1].cancel()
    work.end("a")
    await asyncio.sleep(0)
    work.tasks[2].cancel()
    await work.settle()
    work.start("b")
    assert await work.settle() == {"b": 1}
    for task in work.tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    work.start("c")
    assert (await work.settle()).get("c") == 1


async def test_a_turn_that_comes_to_one_who_was_cancelled_a_moment_ago_goes_on():
    slots = FairSlots(1)

    async def hold() -> None:
        async with slots.slot("b"):
            pass

    async with slots.slot("a"):
        waiting = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiting.cancel()  # the slot below is given back before the one who waits has heard of it
    with suppress(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5), slots.slot("c"):
        pass
