# SPDX-License-Identifier: GPL-3.0-or-later
"""oscsend and oscdump of liblo, a strict encoder and decoder: the exchange that `docs/osc.md` shows for a terminal."""

import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from bridge.routes import PREFIX
from server.audio import read_bext

pytestmark = pytest.mark.hosts
LIMIT_S = 60


class Dump:
    """oscdump on a free port; its lines are waited for."""

    def __init__(self, oscdump: Path, stdbuf: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]
        self.process = subprocess.Popen([str(stdbuf), "-oL", str(oscdump), str(self.port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.strip())
                self._more.notify()

    def wait(self, pattern: str) -> re.Match[str]:
        """The first line that matches, within LIMIT_S."""
        def found() -> re.Match[str] | None:
            return next((match for match in (re.search(pattern, line) for line in self.lines) if match), None)

        with self._more:
            assert self._more.wait_for(found, LIMIT_S), f"no {pattern}; there is: {self.lines}"
            return found()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def dump(require_host):
    dump = Dump(require_host("oscdump"), require_host("stdbuf"))
    yield dump
    dump.close()


@pytest.fixture
def send(require_host, house):
    """Runs oscsend: each message comes from another port."""
    oscsend = require_host("oscsend")

    def run(address: str, tags: str, *values: object) -> None:
        subprocess.run([str(oscsend), "127.0.0.1", str(house.port), f"{PREFIX}/{address}", tags, *map(str, values)],
                       check=True, timeout=LIMIT_S)

    return run


@pytest.fixture
def hello(dump, send):
    """oscdump listens: hello is repeated until it does, as a person would."""
    for _ in range(50):
        send("hello", "sisi", "term", dump.port, "terminal", 1)
        with dump._more:
            if dump._more.wait_for(lambda: any("/v1/hello" in line for line in dump.lines), 0.2):
                break
    dump.wait(r"/athanor/v1/ok ssisss \"term\" \"/athanor/v1/hello\" 1 ")


def test_a_clip_is_rendered_and_every_message_is_read_by_a_strict_decoder(hello, dump, send, house):
    send("render/debug", "ssssssssssss", "lo1", "original.wav", "@steps", 4, "@chain", "space", "@start", 123456789012,
         "@step_s", "0.02", "@client", "term")
    dump.wait(r"/athanor/v1/ok sss \"lo1\" \"/athanor/v1/render/debug\" \"[0-9a-f]{32}\"")
    dump.wait(r"/athanor/v1/progress sssiiff \"lo1\"")
    done = dump.wait(r"/athanor/v1/done ssiisssifsisiii \"lo1\" \"([0-9a-f]{32})\" 1 1 \"echo\" \"(.*?)\" \"(.*?)\" -1 "
                     r"([0-9.]+) \"123456789012\" 48000 \"requested\" 24000 48000 2")
    assert read_bext(house.root / done[2]).time_reference_samples == 123456789012
    assert (house.root / done[3]).is_file()
    send("job/ack", "ssss", "lo2", "lo1", "@client", "term")
    dump.wait(r"/athanor/v1/ok sss \"lo2\" \"/athanor/v1/job/ack\"")


def test_an_error_says_what_is_wrong(hello, dump, send):
    send("render/fuse", "sssssss", "lo3", "orginal.wav", "b.wav", "@prompt", "glass bells", "@client", "term")
    dump.wait(r"/athanor/v1/error ssss \"lo3\" .* \"invalid_input\" \".*did you mean 'original.wav'")


def test_the_other_types_of_osc_are_taken_where_they_read_as_what_is_asked(hello, dump, send):
    send("render/debug", "isshsdsTss", 44, "original.wav", "@steps", 2, "@step_s", 0.01, "@ignore_cancel",
         "@client", "term")
    dump.wait(r"/athanor/v1/done ssiisssifsisiii \"44\"")


def test_liblo_is_heard_by_tcp_too(hello, dump, require_host, house):
    subprocess.run([str(require_host("oscsend")), f"osc.tcp://127.0.0.1:{house.port}/", f"{PREFIX}/ping", "sss", "lo5",
                    "@client", "term"], check=True, timeout=LIMIT_S)
    dump.wait(r"/athanor/v1/ok ssis \"lo5\" \"/athanor/v1/ping\" 1 ")
