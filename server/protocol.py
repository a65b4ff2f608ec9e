# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire, version 1.0: what goes between a client and the server. This text is the specification.

**Sockets.** Requests go from a client's DEALER to the server's ROUTER, events from the server's XPUB to a client's SUB.
Both are TCP with CURVE, on loopback too; endpoints and keys are in `<home>/server/connection.json` (mode 0600).

**Request**, 3 or 4 frames: `[ b"ATH" + major ][ request id, 16 bytes ][ header, JSON, at most 64 KiB ][ binary, at most
8 MiB ]`. The header is an object whose `type` is one of the names below; its other fields are that message's, and a field
that the message does not have is refused, so that a misspelt one is never silently lost.

**Reply**, the same frames with the same request id. Header `{"ok": true, ...}` or `{"ok": false, "error": {code, message,
retryable}}`, at most 1 MiB. A reader of replies and events ignores fields that it does not know; this is how minor
versions grow. Every request may be sent again: a second copy never does a second thing.

**Versions.** Frame 0 is frozen for ever. An unknown major is answered in that same form with `unsupported_version` and
the majors that are spoken. An unknown type is answered `unknown_type`.

| type | fields | answer |
|---|---|---|
| hello | client, minor | protocol, server version, instance, limits, kinds, debug |
| blob.stat | digest | present, bytes, offset (where an interrupted upload goes on) |
| blob.put | digest, offset, total + binary | offset (next expected), complete; `out_of_order` if bytes are missing |
| blob.get | digest, offset, length | offset, total + binary |
| job.submit | job (JobRequest) | status, created |
| job.status | job_id | status |
| job.list | states, origin, limit, before | jobs (newest first, without results) |
| job.cancel | job_id | status, outcome: cancelled, cancelling or already_finished |
| job.fetched | job_id | status; from now on its results may be evicted |
| models | | backbones |
| models.load, models.unload, models.pin, models.unpin | name | done: carried out, else ask again; a job comes first |
| server.stats | | counters, queue, worker, storage |
| server.drain, server.stop | | draining; stop also ends the server when the running job has |
| palette.list | | entries |
| palette.export | name | digest, bytes: a blob to fetch |
| palette.import | name, digest, replace | entry |
| palette.remove | name | removed |

**Events**, 2 frames: `[ topic ][ JSON ]`. A new connection is greeted with the single frame `welcome` if it subscribed to
it. The topic `server/` carries a heartbeat every 2 s. The topic `job/<id>/` (the closing slash matters: topics are
prefixes) carries `{"type": "status", "status": JobStatus}` without results, at most 10 a second, every change of state or
phase at once. Subscribing to it makes the server publish a `snapshot` there, with `status: null` for a job it does not
know: once that has arrived, nothing later is missed. `seq` grows with every event of a job, also across restarts; within
one run of the server it grows by one, so a gap shows a lost event (ask `job.status`). Events carry no prompt.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import AthanorError, ProtocolError
from server.jobs import Failure, State

MAJOR = 1
MINOR = 0
MAGIC = b"ATH"
PREFIX = MAGIC + bytes([MAJOR])
REQUEST_ID_BYTES = 16
MAX_HEADER_BYTES = 64 * 1024
MAX_REPLY_HEADER_BYTES = 1024 * 1024
MAX_BINARY_BYTES = 8 * 1024 * 1024
MAX_FRAME_BYTES = 9 * 1024 * 1024
MAX_DEPTH = 16
RETRY_AFTER_MS = 1000
WELCOME = b"welcome"
SERVER_TOPIC = b"server/"

JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Malformed(ProtocolError):
    """A message that is not one. `request_id` is set when the sender can still be answered."""

    def __init__(self, message: str, *, code: str = "malformed", request_id: bytes | None = None) -> None:
        super().__init__(message, code=code)
        self.request_id = request_id


class Message(BaseModel):
    """Base of all requests: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """Base of what the server says: frozen, fields of a newer minor version ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class JobRequest(Message):
    """A job to run. The client makes `job_id` (`uuid4().hex`) once per action of a person and keeps it over retries.

    `origin` says who asks ("cli", "osc:max"): for quotas and fair shares. `after` names jobs that must have succeeded.
    """

    job_id: JobId
    kind: Annotated[str, Field(min_length=1, max_length=64)]
    options: dict[str, Any] = {}
    inputs: dict[Annotated[str, Field(max_length=64)], Digest] = {}
    origin: Annotated[str, Field(max_length=200)] = "unknown"
    priority: Annotated[int, Field(ge=-10, le=10)] = 0
    after: Annotated[list[JobId], Field(max_length=16)] = []


