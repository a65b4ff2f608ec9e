# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain is checked whole when it is read, and a clip comes out as long as it went in."""

from __future__ import annotations

import base64
import subprocess
import sys

import numpy as np
import pytest

from plugin_host import Chain, parse_chain, resolve_chain, run_chain
from presets import load_chain
from server.audio import Clip
from server.errors import InvalidInput, InvalidOption, JobCancelled, PluginFailed, PluginTimeout

GAIN = {"builtin": "Gain", "parameters": {"gain_db": 6}}


def test_a_chain_runs_its_plugins_in_order(stereo):
    chain = parse_chain("two", [GAIN, {"builtin": "Clipping", "parameters": {"threshold_db": -6.0}}])
    rendered = run_chain(chain, stereo)
    assert (rendered.samples.shape, rendered.sample_rate) == (stereo.samples.shape, stereo.sample_rate)
    expected = np.clip(stereo.samples * 10**0.3, -(10**-0.3), 10**-0.3)
    np.testing.assert_allclose(rendered.samples, expected, atol=1e-6)
    backwards = run_chain(Chain(title="back", links=chain.links[::-1]), stereo)
    assert np.abs(backwards.samples).max() > np.abs(rendered.samples).max()


def test_progress_names_each_plugin_and_a_raise_stops_the_chain(mono):
    chain = parse_chain("two", [GAIN, {"builtin": "Invert"}])
    steps = []
    run_chain(chain, mono, on_step=lambda *step: steps.append(step))
    assert steps == [(0, 2, "Gain"), (1, 2, "Invert"), (2, 2, "")]

    def cancel(done, n_links, name):
        if done == 1:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        run_chain(chain, mono, on_step=cancel)


def test_a_chain_survives_json():
    chain = parse_chain("all", [GAIN, {"vst3": "ZamTube", "parameters": {"tube_drive": 2, "on": True, "mode": "a"},
                                       "raw_state": base64.b64encode(b"\xff\x00").decode(), "timeout_s": 5}])
    assert Chain.model_validate_json(chain.model_dump_json()) == chain
    assert chain.links[1].parameters == {"tube_drive": 2.0, "on": True, "mode": "a"}
    assert chain.links[1].parameters["on"] is True
    assert [(link.format, link.name) for link in chain.links] == [("builtin", "Gain"), ("vst3", "ZamTube")]


@pytest.mark.parametrize(("links", "message"), [
    ([], "names no plugin"),
    ("Reverb", "names no plugin"),
    (["Reverb"], "plugin 1: give a table"),
    ([GAIN, {"bultin": "Gain"}], "plugin 2 has no 'bultin'; did you mean 'builtin'"),
    ([{"parameters": {}}], "exactly one of builtin, vst3 and au, not none"),
    ([{"builtin": "Gain", "vst3": "ZamTube"}], "not builtin and vst3"),
    ([{"builtin": "Gian"}], "did you mean 'Gain'"),
    ([{"builtin": "Gain", "parameters": {"gain": 1}}], "no parameter 'gain'; did you mean 'gain_db'"),
    ([{"builtin": "Gain", "parameters": 3}], "parameters = 3"),
    ([{"builtin": "Gain", "raw_state": "AA=="}], "Gain has none"),
    ([{"builtin": "Gain", "timeout_s": 5}], "Gain has none"),
    ([{"vst3": "ZamTube", "raw_state": "%"}], "raw_state is not base64"),
    ([{"vst3": "ZamTube", "timeout_s": 0}], "timeout_s = 0"),
    ([{"vst3": "ZamTube", "timeout_s": "5"}], "timeout_s = '5'"),
    ([{"vst3": "ZamTube", "parameters": {"drive": float("nan")}}], "drive = nan"),
    ([{"vst3": 5}], "vst3 = 5"),
])
def test_a_wrong_link_is_refused_and_the_nearest_named(links, message):
    with pytest.raises(InvalidOption, match=message):
        parse_chain("test", links)


def test_every_plugin_is_looked_for_before_the_first_one_runs(mono):
    chain = parse_chain("test", [GAIN, {"vst3": "No Such Plugin Anywhere"}])
    steps = []
    with pytest.raises(InvalidOption, match="'No Such Plugin Anywhere' is not installed"):
        run_chain(chain, mono, on_step=lambda *step: steps.append(step))
    assert not steps


@pytest.mark.parametrize(("samples", "message"), [
    (np.ones((1, 1)), "too short: 1 sample"), (np.ones((8, 48_000)), "8 channels"),
])
def test_clips_that_plugins_cannot_take_are_refused(samples, message):
    with pytest.raises(InvalidInput, match=message):
        run_chain(parse_chain("one", [GAIN]), Clip(samples, 48_000))


def test_silence_stays_silence():
    silent = Clip(np.zeros((2, 48_000)), 48_000)
    assert run_chain(load_chain("space"), silent).is_silent


def test_a_chain_that_gives_infinity_is_an_error(mono):
    links = [{"builtin": "Gain", "parameters": {"gain_db": 60.0}}] * 14
    with pytest.raises(PluginFailed, match="Gain gave NaN or infinite samples"):
        run_chain(parse_chain("loud", links), mono)


def test_the_limit_of_a_link_holds_unless_the_caller_gives_one(hanging_plugin, mono):
    chain = parse_chain("hangs", [{"vst3": str(hanging_plugin), "timeout_s": 1.5}])
    with pytest.raises(PluginTimeout, match=r"limit of 1\.5 s"):
        run_chain(chain, mono)
    with pytest.raises(PluginTimeout, match=r"limit of 0\.5 s"):
        run_chain(chain, mono, timeout_s=0.5)


def test_importing_the_host_loads_neither_pedalboard_nor_torch():
    code = "import sys, plugin_host, presets; assert not {'torch', 'pedalboard'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.hosts
def test_a_chain_of_real_plugins(require_host, mono):
    require_host("/usr/lib/vst3/ZamTube.vst3")
    require_host("/usr/lib/vst3/ZamComp.vst3")
    chain = load_chain("zam_tube")
    assert [link.plugin for link in chain.links] == ["/usr/lib/vst3/ZamTube.vst3", "/usr/lib/vst3/ZamComp.vst3"]
    assert resolve_chain(chain) == chain
    rendered = run_chain(chain, mono)
    assert rendered.samples.shape == mono.samples.shape and not rendered.is_silent
    # ZamComp itself differs in the last digits from run to run.
    np.testing.assert_allclose(run_chain(chain, mono).samples, rendered.samples, atol=1e-4)
