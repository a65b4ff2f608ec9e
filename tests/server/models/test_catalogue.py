# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, configured names and fingerprints, without torch."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from server.errors import InvalidOption, ModelUnavailable
from server.models.catalogue import (
    CATALOGUE,
    LAYOUT_OF_PIPELINE,
    Source,
    find,
    folder_revision,
    layout_of,
    revision_of,
    sources,
)
from server.models.convert import CONVERTED


def test_reading_the_catalogue_imports_no_torch():
    code = "import sys, server.models.catalogue; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_card_is_whole():
    for name, card in CATALOGUE.items():
        assert card.name == name and card.layout in LAYOUT_OF_PIPELINE.values() and card.licence and card.used_for
        assert card.published == (card.layout in CONVERTED)


def test_known_names_hub_ids_and_folders(tmp_path):
    assert find("audioldm2").source == "cvssp/audioldm2" and find("audioldm2").is_hub
    assert find("someone/some-model") == Source("someone/some-model", "someone/some-model")
    assert find(str(tmp_path)) == Source(str(tmp_path), str(tmp_path.resolve()))
    assert not find("embedded").is_hub


def test_the_waveform_model_computes_the_clip_alone_unless_told_otherwise(tmp_path):
    assert find("waveform").window == "cropped" and find("stable-audio-open").window is None
    (tmp_path / "models.toml").write_text('[waveform]\ndevice = "cpu"\n', encoding="utf-8")
    assert (find("waveform", tmp_path).device, find("waveform", tmp_path).window) == ("cpu", "cropped")
    (tmp_path / "models.toml").write_text('[waveform]\nwindow = "full"\n', encoding="utf-8")
    assert find("waveform", tmp_path).window == "full"


@pytest.mark.parametrize(("name", "nearest"), [("audioldm-2", "audioldm2"), ("stable-audio", "stable-audio-open")])
def test_an_unknown_name_names_the_nearest(name, nearest):
    with pytest.raises(InvalidOption, match=f"no model called '{name}'. Did you mean '{nearest}'"):
        find(name)


def test_a_folder_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ModelUnavailable, match="no model folder"):
        find(str(tmp_path / "nowhere"))


def test_configured_names_add_and_override(tmp_path):
    (tmp_path / "strings").mkdir()
    (tmp_path / "models.toml").write_text(
        '[strings]\nsource = "strings"\ndtype = "bfloat16"\n'
        '[audioldm2]\nrevision = "abc123"\ndevice = "cpu"\n[mine]\nsource = "me/mine"\n',
        encoding="utf-8",
    )
    known = sources(tmp_path)
    assert known["strings"] == Source("strings", str((tmp_path / "strings").resolve()), dtype="bfloat16")
    assert known["audioldm2"] == Source("audioldm2", "cvssp/audioldm2", revision="abc123", device="cpu")
    assert known["mine"].is_hub
    assert list(known)[: len(CATALOGUE)] == list(CATALOGUE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a\n", "not valid TOML"),
        ('[a]\nsource = "x/y"\ndtpye = "float16"\n', "no key 'dtpye'. Did you mean 'dtype'"),
        ('[a]\ndtype = "float16"\n', "needs source"),
        ("a = 3\n", "must be a table"),
    ],
)
def test_a_wrong_models_toml_is_explained(tmp_path, text, message):
    (tmp_path / "models.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidOption, match=message):
        find("a", tmp_path)


def test_a_fingerprint_follows_the_contents(tmp_path):
    def folder(name: str, weights: bytes):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "model.safetensors").write_bytes(weights)
        return tmp_path / name

    one, same, other = folder("one", b"abc"), folder("same", b"abc"), folder("other", b"abd")
    assert folder_revision(one) == folder_revision(same) != folder_revision(other)
    before = folder_revision(one)
    (one / "README.md").write_text("a note changes nothing", encoding="utf-8")
    assert folder_revision(one) == before
    (one / "unet" / "config.json").write_text("{}", encoding="utf-8")
    assert folder_revision(one) != before


def test_revision_of_what_is_here_and_what_is_not(tmp_path, tiny_folder, monkeypatch):
    folder = tiny_folder("audioldm")
    assert revision_of(find(str(folder))) == folder_revision(folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert revision_of(find("audioldm2")) is None and revision_of(find("audioldm")) is None
    repository = tmp_path / "models--cvssp--audioldm-s-full-v2"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abcd", encoding="utf-8")
    assert revision_of(find("audioldm")) == "0123abcd", "the newest that came"
    commit = find("audioldm2").revision
    (tmp_path / "models--cvssp--audioldm2" / "snapshots" / commit).mkdir(parents=True)
    assert revision_of(find("audioldm2")) == commit


def test_commits_of_the_papers_models_are_pinned_unless_told_otherwise(tmp_path):
    pinned = {name for name, card in CATALOGUE.items() if card.revision}
    assert pinned == {"stable-audio-open", "stable-audio-open-small", "audioldm2", "audioldm2-large"}
    assert all(re.fullmatch("[0-9a-f]{40}", CATALOGUE[name].revision) for name in pinned)
    assert find("cvssp/audioldm2").revision == find("audioldm2").revision == CATALOGUE["audioldm2"].revision
    (tmp_path / "models.toml").write_text(
        '[audioldm2]\ndevice = "cpu"\n[audioldm2-large]\nsource = "me/mine"\n', encoding="utf-8")
    assert find("audioldm2", tmp_path).revision == CATALOGUE["audioldm2"].revision
    assert find("audioldm2-large", tmp_path).revision is None, "another repository has other commits"


def test_layouts_by_pipeline_class(tiny_folder, tmp_path):
    for layout in ("stable_audio", "audioldm2", "audioldm"):
        assert layout_of(tiny_folder(layout)) == layout
    with pytest.raises(ModelUnavailable, match="not a model folder"):
        layout_of(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}', encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="holds a FluxPipeline; this version runs StableAudioPipeline"):
        layout_of(tmp_path)
