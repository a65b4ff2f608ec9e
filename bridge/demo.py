# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor demo`: fuse two clips that ship with Athanor, by OSC messages as a Max patch would send them.

Server and bridge are real processes on a data folder of their own, so the demo neither needs nor disturbs anything.
"""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import IO

from bridge.output import Output
from bridge.packets import Message, decode, encode
from bridge.picture import draw
from bridge.placement import Placement, make_folder
from bridge.progress import Progress
from bridge.routes import DONE, ERROR, FAILED, PREFIX, PROGRESS
from server.audio import read_clip
from server.errors import AthanorError, ServerUnreachable

ORIGINAL, REFERENCE = "granular_metal.flac", "bowed_drone.flac"
OPTIONS = ("@sweep", 3, "@chain", "space", "@seed", 7, "@start_s", 12.5)
_PATIENCE_S = 300.0


def run(out: Path, as_json: bool) -> int:
    """Make the sounds, their placement records and the picture in `out`; print what was made and what to try next.

    Raises:
        ServerUnreachable: server or bridge did not start, or went silent.
        AthanorError: what the bridge answered instead of a result.
    """
    out = out.expanduser().absolute()
    make_folder(out)
    for name in (ORIGINAL, REFERENCE):
        shutil.copyfile(str(files("presets").joinpath("clips", name)), out / name)
    with Output(as_json) as output, tempfile.TemporaryDirectory(prefix="athanor-demo-", ignore_cleanup_errors=True) as home:
        output.say("Starting a server and a bridge ...")
        with _up(Path(home), out) as port, _Client(port) as client:
            sounds = _fuse(client, out, output)
        picture = out / "fusion.png"
        clips = {f"original: {ORIGINAL}": out / ORIGINAL, f"reference: {REFERENCE}": out / REFERENCE}
        clips |= {f"fused at {snr_db:g} dB": path for path, snr_db in sounds}
        draw({label: read_clip(path) for label, path in clips.items()}, picture, "Two sounds and what became of them")
        output.event("picture", file=str(picture))
        _tell(out, [path for path, _ in sounds], picture, output)
    return 0


def _fuse(client: _Client, out: Path, output: Output) -> list[tuple[Path, float]]:
    """Send the request, show its progress, and return each result with the level at which the original stepped in."""
    request = f"{PREFIX}/render/fuse"
    client.send(f"{PREFIX}/hello", "demo", 0, "athanor demo", 1)
    output.say(f"> {request} demo-1 {ORIGINAL} {REFERENCE} {' '.join(str(value) for value in OPTIONS)}")
    client.send(request, "demo-1", ORIGINAL, REFERENCE, *OPTIONS)
    sounds: list[tuple[Path, float]] = []
    for message in client.messages():
        if message.address in (ERROR, FAILED):
            raise AthanorError(str(message.values[-1]))
        if message.address == PROGRESS:
            _, job, phase, step, n_steps, _, eta_s = message.values
            output.progress(Progress(job, phase, step, n_steps, eta_s if eta_s >= 0 else None))
        elif message.address == DONE:
            _, job, number, count, _, sound, record = message.values[:7]
            placement = Placement.model_validate_json((out / record).read_text(encoding="utf-8"))
            sounds.append((out / sound, placement.provenance["snr_db"]))
            output.event("result", job=job, file=str(out / sound), record=str(out / record))
            if number == count:
                client.send(f"{PREFIX}/job/ack", "demo-2", "demo-1")
                return sounds
    raise AssertionError("messages() ends by an error alone")


def _tell(out: Path, sounds: list[Path], picture: Path, output: Output) -> None:
    listed = "\n".join(f"  {path.relative_to(out)}" for path in sounds)
    output.result(f"""
In {out}:
{listed}
      each with its placement record (.json): it lands at 12.5 s, and its broadcast-wave stamp says so too
  {picture.name}
      waveforms and spectrograms of original, reference and fused

Next:
  athanor fuse YOUR.wav OTHER.wav --balance auto -o out     find where both are equally heard
  athanor generate "glass bells" --seconds 5                a sound from words
  athanor up                                                keep server and OSC bridge running for Max, Pd or Live""")


class _Client:
    """One UDP socket that talks OSC with the bridge, as a patch does."""

    def __init__(self, port: int) -> None:
        self._bridge = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(_PATIENCE_S)

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, address: str, *values: str | int | float) -> None:
        self._socket.sendto(encode(address, *values), self._bridge)

    def messages(self) -> Iterator[Message]:
        """What the bridge says, until it has said nothing for `_PATIENCE_S`: ServerUnreachable."""
        while True:
            try:
                yield from decode(self._socket.recv(65535))
            except TimeoutError:
                raise ServerUnreachable(f"the bridge has said nothing for {_PATIENCE_S:.0f} s; `athanor doctor` may know "
                                        "why.") from None


@contextmanager
def _up(home: Path, root: Path) -> Iterator[int]:
    """`athanor up` as a child, on any free port; gives the port and ends it afterwards."""
    command = [sys.executable, "-m", "bridge", "up", "--json", "--home", str(home), "--root", str(root), "--port", "0"]
    log = home / "up.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            yield _port(process, log)
        finally:
            process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _port(process: subprocess.Popen[str], log: Path) -> int:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            event = json.loads(lines.get(timeout=0.2))
        except queue.Empty:
            continue
        if event["event"] == "ready":
            return int(event["bridge"].split(",")[0].rpartition(":")[2])
    raise ServerUnreachable("server and bridge did not start: " + log.read_text(errors="replace").strip()[-800:])


def _read(stream: IO[str] | None, lines: queue.Queue[str]) -> None:
    for line in stream or ():
        lines.put(line)
