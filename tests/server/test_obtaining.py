# SPDX-License-Identifier: GPL-3.0-or-later
"""Models from a hub on the loopback, and folders that are here: fetched, gone on with, converted, checked, named."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from server.errors import InvalidInput, InvalidOption, ModelUnavailable, StorageError
from server.models.catalogue import CATALOGUE, find, revision_of
from server.models.licences import licence_in, licence_of
from server.models.loading import load, locate
from server.models.own_models import write_entry
from server.obtaining import add, get
from tests.server.fake_hub import COMMIT, serving
from tests.server.models import published

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"

LICENCE = "CC BY-NC-SA 4.0: no commercial use of the weights"


class Told(list):
    def __call__(self, event: str, **fields: object) -> None:
        self.append({"event": event, **fields})

    def of(self, event: str) -> list[dict]:
        return [one for one in self if one["event"] == event]


@pytest.fixture
def tell() -> Told:
    return Told()


@pytest.fixture
def repository(tiny_folder, tmp_path) -> Path:
    """A model's repository, with files that nobody needs."""
    folder = shutil.copytree(tiny_folder("audioldm"), tmp_path / "repository")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "vae" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"a variant")
    return folder


@pytest.fixture
def hub(monkeypatch):
    """`hub(repositories)`: serve them, as the hub library sees it."""

    def start(repositories: dict[str, Path]):
        server = serving(repositories)
        address, served = server.__enter__()
        stop.append(server)
        # As HF_ENDPOINT does, which the library reads when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(official, address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        return served

    stop: list = []
    official = constants.ENDPOINT
    yield start
    for server in stop:
        server.__exit__(None, None, None)


def test_a_model_is_fetched_with_its_size_shown_and_answers_to_its_name(tmp_path, hub, repository, tell):
    served = hub({"cvssp/audioldm-s-full-v2": repository})
    folder = get("audioldm", tmp_path / "home", tell)
    assert folder == tmp_path / "home" / "models" / "audioldm" and not list(folder.rglob("*.part"))
    assert not [name for name in served.asked if name.endswith(".bin") or ".fp16." in name]
    assert " files, " in tell.of("say")[0]["text"] and " MB" in tell.of("say")[0]["text"]
    progress = tell.of("progress")
    assert progress[-1]["step"] == progress[-1]["n_steps"] > 0
    assert tell.of("model") == [{"event": "model", "name": "audioldm", "folder": str(folder), "layout": "audioldm",
                                 "licence": LICENCE}]
    backbone = load("audioldm", device="cpu", home=tmp_path / "home")
    assert (backbone.facts.name, backbone.facts.licence) == ("audioldm", LICENCE)
    assert backbone.facts.revision == revision_of(find("audioldm", tmp_path / "home")) == COMMIT
    asked = len(served.asked)
    assert get("audioldm", tmp_path / "home", tell) == folder and len(served.asked) == asked


def part_of(file: Path, content: bytes) -> Path:
    """Where what has come of a large file lies."""
    return file.with_name(f"{file.name}.{hashlib.sha256(content).hexdigest()[:12]}.part")


def test_a_part_that_was_fetched_is_gone_on_with_and_a_break_is_bridged(tmp_path, hub, repository, tell):
    served = hub({"me/bells": repository})
    target = tmp_path / "home" / "models" / "bells" / WEIGHTS
    target.parent.mkdir(parents=True)
    whole = (repository / WEIGHTS).read_bytes()
    part_of(target, whole).write_bytes(whole[:1000])
    served.cut_off[WEIGHTS] = 5000
    get("me/bells", tmp_path / "home", tell)
    begun = [start for name, start in zip(served.asked, served.ranges, strict=True) if name == WEIGHTS]
    assert begun[0] == 1000 and len(begun) == 2 and begun[1] >= 1000 and target.read_bytes() == whole
    assert find("bells", tmp_path / "home").source == str(tmp_path / "home" / "models" / "bells")
    assert licence_of(find("bells", tmp_path / "home"), target.parents[1]) == "mit"


def test_what_came_damaged_is_thrown_away(tmp_path, hub, repository, tell):
    hub({"me/bells": repository})
    target = tmp_path / "home" / "models" / "bells" / WEIGHTS
    part = part_of(target, (repository / WEIGHTS).read_bytes())
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(ModelUnavailable, match="came damaged and was thrown away"):
        get("me/bells", tmp_path / "home", tell)
    assert not part.exists() and not (tmp_path / "home" / "models.toml").exists()
    get("me/bells", tmp_path / "home", tell)


def test_what_came_before_the_repository_changed_is_fetched_anew(tmp_path, hub, repository, tell):
    """Of the same size, so that sizes do not tell; and a part of the old content is not gone on with."""
    served = hub({"me/bells": repository})
    folder = tmp_path / "home" / "models" / "bells"
    old = {name: bytes(255 - byte for byte in (repository / name).read_bytes()) for name in (WEIGHTS, "vae/config.json")}
    for name, content in old.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    shutil.copy(repository / "unet" / "config.json", folder / "unet")
    stale = part_of(folder / WEIGHTS, old[WEIGHTS])
    stale.write_bytes(old[WEIGHTS][:1000])
    get("me/bells", tmp_path / "home", tell)
    for name in old:
        assert (folder / name).read_bytes() == (repository / name).read_bytes() and name in served.asked
    assert not stale.exists() and set(served.ranges) == {0} and "unet/config.json" not in served.asked


