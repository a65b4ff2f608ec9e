# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge by HTTP: the same requests and answers as by OSC, only for programs that know the token."""

import asyncio
from contextlib import aclosing

import pytest

from bridge.http import files, server
from bridge.routes import PREFIX, PROFILE

# Fixture `http` is in conftest.py.
PING = f"{PREFIX}/ping"


async def events_until(events, last):
    """Events up to the first of that name."""
    async for name, data in events:
        yield name, data
        if name == last:
            return


async def test_a_request_is_answered_by_the_names_of_the_table(http, root):
    status, answer = await http.ask("hello", client="live", name="Live", profile=PROFILE)
    assert status == 200
    assert (answer["ok"], answer["request"], answer["root"]) == (True, "live", str(root))
    assert await http.ask("ping", request="p1") == (200, {"ok": True, "request": "p1", "profile": PROFILE,
                                                          "version": answer["version"]})


@pytest.mark.parametrize(("address", "body", "status", "code", "message"), [
    ("render/fuze", {"request": "r"}, 404, "unknown_address", "did you mean '/athanor/v1/render/fuse'"),
    ("render/fuse", {"request": "r", "orignal": "x"}, 400, "invalid_params", "did you mean 'original'?"),
    ("render/fuse", {"original": "original.wav"}, 400, "invalid_params", "'request' is missing"),
    ("render/fuse", {"request": "r", "original": ["a"]}, 400, "invalid_params", "neither a text nor a number"),
    ("render/fuse", {"request": "r", "options": {"promt": "x"}}, 400, "invalid_params", "did you mean 'prompt'?"),
    ("render/fuse", {"request": "r", "original": "../x.wav", "reference": "y"}, 400, "invalid_input", "'..'"),
    ("render/fuse", {"request": "r", "original": "original.wav", "options": {"prompt": "@chain"}}, 400, "invalid_params",
     "begins with @"),
    ("job/status", {"request": "r", "job": "nothing"}, 404, "unknown_job", "is called 'nothing'"),
    ("ok", {}, 404, "unknown_address", "there is no address"),
])
async def test_what_can_not_be_done_is_answered_with_the_reason(http, address, body, status, code, message):
    got, answer = await http.ask(address, **body)
    assert (got, answer["ok"], answer["code"]) == (status, False, code)
    assert message in answer["message"]
    assert answer["request"] == body.get("request", "")


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Host": "evil.example:80"},
                                     {"Host": "127.0.0.1"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_who_may_not_ask_gets_nothing(http, headers):
    for method, path in (("POST", PING), ("GET", f"{PREFIX}/events?client=x"), ("GET", f"{PREFIX}/files/original.wav"),
                         ("PUT", f"{PREFIX}/files/clips/x.wav")):
        async with http.request(method, path, headers=headers, json={} if method != "GET" else None) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "forbidden"), path
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_of_its_own_may_ask(http):
    async with http.request("POST", PING, json={"request": "p"}, headers={"Origin": http.base}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("body", "headers", "status"), [
    (b"{", {"Content-Type": "application/json"}, 400), (b"[1]", {"Content-Type": "application/json"}, 400),
    (b"{}", {"Content-Type": "text/plain"}, 400), (b"\xff\xfe{}", {"Content-Type": "application/json"}, 400),
    (b"[" * 60000, {"Content-Type": "application/json"}, 400), (b" " * 70000, {"Content-Type": "application/json"}, 413),
    (b'{"request": "p", "options": {"client": NaN}}', {"Content-Type": "application/json"}, 400),
])
async def test_a_body_that_is_no_request_is_refused(http, body, headers, status):
    async with http.request("POST", PING, data=body, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["ok"] is False
    assert (await http.ask("ping"))[0] == 200


async def test_a_body_that_never_comes_is_given_up(http, monkeypatch, lonely_bridge):
    monkeypatch.setattr(server, "BODY_PATIENCE_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.http_port)
    writer.write(f"POST {PING} HTTP/1.1\r\nHost: 127.0.0.1:{lonely_bridge.http_port}\r\nContent-Type: application/json\r\n"
                 f"Authorization: {http.headers['Authorization']}\r\nContent-Length: 40\r\n\r\n{{".encode())
    async with asyncio.timeout(20):
        assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_garbage_on_the_port_does_no_harm(http, lonely_bridge):
    for words in (b"\0\0\0\x08/a\0\0,\0\0\0", b"GET \xff HTTP/9.9\r\n\r\n", b"\x16\x03\x01\r\n", b"A" * 70000):
        reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.http_port)
        writer.write(words)
        writer.write_eof()
        async with asyncio.timeout(20):
            await asyncio.gather(reader.read(), return_exceptions=True)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert (await http.ask("ping"))[0] == 200


async def test_a_job_is_followed_by_events_and_an_end_told_again_to_a_new_stream(http):
    await http.ask("hello", client="live")
    status, answer = await http.ask("render/fuse", request="r1", original="original.wav", reference="reference.wav",
                                    options={"client": "live", "seed": 5})
    assert status == 200
    for _ in range(2):
        async with aclosing(http.events("live")) as events:
            told = [data async for name, data in events_until(events, "failed")][-1]
        assert (told["request"], told["job"], told["code"], told["retryable"]) == ("r1", answer["job"], "not_here", 1)
    status, told = await http.ask("job/status", request="s1", job="r1", options={"client": "live"})
    assert (told["stage"], told["events"][0]["event"], told["events"][0]["code"]) == ("failed", "failed", "not_here")
    assert (await http.ask("job/ack", request="a1", job="r1", options={"client": "live"}))[0] == 200
    assert (await http.ask("job/list", request="l1"))[1]["events"][0]["job"] == answer["job"]


async def test_a_stream_is_a_hello_unless_the_client_listens_elsewhere(http, client):
    await client.ask("hello", "pd")
    async with http.request("GET", f"{PREFIX}/events?client=pd") as answer:
        assert answer.status == 409
        assert "go by udp" in (await answer.json())["message"]
    async with http.request("GET", f"{PREFIX}/events?client={'x' * 65}") as answer:
        assert answer.status == 400
    async with http.request("GET", f"{PREFIX}/events?client=new") as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")
        assert (await http.ask("ping", options={"client": "new"}))[0] == 200


async def test_two_streams_of_a_client_and_the_stream_of_another_each_get_their_own(http):
    async def first_of(name):
        async with aclosing(http.events(name)) as events:
            async for event, data in events:
                if event == "failed":
                    return data["request"]

    waiting = [asyncio.create_task(first_of(name)) for name in ("a", "a", "b")]
    for name in ("a", "b"):
        while (await http.ask("ping", options={"client": name}))[0] != 200:
            await asyncio.sleep(0.01)
    for name in ("a", "b"):
        await http.ask("render/fuse", request=f"of {name}", original="original.wav", reference="reference.wav",
                       options={"client": name})
    assert await asyncio.gather(*waiting) == ["of a", "of a", "of b"]


async def test_an_osc_client_may_ask_by_http_and_hear_by_osc(http, client):
    await client.ask("hello", "pd")
    await http.ask("render/fuse", request="r1", original="original.wav", reference="reference.wav",
                   options={"client": "pd"})
    assert (await client.wait("failed", "r1")).values[2] == "not_here"


async def test_a_file_is_read_in_ranges(http, root):
    whole = (root / "original.wav").read_bytes()
    path = f"{PREFIX}/files/original.wav"
    async with http.request("GET", path) as answer:
        assert (answer.status, await answer.read()) == (200, whole)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with http.request("GET", path, headers={"Range": "bytes=44-143"}) as answer:
        assert (answer.status, await answer.read()) == (206, whole[44:144])
        assert answer.headers["Content-Range"] == f"bytes 44-143/{len(whole)}"
    for wrong in (f"bytes={len(whole)}-", "bytes=9-1", "bytes=x"):
        async with http.request("GET", path, headers={"Range": wrong}) as answer:
            assert answer.status == 416, wrong
    async with http.request("HEAD", path) as answer:
        assert int(answer.headers["Content-Length"]) == len(whole)


NAMES = ["..%2Fsecret.wav", "%2E%2E/secret.wav", "%2Fetc%2Fpasswd", "clips%5C..%5C..%5Cx.wav", "C:%5Cx.wav", ".hidden.wav",
         "link/secret.wav", "clips//x.wav", "x%00.wav"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_no_name_leads_out_of_the_import_root(http, root, tmp_path, lonely_bridge, name, method):
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path, target_is_directory=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.http_port)  # a client library would tidy it
    writer.write((f"{method} {PREFIX}/files/{name} HTTP/1.1\r\nHost: 127.0.0.1:{lonely_bridge.http_port}\r\n"
                  f"Authorization: {http.headers['Authorization']}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                  ).encode())
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split()[1] in (b"403", b"400", b"404"), answer
    assert b"secret\n" not in answer
    assert (tmp_path / "secret.wav").read_bytes() == b"secret"
    assert not (root / ".hidden.wav").exists()


async def test_a_file_is_written_whole_and_only_clips_are_written_over(http, root):
    for name, status in (("clips/bass/take 1.wav", 201), ("clips/bass/take 1.wav", 201), ("new.wav", 201), ("new.wav", 409),
                         ("original.wav", 409), ("results/x.wav", 403), ("spool/live/in/x.msg", 403), ("clips", 403)):
        (root / "clips").mkdir(exist_ok=True)
        async with http.request("PUT", f"{PREFIX}/files/{name}", data=name.encode()) as answer:
            assert answer.status == status, (name, await answer.text())
        if status == 201:
            assert (root / name).read_bytes() == name.encode()
    assert not [path for path in root.rglob("*.part")]


async def test_a_body_that_is_too_large_too_slow_or_cut_off_leaves_nothing(http, root, lonely_bridge, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    monkeypatch.setattr(files, "PATIENCE_S", 0.1)
    path = f"{PREFIX}/files/clips/x.wav"
    async with http.request("PUT", path, data=b"x" * 1001) as answer:
        assert answer.status == 413

    async def endless():
        for _ in range(11):
            yield b"x" * 100

    async with http.request("PUT", path, data=endless()) as answer:
        assert answer.status == 413
    head = (f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{lonely_bridge.http_port}\r\nContent-Length: 40\r\n"
            f"Authorization: {http.headers['Authorization']}\r\n\r\nx")
    for cut in (False, True):
        reader, writer = await asyncio.open_connection("127.0.0.1", lonely_bridge.http_port)
        writer.write(head.encode())
        if not cut:
            async with asyncio.timeout(20):
                assert b" 408 " in await reader.readline()
        else:
            await writer.drain()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    async with asyncio.timeout(20):
        while list((root / "clips").iterdir()):
            await asyncio.sleep(0.01)


async def test_oscquery_tells_the_tree_without_a_token(http, lonely_bridge):
    async with http.session.get(f"{http.base}/?HOST_INFO") as answer:
        assert (await answer.json())["OSC_PORT"] == lonely_bridge.port
    async with http.session.get(f"{http.base}{PREFIX}/render/fuse") as answer:
        node = await answer.json()
    assert (node["FULL_PATH"], node["ACCESS"], node["TYPE"]) == (f"{PREFIX}/render/fuse", 2, "sss")
    async with http.session.get(f"{http.base}{PREFIX}/ping?TYPE") as answer:
        assert await answer.json() == {"TYPE": "s"}
    for path, status in ((f"{PREFIX}/pong", 404), (f"{PING}?VALUE", 400), (f"{PREFIX}?TYPE", 204)):
        async with http.session.get(f"{http.base}{path}") as answer:
            assert answer.status == status, path
