# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin may crash, hang or be missing half of itself: it costs one error, and leaves no process and no file."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from plugin_host.guard import run_plugin
from server.errors import InvalidOption, JobCancelled, PluginFailed, PluginTimeout, StorageError

TUBE, COMP, COMP_STEREO, SLOW = (f"/usr/lib/vst3/{name}.vst3"
                                 for name in ("ZamTube", "ZamComp", "ZamCompX2", "ZamVerb"))


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = set(psutil.Process().children(recursive=True))  # other tests may keep a server for the session
    yield
    assert not list(scratch.iterdir())
    assert not set(psutil.Process().children(recursive=True)) - before


def render(plugin, clip, *, parameters=None, raw_state="", timeout_s=60.0, **rest):
    return run_plugin(Path(plugin), parameters or {}, raw_state, clip, timeout_s=timeout_s, **rest)


class OnFirstChild:
    """Acts once on the plugin's process, as soon as it runs."""

    def __init__(self, act):
        self.act, self.before = act, set(psutil.Process().children())

    def __call__(self):
        for child in set(psutil.Process().children()) - self.before:
            if self.act and child.status() != psutil.STATUS_ZOMBIE:
                act, self.act = self.act, None
                act(child)


def test_a_file_that_is_no_plugin_is_refused(broken_plugin, mono):
    with pytest.raises(PluginFailed, match="Broken cannot be loaded: .*unsupported plugin format.*built for this"):
        render(broken_plugin, mono)


def test_a_missing_library_is_named(plugin_lacking_a_library, mono):
    with pytest.raises(PluginFailed, match=r"Lacking cannot be loaded: it needs libQ\.so\.6, which this system lacks"):
        render(plugin_lacking_a_library, mono)


def test_a_hang_ends_at_the_limit_which_is_told(hanging_plugin, mono):
    with pytest.raises(PluginTimeout, match=r"Hanging was stopped.*limit of 2 s.*timeout_s = 4"):
        render(hanging_plugin, mono, timeout_s=2)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_crash_is_told_with_its_signal(hanging_plugin, mono):
    crash = OnFirstChild(lambda child: child.send_signal(signal.SIGSEGV))
    with pytest.raises(PluginFailed, match=r"Hanging crashed \(SIGSEGV\)\. Its last words: none") as caught:
        render(hanging_plugin, mono, on_wait=crash)
    assert not isinstance(caught.value, PluginTimeout)


def test_a_cancel_stops_a_plugin_that_hangs(hanging_plugin, mono):
    def cancel(child):
        raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        render(hanging_plugin, mono, on_wait=OnFirstChild(cancel))


def test_a_plugin_may_be_run_from_any_thread(broken_plugin, mono):
    caught = []

    def work():
        try:
            render(broken_plugin, mono)
        except PluginFailed as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert len(caught) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_is_told(broken_plugin, mono):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError, match=r"athanor-plugin-.* cannot be written: .*Free some space"):
            render(broken_plugin, mono)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.hosts
def test_a_real_plugin_keeps_the_shape_and_hears_its_parameters(require_host, mono):
    tube = require_host(TUBE)
    soft, hard = (render(tube, mono, parameters={"tube_drive": drive}) for drive in (0.1, 11.0))
    for clip in (soft, hard):
        assert (clip.samples.shape, clip.sample_rate) == (mono.samples.shape, mono.sample_rate)
        assert np.isfinite(clip.samples).all()
    assert np.abs(soft.samples - hard.samples).max() > 0.01


@pytest.mark.hosts
def test_a_saved_state_gives_the_same_sound_as_the_parameters(require_host, mono):
    import base64
    import subprocess

    tube = require_host(TUBE)
    # A parameter reaches the plugin's processor, and so its state, with the next block of sound.
    script = ("import base64, numpy, pedalboard\n"
              f"plugin = pedalboard.load_plugin({str(tube)!r})\n"
              "plugin.tube_drive = 7.0\n"
              "plugin(numpy.zeros((1, 4800), 'f4'), 48000)\n"
              "print('state=' + base64.b64encode(plugin.raw_state).decode())")
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    state = next(line for line in answer.stdout.splitlines() if line.startswith("state="))[6:]
    assert base64.b64decode(state)
    from_state, from_parameter = render(tube, mono, raw_state=state), render(tube, mono, parameters={"tube_drive": 7.0})
    # The state keeps the drive as a float of its own range, whose last bit may differ.
    np.testing.assert_allclose(from_state.samples, from_parameter.samples, rtol=0, atol=1e-5)
    assert not np.array_equal(from_state.samples, render(tube, mono).samples)


@pytest.mark.hosts
@pytest.mark.parametrize(("parameters", "message"), [
    ({"tube_drve": 1.0}, "ZamTube has no parameter 'tube_drve'; did you mean 'tube_drive'"),
    ({"tube_drive": 99.0}, r"ZamTube: .*'tube_drive' \(99\.0\) is out of range \[0\.1 , 11\.0 \]"),
    ({"tone_stack_model": "none"}, "ZamTube: .*not in list of valid values"),
])
def test_a_wrong_parameter_of_a_real_plugin_is_explained(require_host, mono, parameters, message):
    with pytest.raises(InvalidOption, match=message):
        render(require_host(TUBE), mono, parameters=parameters)


@pytest.mark.hosts
def test_a_mono_plugin_refuses_stereo_and_a_stereo_one_takes_it(require_host, stereo):
    with pytest.raises(PluginFailed, match="ZamComp does not take a clip of 2 channels.*plugin needs a mono clip"):
        render(require_host(COMP), stereo)
    assert render(require_host(COMP_STEREO), stereo).samples.shape == stereo.samples.shape


@pytest.mark.hosts
def test_a_plugin_that_loads_for_minutes_times_out_cleanly(require_host, mono):
    with pytest.raises(PluginTimeout, match="ZamVerb was stopped.*limit of 3 s"):
        render(require_host(SLOW), mono, timeout_s=3)


@pytest.mark.hosts
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_crash_repeats_the_last_words_of_the_plugin(require_host, mono):
    before = set(psutil.Process().children())

    def kill_once_it_speaks():
        logs = list(Path(tempfile.gettempdir()).glob("athanor-plugin-*/log"))
        if logs and b"convolution" in logs[0].read_bytes():
            for plugin in set(psutil.Process().children()) - before:
                plugin.send_signal(signal.SIGABRT)

    with pytest.raises(PluginFailed, match=r"ZamVerb crashed \(SIGABRT\)\. Its last words: .*convolution"):
        render(require_host(SLOW), mono, on_wait=kill_once_it_speaks)
