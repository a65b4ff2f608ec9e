# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips for plugins, and plugins that misbehave without any package installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip


@pytest.fixture
def mono() -> Clip:
    return Clip(np.random.default_rng(0).uniform(-0.3, 0.3, (1, 24_001)), 48_000)


@pytest.fixture
def stereo() -> Clip:
    return Clip(np.random.default_rng(1).uniform(-0.3, 0.3, (2, 22_051)), 44_100)


@pytest.fixture
def broken_plugin(tmp_path) -> Path:
    """A file with a plugin's name and nothing of one inside."""
    path = tmp_path / "Broken.vst3"
    path.write_text("not a plugin")
    return path


@pytest.fixture
def hanging_plugin(tmp_path) -> Path:
    """A bundle whose library is a pipe that nobody writes to: loading it never returns."""
    if sys.platform != "linux":
        pytest.skip("the layout of a Linux bundle")
    library = tmp_path / "Hanging.vst3" / "Contents" / f"{os.uname().machine}-linux" / "Hanging.so"
    library.parent.mkdir(parents=True)
    os.mkfifo(library)
    return tmp_path / "Hanging.vst3"


@pytest.fixture
def plugin_lacking_a_library(tmp_path) -> Path:
    """A real library, changed so that it asks for one that no system has."""
    if sys.platform != "linux":
        pytest.skip("the dynamic linker of Linux")
    import soxr.soxr_ext as extension

    content = Path(extension.__file__).read_bytes()
    assert content.count(b"libm.so.6\0") >= 1
    library = tmp_path / "Lacking.vst3" / "Contents" / f"{os.uname().machine}-linux" / "Lacking.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(content.replace(b"libm.so.6\0", b"libQ.so.6\0"))
    return tmp_path / "Lacking.vst3"
