# SPDX-License-Identifier: GPL-3.0-or-later
"""models: the list, a card, and a page of sounds, on a real server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bridge.cli import FAILED, OK, USAGE, main
from bridge.picture import draw_page
from server.audio import Clip

PNG = b"\x89PNG"


@pytest.fixture
def models(server, monkeypatch, capsys):
    """`models(*words)`: exit code, stdout and stderr of the command in this process, on the shared server."""
    monkeypatch.setitem(os.environ, "ATHANOR_HOME", str(server.home))

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["models", *map(str, words)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_without_a_name_all_are_listed(models):
    code, shown, _ = models()
    assert code == OK
    assert shown.splitlines()[0].split() == ["MODEL", "LOADED", "TITLE", "SOURCE"]
    assert "embedded" in shown and "stable-audio-open" in shown


def test_the_embedded_model_tells_its_words_by_group(models):
    code, shown, _ = models("embedded")
    assert code == OK
    groups = [line for line in shown.splitlines() if line and not line.startswith(" ") and ":" not in line]
    assert len(groups) >= 5 and "instruments" in groups
    assert '  drum              "drum hits"' in shown.splitlines()
    assert "licence:" in shown and "sound:" in shown


def test_another_model_tells_what_the_catalogue_knows(models):
    _, shown, _ = models("stable-audio-open")
    assert "44100 Hz, stereo, in windows of 47.55 s" in shown
    assert "https://huggingface.co/stabilityai" in shown
    assert "no; fetched on first use, or before by `athanor models get stable-audio-open`" in shown
    assert "no; `athanor models get tango` fetches it" in models("tango")[1]
    assert "words:    any" in shown


def test_a_model_is_loaded_pinned_and_let_go(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "embedded").mkdir()  # a known name is not a folder that happens to lie here
    assert models("pin", "embedded") == (OK, "embedded is loaded and stays so\n", "")

    def row() -> str:
        return next(line for line in models()[1].splitlines() if line.startswith("embedded"))

    assert "MB, pinned" in row()
    assert "yes, loaded: " in models("embedded")[1]
    assert models("unload", "embedded")[0] != OK
    assert models("unpin", "embedded")[0] == models("unload", "embedded")[0] == OK
    assert "MB" not in row()


def test_json_has_everything_in_one_line(models):
    _, shown, _ = models("embedded", "--json", "--only", "instruments")
    (line,) = shown.splitlines()
    told = json.loads(line)
    assert told["name"] == "embedded" and len(told["vocabulary"]) > 20 and told["card"]["sample_rate"] > 0


@pytest.mark.parametrize(("words", "code", "message"), [
    (["embeded"], USAGE, "did you mean 'embedded'"),
    (["--picture", "page.png"], USAGE, "need a model's name"),
    (["embedded", "--only", "instrument"], USAGE, "did you mean 'instruments'"),
    (["audioldm2", "--only", "drums"], USAGE, "whose words are not known"),
    (["audioldm2", "--picture", "page.png"], USAGE, "nothing to draw"),
    (["embedded", "--picture", "page.jpg"], USAGE, "ends in .png"),
    (["pin"], USAGE, "`athanor models pin` is not known"),
    (["pni", "embedded"], USAGE, "load, unload, pin, unpin and a name"),
    (["load", "embeded"], USAGE, "Did you mean 'embedded'"),
])
def test_a_mistake_is_one_sentence(models, words, code, message):
    found, _, said = models(*words)
    assert (found, said.count("\n")) == (code, 1)
    assert message in said


def test_a_page_is_drawn(tmp_path: Path):
    rng = np.random.default_rng(0)
    clips = {f"class {k}": Clip(0.1 * rng.normal(size=(1, 3200)), 32000) for k in range(9)}
    draw_page(clips, tmp_path / "page.png", "nine", columns=4)
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)


@pytest.mark.timeout(300)
def test_a_picture_is_generated_class_by_class_with_progress(models, tmp_path):
    code, shown, said = models("embedded", "--only", "drum", "--picture", tmp_path / "new" / "page.png")
    assert code == OK, said
    assert shown.splitlines()[-1] == str(tmp_path / "new" / "page.png")
    assert (tmp_path / "new" / "page.png").read_bytes().startswith(PNG)
    assert "drum" in said.splitlines()


def test_a_model_that_is_not_here_fails_as_a_render_does(models, tmp_path):
    (Path(os.environ["ATHANOR_HOME"]) / "models.toml").write_text('[gone]\nsource = "/nowhere/at/all"\n')
    try:
        code, _, said = models("gone", "--picture", tmp_path / "page.png")
        assert (code, "nothing to draw" in said) == (USAGE, True)
    finally:
        (Path(os.environ["ATHANOR_HOME"]) / "models.toml").unlink()
    assert FAILED == 1
