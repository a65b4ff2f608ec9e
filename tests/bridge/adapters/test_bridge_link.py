# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's adapter listens for results that wait, at a FAKE of the bridge's HTTP."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.adapters.bridge_link import BridgeLink
from bridge.connection import Connection, save

PROGRESS = {"event": "progress", "job": "busy", "step": 1}


def done(job, index, count):
    return {"event": "done", "job": job, "index": index, "count": count}


class FakeBridge(BaseHTTPRequestHandler):
    """Tells two jobs that are done, one of them not whole, then another's progress without an end; tells the ends again."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("application/json")
        self.wfile.write(json.dumps({"ok": True, "root": "/r", "session": "s"}).encode())

    def do_GET(self):
        self._answer("text/event-stream")
        ended = [done("one", 1, 1), done("two", 1, 2), done("two", 2, 2), done("torn", 1, 2), done("none", 0, 0)]
        try:
            while not self.server.over.wait(0.05):
                for event in (*ended, PROGRESS):
                    self.wfile.write(f"event: {event['event']}\ndata: {json.dumps(event)}\n\n".encode())
        except OSError:  # the listener has gone
            pass

    def _answer(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def link(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeBridge)
    server.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    save(tmp_path, Connection(osc_port=1, http_port=server.server_port, token="t" * 32, root="/r"))
    yield BridgeLink(tmp_path, "audacity")
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_results_that_wait_come_once_and_whole_while_another_job_goes_on(link):
    assert [(event["job"], event["index"]) for event in link.waiting()] == [("one", 1), ("two", 1), ("two", 2), ("none", 0)]
