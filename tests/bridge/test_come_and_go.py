# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, bridges and servers come and go in the middle of a job: every result lands, with the host that asked for it."""

import sys

import numpy as np
import pytest

from bridge.routes import PREFIX
from server.audio import read_clip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bridges are stopped by POSIX signals")
SLOW = ("@steps", 100000)
A_WHILE = ("@steps", 30, "@step_s", 0.02)


async def sampling(client, request: str) -> None:
    """Wait until a job is in the middle."""
    while (await client.wait("progress", request)).values[2] != "sampling":
        client.received.clear()


def killed(bridge) -> None:
    bridge.process.kill()
    bridge.ended()


async def test_a_killed_bridge_finds_its_job_its_client_and_its_selection_again(start, client_of, root):
    bridge = start()
    host = client_of(bridge.port)
    await host.ask("hello", "kept", host.port)
    await host.ask("clip/add", "kept-c1", "original.wav", "@offset", 4800, "@length", 9600, "@start", "77", "@track", "Vox")
    job = (await host.ask("render/debug", "kept-r1", *A_WHILE)).values[2]
    await sampling(host, "kept-r1")
    killed(bridge)
    host.received.clear()
    start(port=bridge.port)
    done = (await host.wait("done", "kept-r1")).values  # told unasked, to the port that hello named before
    assert (done[1], done[9], done[12]) == (job, "77", 9600)
    assert np.array_equal(read_clip(root / done[5]).samples, read_clip(root / "original.wav").samples[:, 4800:14400])
    assert (await host.ask("job/ack", "kept-a", "kept-r1")).values[2] == job
    assert (await host.ask("clip/list", "kept-l")).values[2] == 1
    assert (await host.wait("clip/entry", "kept-l")).values[4] == "Vox"
    await host.ask("clip/clear", "kept-x")


async def test_a_host_that_was_closed_gets_its_result_at_its_next_hello(start, client_of, root):
    bridge = start()
    host, watcher = client_of(bridge.port), client_of(bridge.port)
    await host.ask("hello", "closed", host.port)
    job = (await host.ask("render/debug", "closed-r1", "original.wav", *A_WHILE)).values[2]
    await sampling(host, "closed-r1")
    host.close()
    while (await watcher.ask("job/status", "w", job)).values[5] != "placed":
        pass
    reopened = client_of(bridge.port)
    await reopened.ask("hello", "closed", reopened.port)
    done = (await reopened.wait("done", "closed-r1")).values
    assert done[1] == job
    assert (root / done[5]).is_file()
    assert (await reopened.ask("job/placed", "closed-p", "closed-r1", "@where", "bar 1")).values[2] == job


async def test_a_result_waits_for_its_host_over_a_restart_of_the_bridge(start, client_of):
    bridge = start()
    host = client_of(bridge.port)
    await host.ask("hello", "away", host.port)
    job = (await host.ask("render/debug", "away-r1", *A_WHILE)).values[2]
    host.close()
    killed(bridge)
    again = start(port=bridge.port)
    reopened = client_of(again.port)
    await reopened.ask("hello", "away", reopened.port)
    assert (await reopened.wait("done", "away-r1")).values[1] == job
    await reopened.ask("job/ack", "away-a", "away-r1")


async def test_two_hosts_at_once_each_get_their_own(start, client_of, root):
    port = start().port
    hosts = {name: client_of(port) for name in ("live", "ardour")}
    jobs = {}
    for number, (name, host) in enumerate(hosts.items()):
        await host.ask("hello", name, host.port)
        await host.ask("clip/add", "c1", "original.wav", "@offset", 1200 * number, "@length", 4800, "@track", name)
    for name, host in hosts.items():  # the same request id, which is each one's own
        jobs[name] = (await host.ask("render/debug", "r1", "@steps", 5)).values[2]
    assert len(set(jobs.values())) == 2
    whole = read_clip(root / "original.wav").samples
    for number, (name, host) in enumerate(hosts.items()):
        done = (await host.wait("done", "r1")).values
        assert done[1] == jobs[name]
        assert np.array_equal(read_clip(root / done[5]).samples, whole[:, 1200 * number:1200 * number + 4800])
        await host.ask("job/ack", "a1", "r1")
        await host.ask("clip/clear", "x1")
    for name, host in hosts.items():
        told = {m.values[1] for m in host.received if m.address in (f"{PREFIX}/done", f"{PREFIX}/progress")}
        assert told == {jobs[name]}


async def test_one_host_cannot_end_the_wait_of_another_by_its_own_request_id(start, client_of):
    port = start().port
    live, ardour = client_of(port), client_of(port)
    await live.ask("hello", "one", live.port)
    await ardour.ask("hello", "two", ardour.port)
    await live.ask("render/debug", "mine", *SLOW)
    await sampling(live, "mine")
    assert (await ardour.ask("job/cancel", "c", "mine")).values[2] == "unknown_job"
    await live.ask("job/cancel", "c", "mine")
    await live.wait("cancelled", "mine")
    await live.ask("job/ack", "a", "mine")


async def test_a_server_killed_under_two_hosts_costs_time_but_no_result(start_server, start, client_of, root, tmp_path):
    server = start_server(tmp_path / "home")
    port = start(server=server).port
    hosts = {name: client_of(port) for name in ("live", "ardour")}
    for name, host in hosts.items():
        await host.ask("hello", name, host.port)
        await host.ask("render/debug", f"{name}-r1", "original.wav", *A_WHILE, "@track", name)
    await sampling(hosts["live"], "live-r1")
    server.process.kill()
    server.process.wait()
    start_server(tmp_path / "home")
    for name, host in hosts.items():
        done = (await host.wait("done", f"{name}-r1")).values
        assert np.array_equal(read_clip(root / done[5]).samples, read_clip(root / "original.wav").samples)
