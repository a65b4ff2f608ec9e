# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip of each class that a model knows, by jobs of the server one after the other."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.output import Output
from bridge.progress import Progress
from bridge.server_link import connector
from server.audio import Clip, read_clip
from server.errors import JobCancelled, from_wire
from server.protocol import JobRequest, JobStatus

if TYPE_CHECKING:
    from server.client import AsyncClient

SECONDS, STEPS, SEED = 5.0, 25, 7


async def generate(model: str, words: Sequence[dict[str, str]], output: Output) -> dict[str, Clip]:
    """Class name -> clip of its example prompt; `words` are entries of the model's vocabulary.

    A cancelled task (Ctrl-C) cancels the running job. Raises what a job failed with.
    """
    client = await connector(output.say)()
    clips, begun = {}, time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="athanor-page-") as folder:
            for number, word in enumerate(words):
                left_s = (time.monotonic() - begun) / number * (len(words) - number) if number else None
                output.progress(Progress("page", word["name"], number, len(words), left_s))
                path = Path(folder) / f"{number}.wav"
                await _job(client, {"prompt": word["example"], "backbone": model}, path)
                clips[word["name"]] = read_clip(path)
    finally:
        await client.close()
    return clips


async def _job(client: AsyncClient, asked: dict[str, Any], path: Path) -> None:
    """One clip into a file."""
    options = asked | {"seconds": SECONDS, "steps": STEPS, "seed": SEED}
    request = JobRequest(job_id=uuid.uuid4().hex, kind="generate", options=options, origin="cli")
    try:
        async with aclosing(client.run(request)) as statuses:
            status: JobStatus = [status async for status in statuses][-1]
    except asyncio.CancelledError:
        await client.cancel(request.job_id)
        raise
    if status.error is not None:
        raise from_wire(asdict(status.error))
    if status.state == "cancelled":
        raise JobCancelled("the page was not drawn: its job was cancelled.")
    await client.fetch(status.results[0].digest, path)
    await client.fetched(request.job_id)
