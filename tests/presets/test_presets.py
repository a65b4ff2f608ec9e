# SPDX-License-Identifier: GPL-3.0-or-later
"""Every shipped preset holds, and a person's own are added, found, replaced and shared safely."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

import presets
from plugin_host import Link, run_chain
from presets import load_chain
from server.audio import Clip
from server.errors import InvalidOption, StorageError
from server.kinds import KINDS

SHIPPED = sorted(path.stem for path in Path(presets.__file__).parent.glob("*.toml"))
NEEDED = {"space", "glue", "lofi", "tape_wash", "clean", "zam_tube", "fuse_equilibrium", "fuse_original_forward",
          "fuse_reference_forward", "fuse_sweep", "fuse_ode_smooth", "fuse_paper"}
KNOWN_PLUGINS = {"ZamTube", "ZamComp"}
CHAIN = 'kind = "chain"\ntitle = "Mine"\ndescription = "d"\n[[chain]]\nbuiltin = "Gain"\n'


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def file(folder: Path, content: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


# --- what ships --------------------------------------------------------------------------------------------------


def test_what_should_ship_does():
    assert NEEDED <= set(SHIPPED)
    assert [preset.name for preset in presets.listing()] == SHIPPED
    assert presets.problems() == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_preset_holds_against_its_kind(name):
    preset = presets.load(name)
    assert preset.shipped and preset.name == name
    assert preset.title and len(preset.description) > 20
    if preset.kind == "chain":
        assert preset.chain and not preset.options
    else:
        kind = KINDS[preset.kind]
        said = {name: get_args(field.annotation)[0] if get_origin(field.annotation) is Literal else "a sound"
                for name, field in kind.options.model_fields.items() if field.is_required()}
        parsed = kind.parse(said | preset.options)  # what a person says anew each time, then what the preset says
        for key in preset.options:
            assert key in parsed.model_fields_set
    for chain in filter(None, (preset.pre, preset.post, preset.chain)):
        assert all(link.builtin or link.plugin in KNOWN_PLUGINS for link in chain.links)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "zam_tube"])
def test_every_shipped_chain_of_built_ins_gives_sound_under_full_scale(name, sample_rate):
    preset = presets.load(name)
    clip = Clip(np.random.default_rng(0).uniform(-0.9, 0.9, (2, sample_rate // 2)), sample_rate)
    for chain in filter(None, (preset.pre, preset.post, preset.chain)):
        rendered = run_chain(chain, clip)
        assert rendered.samples.shape == clip.samples.shape
        assert 0.05 < np.abs(rendered.samples).max() <= 1.0


def test_the_names_of_kinds_and_sounds_are_where_the_issue_wants_them():
    assert presets.load("fuse_equilibrium").options["balance"] == "auto"
    assert presets.load("fuse_paper").options["reference"] == "learn"
    assert [preset.name for preset in presets.listing(kind="generate")] == \
        [name for name in SHIPPED if name.startswith("generate_")]


# --- what a file may say -----------------------------------------------------------------------------------------


def test_a_job_preset_carries_options_and_plugins_before_and_after(tmp_path):
    path = file(tmp_path, 'kind = "generate"\ntitle = "T"\ndescription = "d"\n[options]\nseconds = 3\n'
                          '[[pre]]\nbuiltin = "Gain"\n[[post]]\nbuiltin = "Reverb"\n[[post]]\nvst3 = "ZamTube"\n')
    preset = presets.load(path)
    assert preset.options == {"seconds": 3} and preset.chain is None
    assert [link.name for link in preset.pre.links] == ["Gain"]
    assert [link.name for link in preset.post.links] == ["Reverb", "ZamTube"]
    assert not preset.shipped and preset.path == path


HEAD = 'title = "T"\ndescription = "d"\n'


@pytest.mark.parametrize(("content", "message"), [
    ("", r'mine\.toml: a preset needs kind = "\.\.\."'),
    ('knd = "fuse"\n' + HEAD, 'needs kind = ".*did you mean \'knd\''),
    ('kind = "fuze"\n' + HEAD, "no kind 'fuze'; did you mean 'fuse'"),
    ('kind = "fuse"\ntitle = "T"\n', "needs description"),
    ('kind = "fuse"\ntitle = 3\ndescription = "d"\n', "needs title"),
    ('kind = "fuse"\noption = 1\n' + HEAD, "has no 'option'; did you mean 'options'"),
    ('kind = "fuse"\n' + HEAD + '[[chain]]\nbuiltin = "Gain"\n', "of kind 'fuse' has no 'chain'"),
    ('kind = "fuse"\noptions = 3\n' + HEAD, "options = 3 is not a table"),
    ('kind = "fuse"\n' + HEAD + "[options]\nguidence = 3\n", "fuse has no option 'guidence'; did you mean 'guidance'"),
    ('kind = "fuse"\n' + HEAD + "[options]\nguidance = 300\n", "guidance=300"),
    ('kind = "fuse"\n' + HEAD + '[[post]]\nbuiltin = "Reverbe"\n', "did you mean 'Reverb'"),
    ('kind = "fuse"\npost = []\n' + HEAD, "T, post' names no plugin"),
    ('kind = "chain"\n' + HEAD, "names no plugin"),
    ('kind = "chain"\n' + HEAD + "[options]\n", "of kind 'chain' has no 'options'"),
    ('kind = "chain"\n' + HEAD + '[[chain]]\nbuiltin = "Gain"\nparameters = { gian_db = 1 }\n',
     "did you mean 'gain_db'"),
    ("kind = fuse", r"mine\.toml is not a preset: it is not valid TOML \(.*line 1"),
    ("x = '" + "y" * 2**22 + "'", "larger than the 4 MiB"),
])
def test_what_a_preset_may_not_say_is_explained(tmp_path, content, message):
    with pytest.raises(InvalidOption, match=message):
        presets.load(file(tmp_path, content))


def test_a_file_that_is_no_text_and_one_that_is_missing(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidOption, match="not valid TOML"):
        presets.load(tmp_path / "mine.toml")
    with pytest.raises(InvalidOption, match=r"none\.toml cannot be read: No such file"):
        presets.load(tmp_path / "none.toml")


# --- a person's own ----------------------------------------------------------------------------------------------


def test_an_added_preset_is_found_by_its_name(tmp_path, home):
    added = presets.add(file(tmp_path, CHAIN))
    assert added == presets.load("mine") and added.path == home / "presets" / "mine.toml"
    assert added in presets.listing(kind="chain") and not added.shipped


def test_a_name_that_is_taken_needs_replace_and_the_persons_own_comes_first(tmp_path, home):
    path = file(tmp_path, CHAIN, "space.toml")
    with pytest.raises(InvalidOption, match="A preset 'space' ships with the program"):
        presets.add(path)
    assert presets.load("space").shipped
    presets.add(path, replace=True)
    assert presets.load("space").title == "Mine"
    with pytest.raises(InvalidOption, match="A preset 'space' is among your own"):
        presets.add(path)
    (home / "presets" / "space.toml").unlink()
    assert presets.load("space").title == "Space"


@pytest.mark.parametrize("name", ["-x.toml", "a b.toml", "x.txt"])
def test_a_name_that_no_system_could_keep_is_refused(tmp_path, name):
    with pytest.raises(InvalidOption, match="cannot name a preset"):
        presets.add(file(tmp_path, CHAIN, name))


def test_a_file_that_does_not_hold_is_not_added(tmp_path, home):
    with pytest.raises(InvalidOption):
        presets.add(file(tmp_path, "kind = 3"))
    assert not home.exists()


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(InvalidOption, match="There is no preset 'spce'; did you mean 'space'"):
        presets.load("spce")
    with pytest.raises(InvalidOption, match="There is no preset"):
        presets.load("../space")


def test_one_broken_file_does_not_hide_the_others(home):
    (home / "presets").mkdir(parents=True)
    file(home / "presets", "kind = 3", "broken.toml")
    assert [preset.name for preset in presets.listing()] == SHIPPED
    (problem,) = presets.problems()
    assert problem.startswith("broken.toml: a preset needs kind")
    with pytest.raises(InvalidOption, match=r"broken\.toml"):
        presets.load("broken")


def test_an_exported_preset_can_be_edited_and_added_again(tmp_path, home):
    target = presets.export("fuse_sweep", tmp_path)
    assert target == tmp_path / "fuse_sweep.toml"
    with pytest.raises(InvalidOption, match="exists already"):
        presets.export("fuse_sweep", target)
    presets.export("fuse_sweep", target, replace=True)
    edited = target.rename(tmp_path / "my_sweep.toml")
    edited.write_text(edited.read_text(encoding="utf-8").replace("sweep = 5", "sweep = 3"), encoding="utf-8")
    assert presets.add(edited).options["sweep"] == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path, home):
    home.write_text("a file where the data folder should be")
    with pytest.raises(StorageError, match=r"mine\.toml cannot be written"):
        presets.add(file(tmp_path, CHAIN))


def test_the_data_folder_follows_the_platform_without_the_variable(monkeypatch):
    import platformdirs

    monkeypatch.delenv("ATHANOR_HOME")
    assert presets.user_folder() == Path(platformdirs.user_data_path("athanor")) / "presets"
    assert presets.user_folder(Path("here")) == Path("here") / "presets"


def test_importing_presets_loads_no_torch():
    code = "import sys, presets; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=os.environ.copy())


def test_chains_come_from_presets_by_name_and_by_path(tmp_path, monkeypatch):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    assert load_chain("space").title == "Space"
    path = tmp_path / "mine.toml"
    path.write_text('kind = "chain"\ntitle = "Mine"\ndescription = "d"\n[[chain]]\nbuiltin = "Gain"\n')
    assert load_chain(path).links == (Link(builtin="Gain"),)
    (tmp_path / "other" / "presets").mkdir(parents=True)
    path.rename(tmp_path / "other" / "presets" / "mine.toml")
    assert load_chain("mine", home=tmp_path / "other").title == "Mine"
    with pytest.raises(InvalidOption, match="'fuse_paper' is of kind 'fuse', not 'chain'"):
        load_chain("fuse_paper")