def test_a_revision_is_fetched_by_name_and_in_the_place_of_another(tmp_path, hub, repository, tell):
    served, home, commit = hub({"cvssp/audioldm2": repository, "me/bells": repository}), tmp_path / "home", "89abcdef" * 5
    get("me/bells", home, tell, "v1.0")
    assert served.revisions == {"v1.0", COMMIT}, "what was asked for, and then the commit that it was"
    asked = len(served.asked)
    get("bells", home, tell, COMMIT[:7])
    assert len(served.asked) == asked, "it is that one already"
    (home / "models" / "bells" / "unet" / "left.md").write_text("{}")
    get("bells", home, tell, commit)
    assert commit in served.revisions and len(served.asked) > asked
    assert not (home / "models" / "bells" / "unet" / "left.md").exists(), "nothing of the one before is left"
    assert sorted(path.name for path in (home / "models").iterdir()) == ["bells"]
    get("audioldm2", home, tell)
    assert CATALOGUE["audioldm2"].revision in served.revisions, "the commit that the catalogue names"


def test_of_a_model_that_is_here_only_what_is_missing_is_fetched(tmp_path, hub, repository, tell):
    served, home = hub({"me/bells": repository}), tmp_path / "home"
    folder = get("me/bells", home, tell)
    served.asked.clear()
    get("me/bells", home, tell)
    get("bells", home, tell, "main")
    assert served.asked == [], "it is that commit already"
    (folder / "vae" / "config.json").unlink()
    get("me/bells", home, tell)
    assert served.asked == ["vae/config.json"] and load("bells", device="cpu", home=home)
    assert revision_of(find("bells", home)) == COMMIT


def test_a_folder_of_one_s_own_has_no_revisions(tmp_path, tiny_folder, tell):
    add(tiny_folder("musicldm"), "strings", tmp_path, tell)
    with pytest.raises(InvalidOption, match="was not fetched from the hub: it has no revisions"):
        get("strings", tmp_path, tell, "main")


def test_a_gated_licence_says_what_to_do(tmp_path, hub, repository, tell):
    hub({"stabilityai/stable-audio-open-1.0": repository}).gated = True
    with pytest.raises(ModelUnavailable) as refused:
        get("stable-audio-open", tmp_path / "home", tell)
    for part in ("accepted its licence", "https://huggingface.co/stabilityai/stable-audio-open-1.0", "hf auth login"):
        assert part in refused.value.message


