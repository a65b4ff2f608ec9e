# SPDX-License-Identifier: GPL-3.0-or-later
"""What a preset file says, checked whole when it is read.

    kind = "fuse"                       # a job kind, or "chain"
    title = "Equilibrium"
    description = "Where both sounds are equally near."

    [options]                           # options of that kind; what is not set keeps its default
    balance = "auto"

    [[post]]                            # plugins after the render; [[pre]] come before it
    builtin = "Reverb"
    parameters = { room_size = 0.8 }

A preset of kind "chain" has `[[chain]]` in place of options, pre and post. How a plugin is written is told by
`plugin_host.chain.Link`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin_host.chain import Chain, parse_chain
from server.errors import InvalidOption
from server.kinds import KINDS, find_kind
from server.kinds.base import nearest

CHAIN = "chain"
_MAX_BYTES = 4 * 2**20
_HEAD = ("kind", "title", "description")
_JOB_KEYS = (*_HEAD, "options", "pre", "post")
_CHAIN_KEYS = (*_HEAD, "chain")


@dataclass(frozen=True)
class Preset:
    """One checked preset.

    Attributes:
        name: what it is called by: its file's name without `.toml`.
        kind: a job kind, or "chain".
        options: the options that it sets, as written; the kind's defaults hold for the rest.
        pre, post: plugins before and after the job's render, if any.
        chain: the plugins of a chain preset; None for every other kind.
        path: its file.
        shipped: whether it came with the program.
    """

    name: str
    kind: str
    title: str
    description: str
    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    pre: Chain | None = None
    post: Chain | None = None
    chain: Chain | None = None
    shipped: bool = False


def read_preset(path: Path, *, shipped: bool = False) -> Preset:
    """The preset of a file.

    Raises:
        InvalidOption: the file is missing, not TOML, or says something that its kind does not know.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise InvalidOption(f"{path} is larger than the {_MAX_BYTES >> 20} MiB that a preset may have.")
        fields = tomllib.loads(content.decode("utf-8"))
    except OSError as cause:
        raise InvalidOption(f"The preset {path} cannot be read: {cause.strerror}. Check the path.") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise InvalidOption(f"{path} is not a preset: it is not valid TOML ({cause}).") from cause
    try:
        return parse_preset(path.stem, fields, path=path, shipped=shipped)
    except InvalidOption as cause:
        raise InvalidOption(f"{path.name}: {cause.message}") from cause


def parse_preset(name: str, fields: Mapping[str, Any], *, path: Path, shipped: bool = False) -> Preset:
    """The preset that a TOML file's content describes. Errors as `read_preset`."""
    kind = _text(fields, "kind")
    if kind != CHAIN and kind not in KINDS:
        raise InvalidOption(f"there is no kind {kind!r}{nearest(kind, [*KINDS, CHAIN])}")
    known = _CHAIN_KEYS if kind == CHAIN else _JOB_KEYS
    for key in fields:
        if key not in known:
            raise InvalidOption(f"a preset of kind {kind!r} has no {key!r}{nearest(key, known)}")
    title, description = _text(fields, "title"), _text(fields, "description")
    if kind == CHAIN:
        return Preset(name, kind, title, description, path, chain=parse_chain(title, fields.get("chain", [])),
                      shipped=shipped)
    options = fields.get("options", {})
    if not isinstance(options, Mapping):
        raise InvalidOption(f"options = {options!r} is not a table; write them under [options].")
    find_kind(kind).check_partial(options)
    pre, post = (parse_chain(f"{title}, {key}", fields[key]) if key in fields else None for key in ("pre", "post"))
    return Preset(name, kind, title, description, path, options, pre, post, shipped=shipped)


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        near = [other for other in fields if other not in _JOB_KEYS + _CHAIN_KEYS]
        raise InvalidOption(f"a preset needs {key} = \"...\"{nearest(key, near) if near else '.'}")
    return value