class Hello(Message):
    client: Annotated[str, Field(max_length=200)] = "unknown"
    minor: Annotated[int, Field(ge=0, le=1000)] = MINOR


class BlobStat(Message):
    digest: Digest


class BlobPut(Message):
    digest: Digest
    offset: Annotated[int, Field(ge=0, le=2**53)]
    total: Annotated[int, Field(ge=0, le=2**53)]


class BlobGet(Message):
    digest: Digest
    offset: Annotated[int, Field(ge=0, le=2**53)] = 0
    length: Annotated[int, Field(ge=0, le=MAX_BINARY_BYTES)]


class Submit(Message):
    job: JobRequest


class OneJob(Message):
    job_id: JobId


class OneModel(Message):
    name: Annotated[str, Field(min_length=1, max_length=1000)]


class ListJobs(Message):
    states: list[State] | None = None
    origin: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[int, Field(ge=0, le=2**53)] | None = None


class Plain(Message):
    """A message without fields."""


class PaletteName(Message):
    name: Name


class PaletteImport(Message):
    name: Name
    digest: Digest
    replace: bool = False


REQUESTS: dict[str, type[Message]] = {
    "hello": Hello,
    "blob.stat": BlobStat,
    "blob.put": BlobPut,
    "blob.get": BlobGet,
    "job.submit": Submit,
    "job.status": OneJob,
    "job.list": ListJobs,
    "job.cancel": OneJob,
    "job.fetched": OneJob,
    "models": Plain,
    "models.load": OneModel,
    "models.unload": OneModel,
    "models.pin": OneModel,
    "models.unpin": OneModel,
    "server.stats": Plain,
    "server.drain": Plain,
    "server.stop": Plain,
    "palette.list": Plain,
    "palette.export": PaletteName,
    "palette.import": PaletteImport,
    "palette.remove": PaletteName,
}


class ResultRef(Answer):
    """One result: what it is and the digest to fetch it by."""

    role: str
    name: str
    digest: str
    bytes: int
    media: str
    provenance: dict[str, Any] = {}


class JobStatus(Answer):
    """Everything there is to know about a job.

    phase: what the worker does now (starting, loading, learning, sampling, decoding, storing), or how it waits (queued,
    waiting). step of n_steps in that phase. eta_s: seconds left in the phase, an estimate. attempt: 1 or 2 once begun.
    queue_position: 1 is next; None once it runs. Times are Unix seconds.
    """

    job_id: str
    kind: str
    state: State
    phase: str = ""
    step: int = 0
    n_steps: int = 0
    eta_s: float | None = None
    attempt: int = 0
    seq: int = 0
    queue_position: int | None = None
    waiting_for: list[str] = []
    cancel_requested: bool = False
    error: Failure | None = None
    results: list[ResultRef] = []
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    origin: str = ""
    number: int = 0

    @property
    def is_terminal(self) -> bool:
        return self.state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Request:
    """One parsed request."""

    request_id: bytes
    type: str
    message: Message
    binary: bytes


def encode_request(request_id: bytes, type: str, message: Message, binary: bytes | None = None) -> list[bytes]:
    """Frames of a request."""
    header = canonical_json({"type": type, **message.model_dump(mode="json")})
    if len(header) > MAX_HEADER_BYTES:
        raise Malformed(f"the request {type} is {len(header)} bytes of JSON; at most {MAX_HEADER_BYTES} are taken.",
                        code="too_large")
    return [PREFIX, request_id, header, *([binary] if binary is not None else [])]


def encode_reply(request_id: bytes, fields: Mapping[str, Any], binary: bytes | None = None) -> list[bytes]:
    """Frames of a reply to a request that was carried out."""
    return [PREFIX, request_id, canonical_json({"ok": True, **fields}), *([binary] if binary is not None else [])]


def encode_error(request_id: bytes, error: AthanorError) -> list[bytes]:
    """Frames of a reply to a request that was not."""
    fields = error.to_wire()
    if error.code == "unsupported_version":
        fields["supported"] = [MAJOR]
    if error.code == "busy":
        fields["retry_after_ms"] = RETRY_AFTER_MS
    return [PREFIX, request_id, canonical_json({"ok": False, "error": fields})]


def parse(frames: Sequence[bytes]) -> Request:
    """The request in `frames` (without the routing id). Pure and total: raises nothing but `Malformed`."""
    request_id = _envelope(frames)
    try:
        return _parse_body(frames, request_id)
    except Malformed as error:
        error.request_id = request_id
        raise


