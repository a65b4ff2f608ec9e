# SPDX-License-Identifier: GPL-3.0-or-later
"""models: what the server can render with; of one model its card, its words, and a picture of how they sound."""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.output import Output


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "models", "models:run", "List the models; of one, its card, words and sounds.")
    command.add_argument("name", nargs="?", metavar="NAME", help="tell more about this model")
    command.add_argument("--picture", type=Path, metavar="FILE.png",
                         help="generate every class from its example and draw a page of mel spectrograms")
    command.add_argument("--only", metavar="GROUP", help="only the classes of this group, or one class")


def run(arguments: argparse.Namespace) -> int:
    """The list; or one model's card and vocabulary, and with `--picture` the page."""
    from bridge.commands.jobs import ask_server
    from bridge.output import Output
    from server.errors import InvalidOption

    if arguments.name is None and (arguments.picture or arguments.only):
        raise InvalidOption("--picture and --only need a model's name: `athanor models embedded --picture page.png`.")
    with Output(arguments.as_json) as output:
        models = ask_server(lambda client: client.models(), output.say)
        if arguments.name is None:
            return _list(models, output)
        model = _find(models, arguments.name)
        words = _chosen(model, arguments.only)
        _tell(model, words, output)
        return _picture(model, words, arguments.picture, output) if arguments.picture else 0


def _list(models: dict[str, Any], output: Output) -> int:
    for model in models["backbones"]:
        output.event("model", device=models["device"], **model)
    output.table(["MODEL", "LOADED", "TITLE", "SOURCE"], [
        [one["name"], "yes" if one["resident"] else "", one["title"], one["source"]] for one in models["backbones"]])
    return 0


def _find(models: dict[str, Any], name: str) -> dict[str, Any]:
    from server.errors import InvalidOption
    from server.kinds.base import nearest

    known = {model["name"]: model for model in models["backbones"]}
    if name not in known:
        raise InvalidOption(f"there is no model {name!r}{nearest(name, known)}")
    return known[name]


def _chosen(model: dict[str, Any], only: str | None) -> list[dict[str, str]]:
    """The model's words, or those of one group or class."""
    from server.errors import InvalidOption
    from server.kinds.base import nearest

    words = model["vocabulary"]
    if only is None:
        return words
    found = [word for word in words if only in (word["group"], word["name"])]
    if not found:
        groups = list(dict.fromkeys(word["group"] for word in words))
        known = f"{nearest(only, groups)}" if groups else ", whose words are not known."
        raise InvalidOption(f"{model['name']} has no group {only!r}{known}")
    return found


def _tell(model: dict[str, Any], words: list[dict[str, str]], output: Output) -> None:
    output.event("model", **model)
    card, here = model["card"], model["revision"] is not None
    facts = [("title", model["title"]), ("source", model["source"]),
             ("here", ("yes, loaded" if model["resident"] else "yes") if here else "no; fetched on first use")]
    if card:
        licence = " ".join(filter(None, (card["licence"], card["licence_url"])))
        facts += [("good for", card["used_for"]), ("licence", licence),
                  ("sound", f"{card['sample_rate']} Hz, {'stereo' if card['channels'] == 2 else 'mono'}, up to "
                            f"{card['max_s']:g} s"), ("memory", f"{card['memory_gb']:g} GB")]
    for name, value in facts:
        if value:
            output.result(f"{name + ':':10}{value}")
    if not words:
        output.result("words:    any; see the model's own page for what it was trained on")
    for group, members in groupby(words, key=lambda word: word["group"]):
        output.result(f"\n{group}")
        for word in members:
            example = "" if word["example"] == word["name"] else f'"{word["example"]}"'
            output.result(f"  {word['name']:18}{example}".rstrip())


def _picture(model: dict[str, Any], words: list[dict[str, str]], path: Path, output: Output) -> int:
    from bridge.cli import OK
    from bridge.loop import run as run_loop
    from bridge.picture import draw_page
    from bridge.placement import make_folder
    from bridge.sound_page import SEED, generate
    from server.errors import InvalidOption

    if not words:
        raise InvalidOption(f"the words of {model['name']} are not known, so there is nothing to draw a page of.")
    path = path.expanduser().absolute()
    if path.suffix.lower() != ".png":
        raise InvalidOption(f"{path.name} is not the name of a picture; give one that ends in .png.")
    make_folder(path.parent)
    clips = run_loop(generate(model["name"], words, output))
    draw_page(clips, path, f"{model['name']}: one sound of each class, seed {SEED}")
    output.event("picture", file=str(path))
    output.result(f"\n{path}")
    return OK
