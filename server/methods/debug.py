# SPDX-License-Identifier: GPL-3.0-or-later
"""debug: steps that take their time, and every way of going wrong that the failure tests need."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Mapping

import numpy as np

from server.audio import Clip
from server.errors import JobCancelled, JobFailed
from server.kinds.debug import DebugOptions
from server.methods.context import Context, Output, Progress

_FOR_EVER_S = 3600
_SAMPLE_RATE = 44100
_leaked: list[bytes] = []  # the one deliberate leak: what `leak_mb` asks for


def run(clips: Mapping[str, Clip], options: DebugOptions, context: Context) -> list[Output]:
    """Make `steps` steps, misbehave where asked, and return the clip that came or a sine with seeded noise."""
    held = bytes(options.alloc_mb << 20)
    _leaked.append(bytes(options.leak_mb << 20))
    _phase(context, options, "loading", options.load_s)
    for step in range(options.steps):
        _step(context, options, Progress(step, options.steps, "sampling"))
        if options.misbehave and step == options.at and context.attempt <= options.attempts:
            _misbehave(options.misbehave)
        time.sleep(options.step_s)
    _phase(context, options, "decoding", options.decode_s)
    del held
    clip = clips.get("clip") or _sine(options.seconds, context.seed(options.seed))
    outputs = [Output("echo", "echo", clip, provenance={"attempt": context.attempt, "steps": options.steps})]
    if options.result_mb:
        outputs.append(Output("ballast", "ballast", data=bytes(int(options.result_mb * 2**20)),
                              media="application/octet-stream"))
    return outputs


def _phase(context: Context, options: DebugOptions, name: str, duration_s: float) -> None:
    if duration_s:
        _step(context, options, Progress(0, 1, name))
        time.sleep(duration_s)


def _step(context: Context, options: DebugOptions, progress: Progress) -> None:
    try:
        context.on_step(progress)
    except JobCancelled:
        if not options.ignore_cancel:
            raise


def _misbehave(how: str) -> None:
    match how:
        case "exit":
            print("debug: leaving without a word", file=sys.stderr, flush=True)
            os._exit(3)
        case "segv":
            faulthandler._sigsegv()  # type: ignore[attr-defined]
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        case "hang":
            time.sleep(_FOR_EVER_S)
        case "hold_gil":
            _sleep_holding_gil(_FOR_EVER_S)
        case "fail":
            raise JobFailed("debug: failing as asked.")
        case "wrong":
            raise ValueError("debug: wrong as asked")
        case "oom":
            raise MemoryError("debug: out of memory as asked")
        case "device":
            raise RuntimeError("CUDA error: device-side assert triggered (debug, as asked)")


def _sleep_holding_gil(duration_s: int) -> None:
    """PyDLL calls keep the interpreter locked, as a careless extension does."""
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(1000 * duration_s)
    else:
        ctypes.PyDLL(None).sleep(duration_s)


def _sine(duration_s: float, seed: int) -> Clip:
    n_samples = max(1, round(duration_s * _SAMPLE_RATE))
    tone = 0.5 * np.sin(2 * np.pi * 440 / _SAMPLE_RATE * np.arange(n_samples))
    noise = 0.01 * np.random.default_rng(seed).standard_normal((2, n_samples))
    return Clip((tone + noise).astype(np.float32), _SAMPLE_RATE)
