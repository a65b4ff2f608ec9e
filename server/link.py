# SPDX-License-Identifier: GPL-3.0-or-later
"""What front end and worker say to each other: one JSON frame a message, over a socket that one incarnation alone uses.

Everything a worker says carries its incarnation, and what it says of a job also job and attempt, so that a late word of a
dead attempt is recognised and dropped.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from server.errors import ProtocolError


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bootstrap(_Word):
    """The first line on a worker's stdin: where to connect, with which keys, and how to behave."""

    endpoint: str
    server_key: str
    public: str
    secret: str
    incarnation: str
    parent_pid: int
    incoming: str
    palette: str
    home: str
    heartbeat_s: float
    stall_s: float
    first_step_s: float
    warm: bool
    pins: list[str]
    idle_unload_s: float


class Run(_Word):
    """Begin this attempt."""

    type: Literal["run"] = "run"
    job_id: str
    attempt: int
    kind: str
    options: dict[str, Any]
    inputs: dict[str, str]
    digests: dict[str, str]


class Cancel(_Word):
    """Stop this attempt at its next step."""

    type: Literal["cancel"] = "cancel"
    job_id: str
    attempt: int


class Model(_Word):
    """Load a model between jobs, free it, keep it loaded, or no longer; answered by `Modelled`."""

    type: Literal["model"] = "model"
    action: Literal["load", "unload", "pin", "unpin"]
    name: str


class Stop(_Word):
    """End the process once the running attempt is over."""

    type: Literal["stop"] = "stop"


class Ready(_Word):
    """The worker can take a job."""

    type: Literal["ready"] = "ready"
    incarnation: str
    pid: int


class Loaded(_Word):
    """A model that is loaded: its weights' bytes, and whether it stays when nothing uses it."""

    name: str
    device: str
    bytes: int
    pinned: bool


class Beat(_Word):
    """Sent every `heartbeat_s`. `age_s`: since the last step; more than `budget_s` means stuck."""

    type: Literal["beat"] = "beat"
    incarnation: str
    job_id: str | None = None
    attempt: int = 0
    phase: str = ""
    step: int = 0
    n_steps: int = 0
    age_s: float = 0.0
    budget_s: float = 0.0
    median_step_s: float = 0.0
    rss_bytes: int = 0
    resident: list[Loaded] = []
    device: str | None = None


class Modelled(_Word):
    """What became of a `Model` order; `error` as `AthanorError.to_wire`, None where it was carried out."""

    type: Literal["modelled"] = "modelled"
    incarnation: str
    action: str
    name: str
    error: dict[str, Any] | None = None
    resident: list[Loaded] = []


class OfAttempt(_Word):
    """Base of what is said about one attempt."""

    incarnation: str
    job_id: str
    attempt: int


class Step(OfAttempt):
    type: Literal["step"] = "step"
    phase: str
    step: int
    n_steps: int


class Product(_Word):
    """One result file, durable, in the incoming folder."""

    role: str
    name: str
    file: str
    digest: str
    bytes: int
    media: str
    provenance: dict[str, Any]


class Done(OfAttempt):
    type: Literal["done"] = "done"
    products: list[Product]


class Failed(OfAttempt):
    type: Literal["failed"] = "failed"
    code: str
    message: str
    retryable: bool
    detail: str | None = None


class Stopped(OfAttempt):
    """The attempt was cancelled."""

    type: Literal["stopped"] = "stopped"


Order = Annotated[Run | Cancel | Model | Stop, Field(discriminator="type")]
Word = Annotated[Ready | Beat | Modelled | Step | Done | Failed | Stopped, Field(discriminator="type")]
_ORDERS: TypeAdapter[Run | Cancel | Model | Stop] = TypeAdapter(Order)
_WORDS: TypeAdapter[Ready | Beat | Modelled | Step | Done | Failed | Stopped] = TypeAdapter(Word)


def encode(word: BaseModel) -> bytes:
    """One frame."""
    return json.dumps(word.model_dump(mode="json"), separators=(",", ":")).encode()


def parse_order(frame: bytes) -> Run | Cancel | Model | Stop:
    """What the front end told a worker; ProtocolError if it is nothing known."""
    return _parse(_ORDERS, frame)


def parse_word(frame: bytes) -> Ready | Beat | Modelled | Step | Done | Failed | Stopped:
    """What a worker told the front end; ProtocolError if it is nothing known."""
    return _parse(_WORDS, frame)


def _parse(adapter: TypeAdapter[Any], frame: bytes) -> Any:
    try:
        return adapter.validate_json(frame)
    except ValidationError as error:
        raise ProtocolError(f"the link carried something unknown: {error.error_count()} faults.") from None
