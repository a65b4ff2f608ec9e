# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import protocol
from server.errors import RequestRefused
from server.jobs import Failure, State
from server.protocol import JobRequest, JobStatus, Malformed, encode_request, parse, parse_json, parse_reply, request_digest

ID = bytes(range(16))
JOB = JobRequest(job_id="0123456789abcdef" * 2, kind="fuse", options={"prompt": "Glöckchen", "snr_db": [-9.5]},
                 inputs={"original": "a" * 64}, origin="osc:max")


def test_golden_bytes_of_a_submit() -> None:
    assert encode_request(ID, "job.submit", protocol.Submit(job=JOB)) == [
        b"ATH\x01", ID,
        b'{"job":{"after":[],"inputs":{"original":"' + b"a" * 64 + b'"},"job_id":"0123456789abcdef0123456789abcdef",'
        b'"kind":"fuse","options":{"prompt":"Gl\xc3\xb6ckchen","snr_db":[-9.5]},"origin":"osc:max","priority":0},'
        b'"type":"job.submit"}']


def test_golden_bytes_of_replies() -> None:
    assert protocol.encode_reply(ID, {"b": 1, "a": None}, b"xyz") == [b"ATH\x01", ID, b'{"a":null,"b":1,"ok":true}', b"xyz"]
    frames = protocol.encode_error(ID, RequestRefused("full."))
    assert frames == [b"ATH\x01", ID, b'{"error":{"code":"busy","message":"full.","retry_after_ms":1000,"retryable":true},'
                      b'"ok":false}']
    assert parse_reply(frames)[:2] == (ID, False)


def test_a_request_comes_back_as_it_was() -> None:
    request = parse(encode_request(ID, "job.submit", protocol.Submit(job=JOB)))
    assert (request.request_id, request.type, request.message, request.binary) == (
        ID, "job.submit", protocol.Submit(job=JOB), b"")


def test_the_specification_names_every_type_and_version() -> None:
    assert protocol.__doc__ is not None
    table = [line for line in protocol.__doc__.splitlines() if line.startswith("| ")]
    named = {name.strip() for line in table[1:] for name in line.split("|")[1].split(",")}
    assert named == set(protocol.REQUESTS)
    assert f"version {protocol.MAJOR}.{protocol.MINOR}" in protocol.__doc__


@pytest.mark.parametrize(("frames", "code"), [
    ([], "malformed"),
    ([b"ATH\x01", ID], "malformed"),
    ([b"ATH\x01", ID, b"{}", b"", b""], "malformed"),
    ([b"HTT\x01", ID, b"{}"], "malformed"),
    ([b"ATH\x01", b"short", b"{}"], "malformed"),
    ([b"ATH\x02", ID, b"{}"], "unsupported_version"),
    ([b"ATH\x01", ID, b"{}"], "unknown_type"),
    ([b"ATH\x01", ID, b'{"type":"job.sumbit"}'], "unknown_type"),
    ([b"ATH\x01", ID, b'{"type":"hello","mirror":1}'], "invalid_params"),
    ([b"ATH\x01", ID, b'{"type":"job.status","job_id":"../x"}'], "invalid_params"),
    ([b"ATH\x01", ID, b'{"type":"hello"}', b"binary"], "malformed"),
    ([b"ATH\x01", ID, b'{"type":"' + b"x" * protocol.MAX_HEADER_BYTES + b'"}'], "too_large"),
    ([b"ATH\x01", ID, b'{"type":"hello"}', bytes(protocol.MAX_BINARY_BYTES + 1)], "too_large"),
])
def test_what_is_no_message_is_named(frames: list[bytes], code: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse(frames)
    assert refused.value.code == code
    can_be_answered = len(frames) in (3, 4) and frames[0].startswith(b"ATH") and len(frames[1]) == 16
    assert refused.value.request_id == (ID if can_be_answered else None)


@pytest.mark.parametrize("text", [
    b"NaN", b"[]", b"{", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"\xff",
    b'{"a":' * 40 + b"1" + b"}" * 40,
    b"[" * 50000, b'{"a":' + b"1" * 5000 + b"}",
])
def test_json_that_cannot_be_kept_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        parse_json(text)


def test_a_request_too_large_for_the_wire_is_refused_before_it_is_sent() -> None:
    big = JOB.model_copy(update={"options": {"prompt": "x" * 70000}})
    with pytest.raises(Malformed, match="at most 65536"):
        encode_request(ID, "job.submit", protocol.Submit(job=big))


def test_the_digest_tells_requests_apart_and_ignores_what_does_not_matter() -> None:
    same = JobRequest(**JOB.model_dump() | {"job_id": "f" * 32, "origin": "cli", "priority": 3})
    assert request_digest(same) == request_digest(JOB)
    for change in ({"kind": "learn"}, {"options": {"prompt": "x"}}, {"inputs": {}}, {"after": ["0" * 32]}):
        assert request_digest(JOB.model_copy(update=change)) != request_digest(JOB)


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.booleans(), st.integers(-2**53, 2**53), st.floats(
    allow_nan=False, allow_infinity=False), st.text(max_size=20)), max_size=6))
def test_any_json_object_survives_its_canonical_spelling(fields: dict) -> None:
    assert parse_json(protocol.canonical_json(fields)) == json.loads(json.dumps(fields))


def test_a_reader_of_statuses_ignores_what_a_newer_server_adds() -> None:
    status = JobStatus(job_id="0" * 32, kind="fuse", state=State.FAILED, error=Failure("internal", "broken."))
    fields = status.model_dump(mode="json") | {"mood": "cheerful"}
    assert JobStatus.model_validate(fields) == status
    assert status.is_terminal


def test_topics_are_closed_so_that_no_job_hears_another() -> None:
    topic = protocol.job_topic("ab" * 16)
    assert topic.endswith(b"/")
    assert protocol.topic_job(topic) == "ab" * 16
    assert protocol.topic_job(topic[:-1]) is None
    assert protocol.topic_job(b"server/") is None
