# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads against a server that stands still where it matters."""

import asyncio
import hashlib

from server.transfer import upload

DATA = b"a clip that two jobs share"


class Sealing:
    """A link to a server that has every byte of a blob, sent by another job, and is still making it durable."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.is_durable = asyncio.Event()

    async def ask(self, type: str, message, binary: bytes = b"") -> tuple[dict, bytes]:
        self.asked.append((type, binary))
        if type == "blob.stat":
            return {"present": False, "offset": len(DATA)}, b""
        await self.is_durable.wait()
        return {"offset": len(DATA), "complete": True}, b""


async def test_a_blob_that_another_job_has_sent_is_waited_for_until_it_can_be_named():
    link = Sealing()
    sending = asyncio.create_task(upload(link, DATA))
    while len(link.asked) < 2 and not sending.done():
        await asyncio.sleep(0)
    assert not sending.done(), "a job would name a blob that the server does not take yet"
    link.is_durable.set()
    assert await sending == hashlib.sha256(DATA).hexdigest()
    assert link.asked == [("blob.stat", b""), ("blob.put", b"")]
