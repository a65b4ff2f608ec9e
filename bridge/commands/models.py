# SPDX-License-Identifier: GPL-3.0-or-later
"""models: what the server can render with; of one model its card, its words, and a picture of how they sound. Also what is
kept in the server's memory: load, unload, pin, unpin.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.output import Output

DONE = {"load": "is loaded", "unload": "is no longer loaded", "pin": "is loaded and stays so",
        "unpin": "may be unloaded again"}


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "models", "models:run",
                          "List the models; of one, its card, words and sounds; get, add, load or pin one.")
    command.add_argument("words", nargs="*", metavar="NAME",
                         help="tell more about this model; with load, unload, pin or unpin before it: have the server load "
                         "it now, free it, or keep it loaded whatever else is asked for, also after a restart; with get, "
                         "fetch it from the hub; add FOLDER makes a folder a model")
    command.add_argument("--name", metavar="NAME", help="with add: what to call the model (the folder's name)")
    command.add_argument("--revision", metavar="COMMIT",
                         help="with get: this branch, tag or commit of it (the one that models.toml or Athanor names)")
    command.add_argument("--picture", type=Path, metavar="FILE.png",
                         help="generate every class from its example and draw a page of mel spectrograms")
    command.add_argument("--only", metavar="GROUP", help="only the classes of this group, or one class")


def run(arguments: argparse.Namespace) -> int:
    """The list; or one model's card and vocabulary, and with `--picture` the page; or what is to be loaded."""
    from bridge.commands.jobs import ask_server
    from bridge.output import Output
    from server.errors import InvalidOption

    if arguments.words[:1] in (["get"], ["add"]):
        from bridge.model_files import run as run_files

        return run_files(arguments)
    action, name = _asked(arguments.words)
    if arguments.name is not None:
        raise InvalidOption("--name is for `athanor models add FOLDER`.")
    if arguments.revision is not None:
        raise InvalidOption("--revision is for `athanor models get NAME`.")
    if name is None and (arguments.picture or arguments.only):
        raise InvalidOption("--picture and --only need a model's name: `athanor models embedded --picture page.png`.")
    with Output(arguments.as_json) as output:
        if action:
            return _change(action, name, output)
        models = ask_server(lambda client: client.models(), output.say)
        if name is None:
            return _list(models, output)
        model = _find(models, name)
        words = _chosen(model, arguments.only)
        _tell(model, words, output)
        return _picture(model, words, arguments.picture, output) if arguments.picture else 0


def _asked(words: list[str]) -> tuple[str | None, str | None]:
    """What to do with which model; neither of them for the list."""
    from server.errors import InvalidOption

    if len(words) == 2 and words[0] in DONE:
        return words[0], words[1]
    if len(words) > 1 or words in [[action] for action in DONE]:
        raise InvalidOption(f"`athanor models {' '.join(words)}` is not known; write `athanor models`, `athanor models "
                            f"NAME`, or get, add, {', '.join(DONE)} and a name, as in `athanor models pin audioldm2`.")
    return None, words[0] if words else None


def _change(action: str, name: str, output: Output) -> int:
    from bridge.commands.jobs import ask_server

    if Path(name).expanduser().is_dir():  # unless it is a known name, a folder here, and the server runs in another
        models = ask_server(lambda client: client.models(), output.say)
        if name not in (model["name"] for model in models["backbones"]):
            name = str(Path(name).expanduser().absolute())
    ask_server(lambda client: client.model(action, name), output.say)
    output.event("model", name=name, action=action)
    output.result(f"{name} {DONE[action]}")
    return 0


def _list(models: dict[str, Any], output: Output) -> int:
    for model in models["backbones"]:
        output.event("model", device=models["device"], **model)
    output.table(["MODEL", "LOADED", "TITLE", "SOURCE"], [
        [one["name"], _loaded(one), one["title"], one["source"]] for one in models["backbones"]])
    return 0


def _loaded(model: dict[str, Any]) -> str:
    """Its weights in memory, and whether they stay there."""
    size = f"{model['bytes'] / 1e6:.0f} MB" if model["resident"] else ""
    return ", ".join(filter(None, (size, "pinned" if model["pinned"] else "")))


def _here(model: dict[str, Any]) -> str:
    if model["revision"] is None:
        get = f"`athanor models get {model['name']}`"
        published = model["card"] and model["card"]["published"]
        return f"no; {get} fetches it" if published else f"no; fetched on first use, or before by {get}"
    return f"yes, loaded: {_loaded(model)}" if model["resident"] else "yes"


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
    card = model["card"]
    facts = [("title", model["title"]), ("source", model["source"]),
             ("here", _here(model))]
    if card:
        licence = " ".join(filter(None, (card["licence"], card["licence_url"])))
        facts += [("good for", card["used_for"]), ("licence", licence),
                  ("sound", f"{card['sample_rate']} Hz, {'stereo' if card['channels'] == 2 else 'mono'}, in windows "
                            f"of {card['max_s']:g} s"), ("memory", f"{card['memory_gb']:g} GB")]
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