def test_what_the_hub_does_not_have_is_said(tmp_path, hub, repository, tell, monkeypatch):
    hub({"me/bells": repository})
    with pytest.raises(ModelUnavailable, match="The hub has no me/horns"):
        get("me/horns", tmp_path / "home", tell)
    with pytest.raises(InvalidOption, match="no model called 'audiolmd'. Did you mean 'audioldm'"):
        get("audiolmd", tmp_path / "home", tell)
    (repository / "model_index.json").unlink()
    with pytest.raises(ModelUnavailable, match="holds no model_index.json.*fetched by name: stable-audio-open,"):
        get("me/bells", tmp_path / "home", tell)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="did not give me/bells .*Try again with a connection"):
        get("me/bells", tmp_path / "home", tell)


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path, hub, repository, tell, monkeypatch):
    served = hub({"me/bells": repository})
    monkeypatch.setattr("server.obtaining.shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(StorageError, match="needs .* MB here, and .* has 0.0 MB free"):
        get("me/bells", tmp_path / "home", tell)
    assert served.asked == ["model_index.json"]


def test_tango_is_fetched_in_its_own_files_and_converted(tmp_path, hub, tell):
    files = published.tango(tmp_path / "model", tmp_path / "published")
    text = shutil.move(files / "flan-t5-large", tmp_path / "text")
    home = tmp_path / "home"
    with pytest.raises(ModelUnavailable, match="run `athanor models get tango`.*CC BY-NC-SA"):
        locate(find("tango", home))
    (files / "diffusion_model_config.json").rename(tmp_path / "unet.json")
    served = hub({"declare-lab/tango": files, "google/flan-t5-large": Path(text)})
    with pytest.raises(ModelUnavailable, match="The network in these files is not the one that was expected"):
        get("tango", home, tell)  # the toy network is not Tango's, whose config is known
    n_asked = len(served.asked)
    work = home / "models" / "tango.published"
    shutil.copy(tmp_path / "unet.json", work / "diffusion_model_config.json")
    folder = get("tango", home, tell)
    assert len(served.asked) == n_asked, "what was fetched is not fetched again"
    assert not work.exists() and load("tango", device="cpu", home=home).facts.layout == "tango"
    assert tell.of("model")[-1]["licence"].startswith("CC BY-NC-SA 4.0") and folder.name == "tango"


def test_a_folder_gets_a_name_and_stays_where_it_is(tmp_path, tiny_folder, tell):
    folder = shutil.copytree(tiny_folder("musicldm"), tmp_path / "My Strings")
    assert add(folder, None, tmp_path / "home", tell) == folder
    assert tell.of("model") == [{"event": "model", "name": "my-strings", "folder": str(folder), "layout": "musicldm",
                                 "licence": "unknown"}]
    assert load("my-strings", device="cpu", home=tmp_path / "home").facts.layout == "musicldm"
    add(folder, None, tmp_path / "home", tell)  # again: nothing new
    sung = shutil.copytree(folder, tmp_path / "\N{BELL}\N{MUSICAL KEYBOARD}")
    add(sung, "sung", tmp_path / "home", tell)
    assert find("sung", tmp_path / "home").source == str(sung)
    add(folder, "musicldm", tmp_path / "home", tell)  # a name of the catalogue, for its own layout
    assert find("musicldm", tmp_path / "home").source == str(folder)
    with pytest.raises(InvalidOption, match="the name 'embedded' is taken"):
        add(folder, "embedded", tmp_path / "home", tell)
    with pytest.raises(InvalidOption, match="what `athanor models get` does"):
        add(folder, "get", tmp_path / "home", tell)


def test_published_files_in_a_folder_are_converted_into_the_data_folder(tmp_path, tell):
    files = published.stable_audio_small(tmp_path / "model", tmp_path / "published")
    folder = add(files, "small", tmp_path / "home", tell)
    assert folder == tmp_path / "home" / "models" / "small" and files.is_dir()
    assert load("small", device="cpu", home=tmp_path / "home").facts.methods == {"generate"}


def test_a_folder_that_is_not_whole_is_refused(tmp_path, tiny_folder, tell):
    folder = shutil.copytree(tiny_folder("audioldm"), tmp_path / "strings")
    weights = folder / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(ModelUnavailable, match="is cut off or damaged"):
        add(folder, None, tmp_path / "home", tell)
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelUnavailable, match="layout audioldm without unet. Weights in .bin or .ckpt are pickles"):
        add(folder, None, tmp_path / "home", tell)
    with pytest.raises(InvalidInput, match="There is no folder"):
        add(tmp_path / "nowhere", None, tmp_path / "home", tell)
    with pytest.raises(ModelUnavailable, match="is not a model folder"):
        add(tmp_path, None, tmp_path / "home", tell)
    assert not (tmp_path / "home" / "models.toml").exists()


def test_what_models_toml_says_already_is_not_overwritten(tmp_path, tiny_folder, tell):
    (tmp_path / "models.toml").write_text('[musicldm]\ndtype = "bfloat16"\n', encoding="utf-8")
    with pytest.raises(InvalidOption, match=r"has \[musicldm\] already. Write source = "):
        add(tiny_folder("musicldm"), "musicldm", tmp_path, tell)
    with pytest.raises(InvalidOption, match=r"has \[musicldm\] already. Take its lines out, try again"):
        get("musicldm", tmp_path, tell)


@pytest.mark.parametrize(("text", "licence"), [
    ("---\nlicense: cc-by-4.0\ntags: [a]\n---\nlicense: none\n", "cc-by-4.0"),
    ("---\nlicense: other\nlicense_name: 'my-own'\n---\n", "my-own"),
    ("# Strings\nlicense: mit\n", "unknown"),
    ("---\nlicense:\nlanguage: en\n---\n", "unknown"),
    ("---\nlicense:\n- mit\ntags: [a]\n---\n", "mit"),
])
def test_a_readme_s_licence_line(tmp_path, text, licence):
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert licence_in(tmp_path / "README.md") == licence


def test_a_model_of_that_name_is_not_overwritten(tmp_path, tiny_folder, hub, repository, tell):
    home = tmp_path / "home"
    mine = shutil.copytree(tiny_folder("audioldm", seed=5), home / "models" / "bells")  # as a training leaves it
    write_entry(home, "bells", Path("models/bells"))
    before = revision_of(find("bells", home))
    served = hub({"me/bells": repository})
    with pytest.raises(InvalidOption, match="another model called 'bells' already.*not overwritten"):
        get("me/bells", home, tell)
    with pytest.raises(InvalidOption, match="another model called 'bells' already.*not overwritten"):
        add(published.stable_audio_small(tmp_path / "model", tmp_path / "published"), "bells", home, tell)
    assert served.asked == [] and revision_of(find("bells", home)) == before and mine.is_dir()


def test_a_repository_called_as_a_known_model_does_not_take_its_name(tmp_path, hub, repository, tell):
    home = tmp_path / "home"
    shipped = find("embedded", home).source
    hub({"me/embedded": repository, "me/load": repository})
    assert get("me/embedded", home, tell) == home / "models" / "me-embedded"
    assert get("me/load", home, tell) == home / "models" / "me-load"
    assert find("embedded", home).source == shipped and tell.of("model")[0]["name"] == "me-embedded"