def parse_reply(frames: Sequence[bytes]) -> tuple[bytes, bool, dict[str, Any], bytes]:
    """(request id, ok, fields, binary) of a reply; raises nothing but `Malformed`."""
    request_id = _envelope(frames)
    fields = parse_json(frames[2], MAX_REPLY_HEADER_BYTES)
    ok = fields.pop("ok", None)
    if not isinstance(ok, bool):
        raise Malformed("the reply does not say whether it is ok.", request_id=request_id)
    return request_id, ok, fields, bytes(frames[3]) if len(frames) == 4 else b""


def _envelope(frames: Sequence[bytes]) -> bytes:
    """The request id, after the checks that need no JSON."""
    if not 3 <= len(frames) <= 4:
        raise Malformed(f"a message has 3 or 4 frames, not {len(frames)}.")
    if len(frames[0]) != len(PREFIX) or frames[0][: len(MAGIC)] != MAGIC:
        raise Malformed("the first frame is not Athanor's.")
    request_id = bytes(frames[1])
    if len(request_id) != REQUEST_ID_BYTES:
        raise Malformed(f"a request id has {REQUEST_ID_BYTES} bytes, not {len(request_id)}.")
    if frames[0][len(MAGIC)] != MAJOR:
        raise Malformed(f"protocol {frames[0][len(MAGIC)]} is not spoken here; {MAJOR} is. Update the older of client "
                        "and server.", code="unsupported_version", request_id=request_id)
    return request_id


def _parse_body(frames: Sequence[bytes], request_id: bytes) -> Request:
    binary = bytes(frames[3]) if len(frames) == 4 else b""
    if len(binary) > MAX_BINARY_BYTES:
        raise Malformed(f"the binary frame has {len(binary)} bytes; at most {MAX_BINARY_BYTES} are taken.",
                        code="too_large")
    fields = parse_json(frames[2], MAX_HEADER_BYTES)
    type = fields.pop("type", None)
    if not isinstance(type, str) or type not in REQUESTS:
        raise Malformed(f"there is no request type {str(type)[:60]!r}.", code="unknown_type")
    if binary and type != "blob.put":
        raise Malformed(f"{type} takes no binary frame.")
    try:
        return Request(request_id, type, REQUESTS[type].model_validate(fields), binary)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:60] for part in problem["loc"])
        raise Malformed(f"{type}: {where}: {problem['msg']}.", code="invalid_params") from None


def parse_json(data: bytes, limit: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    """The JSON object in `data`: finite numbers, valid text, at most `MAX_DEPTH` deep. Raises nothing but `Malformed`."""
    if len(data) > limit:
        raise Malformed(f"the header has {len(data)} bytes; at most {limit} are taken.", code="too_large")
    text = bytes(data)
    try:
        fields = json.loads(text.decode("utf-8"), parse_constant=_not_finite, parse_float=_finite)
        if _depth(fields, MAX_DEPTH) < 0:
            raise Malformed(f"the header is nested deeper than {MAX_DEPTH}.")
        json.dumps(fields, ensure_ascii=False).encode("utf-8")  # escapes can smuggle in half a character
    except RecursionError:
        raise Malformed(f"the header is nested deeper than {MAX_DEPTH}.") from None
    except ValueError as error:
        raise Malformed(f"the header is not JSON: {str(error)[:100]}.") from None
    if not isinstance(fields, dict):
        raise Malformed("the header is not a JSON object.")
    return fields


def _depth(value: Any, left: int) -> int:
    """How much of the allowed depth `value` leaves; negative if it is too deep."""
    if left < 0 or not isinstance(value, (dict, list)):
        return left
    inside = value.values() if isinstance(value, dict) else value
    return min((_depth(part, left - 1) for part in inside), default=left)


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON has")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large")
    return number


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8, finite numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def request_digest(request: JobRequest) -> str:
    """SHA-256, hex, of what a request asks for (kind, options, inputs): two requests with one id must agree in it."""
    asked = {"kind": request.kind, "options": request.options, "inputs": request.inputs, "after": request.after}
    return hashlib.sha256(canonical_json(asked)).hexdigest()


def job_topic(job_id: str) -> bytes:
    """The topic of a job's events, closed by a slash because topics match as prefixes."""
    return f"job/{job_id}/".encode()


_TOPIC = re.compile(rb"job/([0-9a-f]{32})/")


def topic_job(topic: bytes) -> str | None:
    """The job id in a topic, or None if it is no job's."""
    found = _TOPIC.fullmatch(topic)
    return found[1].decode() if found else None
