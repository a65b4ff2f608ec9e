# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server costs: a job over the wire minus the same function called in process, for a 10 s stereo clip.

    python benchmarks/server_overhead.py [--runs 50] [--json FILE]

The job is the debug kind's echo, which returns its clip and does nothing else. Every run sends another clip, so nothing is
found in the store: upload, submit, queue, worker, result and download are all paid, with CURVE. The last column leaves
upload and download out, which is what a client on the same clip pays for every further render.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

from server.audio import Clip, read_clip, wav_bytes
from server.client import Client
from server.kinds import find_kind
from server.launch import ensure_server
from server.methods import run
from server.methods.context import Context
from server.protocol import JobRequest

SAMPLE_RATE = 44100
DURATION_S = 10.0
OPTIONS = {"steps": 0}


def clip_bytes(number: int) -> bytes:
    """A 10 s stereo clip of noise as 32-bit float WAV, 3.5 MB."""
    noise = np.random.default_rng(number).standard_normal((2, round(DURATION_S * SAMPLE_RATE)))
    return wav_bytes(Clip((0.1 * noise).astype(np.float32), SAMPLE_RATE))


def in_process_s(data: bytes) -> float:
    """Seconds that the same work takes without a server: decode, run, encode."""
    start = time.perf_counter()
    options = find_kind("debug").parse(OPTIONS, frozenset({"clip"}))
    context = Context(job_id="0" * 32, digests={}, palette_dir=Path(), backbone=_no_backbone, on_step=lambda step: None)
    (output,) = run("debug", {"clip": read_clip(data, name="clip")}, options, context)
    assert output.clip is not None
    wav_bytes(output.clip)
    return time.perf_counter() - start


def over_the_wire_s(client: Client, data: bytes) -> tuple[float, float, float]:
    """Seconds for upload, for the job itself, and for the download."""
    start = time.perf_counter()
    digest = client.upload(data)
    uploaded = time.perf_counter()
    request = JobRequest(job_id=uuid.uuid4().hex, kind="debug", options=OPTIONS, inputs={"clip": digest}, origin="bench")
    client.submit(request)
    status = client.wait(request.job_id)
    done = time.perf_counter()
    assert status.results, status
    client.read(status.results[0].digest)
    client.fetched(request.job_id)
    return uploaded - start, done - uploaded, time.perf_counter() - done


def _no_backbone(name: str) -> None:
    raise AssertionError(f"the echo asked for the backbone {name}")


def measure(n_runs: int) -> dict[str, list[float]]:
    """All times in milliseconds by column; three runs are made first and not counted."""
    columns: dict[str, list[float]] = {name: [] for name in ("upload", "job", "download", "total", "in process", "overhead",
                                                            "overhead, job alone")}
    with tempfile.TemporaryDirectory() as folder:
        ensure_server(Path(folder), arguments=["--debug-jobs", "--set", "warm=false", "--set", "free_floor_bytes=0"])
        with Client(Path(folder)) as client:
            for number in range(n_runs + 3):
                data = clip_bytes(number)
                alone_s = in_process_s(data)
                upload_s, job_s, download_s = over_the_wire_s(client, data)
                total_s = upload_s + job_s + download_s
                if number >= 3:
                    row = (upload_s, job_s, download_s, total_s, alone_s, total_s - alone_s, job_s - alone_s)
                    for column, value in zip(columns.values(), row, strict=True):
                        column.append(1000 * value)
            client.shutdown()
    return columns


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--json", type=Path, default=None, help="also write the medians here")
    given = parser.parse_args()
    columns = measure(given.runs)
    print(f"10 s stereo clip, 44.1 kHz, float32 (3.5 MB), CURVE, {given.runs} runs, milliseconds\n")
    print(f"{'':22}{'best':>9}{'median':>9}{'p90':>9}{'worst':>9}")
    for name, values in columns.items():
        p90 = statistics.quantiles(values, n=10)[-1] if len(values) > 1 else values[0]
        print(f"{name:22}{min(values):9.1f}{statistics.median(values):9.1f}{p90:9.1f}{max(values):9.1f}")
    if given.json:
        given.json.write_text(json.dumps({name: statistics.median(values) for name, values in columns.items()}, indent=2))


if __name__ == "__main__":
    main()
