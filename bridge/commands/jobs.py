# SPDX-License-Identifier: GPL-3.0-or-later
"""jobs, status, cancel: what the server does."""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from server.client import AsyncClient
    from server.protocol import JobStatus

T = TypeVar("T")


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    jobs = add_command(commands, "jobs", "jobs:list_jobs", "List the server's jobs, newest first.")
    jobs.add_argument("--state", choices=("queued", "running", "succeeded", "failed", "cancelled"),
                      help="only jobs in this state")
    jobs.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20)")
    status = add_command(commands, "status", "jobs:show_status", "Show everything about one job.")
    status.add_argument("job", metavar="JOB", help="job id, or its beginning")
    cancel = add_command(commands, "cancel", "jobs:cancel", "Stop a job.")
    cancel.add_argument("job", metavar="JOB", help="job id, or its beginning")


def ask_server(question: Callable[[AsyncClient], Awaitable[T]], say: Callable[[str], None]) -> T:
    """One answer from the server, which is started if there is none."""
    from bridge.loop import run
    from bridge.server_link import connector

    async def asked() -> T:
        client = await connector(say)()
        try:
            return await question(client)
        finally:
            await client.close()

    return run(asked())


def list_jobs(arguments: argparse.Namespace) -> int:
    from bridge.output import Output

    output = Output(arguments.as_json)
    states = [arguments.state] if arguments.state else None
    jobs = ask_server(lambda client: client.jobs(states=states, limit=arguments.limit), output.say)
    for job in jobs:
        output.event("job", **job.model_dump(mode="json"))
    output.table(["JOB", "KIND", "STATE", "PHASE", "FROM", "AGE"],
                 [[job.job_id[:12], job.kind, str(job.state), _phase(job), job.origin, age(job.created)] for job in jobs])
    return 0


def show_status(arguments: argparse.Namespace) -> int:
    from bridge.output import Output

    output = Output(arguments.as_json)
    job = ask_server(lambda client: _status(client, arguments.job), output.say)
    fields = job.model_dump(mode="json")
    output.event("job", **fields)
    for name, value in fields.items():
        if value not in (None, "", [], 0, False):
            output.result(f"{name}: {value}")
    return 0


def cancel(arguments: argparse.Namespace) -> int:
    from bridge.output import Output

    output = Output(arguments.as_json)

    async def ask(client: AsyncClient) -> tuple[str, str]:
        job, outcome = await client.cancel((await _status(client, arguments.job)).job_id)
        return job.job_id, outcome.replace("_", " ")

    job_id, outcome = ask_server(ask, output.say)
    output.event("cancel", job=job_id, outcome=outcome)
    output.result(f"{job_id}: {outcome}")
    return 0


async def _status(client: AsyncClient, name: str) -> JobStatus:
    """The job of that id, or of the only id that begins so."""
    from server.errors import RequestRefused

    if len(name) == 32:
        return await client.status(name)
    found = [job.job_id for job in await client.jobs(limit=200) if job.job_id.startswith(name)]
    if len(found) != 1:
        raise RequestRefused(f"{len(found) or 'no'} jobs begin with {name!r}; `athanor jobs` lists them.",
                             code="unknown_job", retryable=False)
    return await client.status(found[0])


def _phase(job: JobStatus) -> str:
    if job.error is not None:
        return asdict(job.error)["code"]
    if job.is_terminal:
        return ""
    return f"{job.phase} {job.step}/{job.n_steps}" if job.n_steps else job.phase


def age(created: float) -> str:
    """How long ago that was (Unix seconds), in a word."""
    minutes = int(time.time() - created) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"
