"""Files that no training may use: the SHA-256 of every held-out sound, in `held_out.txt` beside this file.

One line per file: 64 hexadecimal digits, then a comment that says what it is.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from server.errors import InvalidOption

LIST = Path(__file__).parent / "held_out.txt"
HEADER = "# SHA-256 of sounds that evaluate the model; training refuses files with these bytes.\n"


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load(path: Path | None = None) -> dict[str, str]:
    """Hash to comment of every line; an absent list is empty. Raises `InvalidOption` for a line that is no hash."""
    path, found = path or LIST, {}
    if not path.is_file():
        return found
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        value, _, comment = line.partition(" ")
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise InvalidOption(f"{path}, line {number}: {value[:70]!r} is no SHA-256. "
                                "A line is 64 hexadecimal digits in lower case, a space and a comment.")
        found[value] = comment.strip()
    return found


def add(files: Iterable[tuple[Path, str]], path: Path | None = None) -> int:
    """Add files with their comments to the list, sorted by comment; gives the number of new ones."""
    path = path or LIST
    known = load(path)
    before = len(known)
    for file, comment in files:
        known.setdefault(digest(file), " ".join(comment.split()))
    lines = [f"{value} {comment}".rstrip() for value, comment in sorted(known.items(), key=lambda item: (item[1], item[0]))]
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(known) - before


def refuse(file: Path, listed: dict[str, str]) -> None:
    """Raise `InvalidOption` where a training file is in the list."""
    value = digest(file)
    if value in listed:
        raise InvalidOption(f"{file} is held out for evaluation ({listed[value] or value[:12]}) and may not be trained on. "
                            "Remove it from the folder, or give a folder without it.")
