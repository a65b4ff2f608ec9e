# SPDX-License-Identifier: GPL-3.0-or-later
"""debug: a job that misbehaves on demand, for the failure tests. Only a server started with --debug-jobs takes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from server.kinds.base import InputSpec, Kind, Options, ResultSpec, Seed


class DebugOptions(Options):
    steps: int = Field(5, ge=0, le=100000, description="Steps to make.")
    step_s: float = Field(0.01, ge=0, le=3600, description="Seconds each step takes.")
    load_s: float = Field(0.0, ge=0, le=3600, description="Seconds in phase loading, deaf to cancel.")
    decode_s: float = Field(0.0, ge=0, le=3600, description="Seconds in phase decoding, deaf to cancel.")
    misbehave: Literal["", "exit", "segv", "abort", "kill", "hang", "hold_gil", "fail", "wrong", "oom", "device"] = Field(
        "", description="What happens at step `at`: exit, segv, abort and kill end the process, hang sleeps for ever, "
        "hold_gil sleeps so that no thread runs, fail and wrong raise, oom runs out of memory, device is a device error."
    )
    at: int = Field(0, ge=0, description="The step at which it happens.")
    attempts: int = Field(1, ge=1, le=99, description="It happens in that many attempts, then no more.")
    ignore_cancel: bool = Field(False, description="Go on when asked to stop.")
    alloc_mb: int = Field(0, ge=0, le=100000, description="Megabytes held while it runs.")
    leak_mb: int = Field(0, ge=0, le=100000, description="Megabytes never given back.")
    result_mb: float = Field(0.0, ge=0, le=1000, description="Size of an additional result, megabytes.")
    seconds: float = Field(0.1, gt=0, le=600, description="Length of the sine that is returned if no clip came.")
    seed: Seed = Field(None, description="Seed of the result's noise.")


DEBUG = Kind(
    name="debug",
    title="Debug",
    help="Misbehave on demand, to prove that the server survives it.",
    options=DebugOptions,
    inputs=(InputSpec("clip", "Returned as it came.", required=False),),
    results=(
        ResultSpec("echo", "The clip that came, or a sine with seeded noise."),
        ResultSpec("ballast", "Zeros, `result_mb` of them.", "application/octet-stream"),
    ),
)
