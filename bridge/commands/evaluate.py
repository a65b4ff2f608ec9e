# SPDX-License-Identifier: GPL-3.0-or-later
"""evaluate: measure a model against the aims of the project, in a process of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PARTS = ("rebuild", "judge", "agreement", "variety", "copies", "fusion_window", "learn_gap", "speed")
# Only where asked for by name: they take long.
PAPERS: tuple[str, ...] = ("fusion_figures", "separation", "restoration", "editing", "edit_start", "uncertainty",
                           "directions", "vary_quality", "rating_sheet")
# Options of some parts alone, and of which.
ABOUT = {"pairs": ("fusion_window", "rating_sheet"), "levels": ("fusion_window",), "clips": ("learn_gap", *PAPERS[:-1]),
         "seconds": ("fusion_window", "learn_gap", *PAPERS), "fuse": ("fusion_window",),
         "learned_fusions": ("fusion_window",), "compared": ("separation",), "learn": ("learn_gap", "fusion_window"),
         "restore": ("restoration",), "edit": ("editing",), "separate": ("separation",)}
HEARD_IN = {"data": ("separation",), "fad": ("separation", "directions", "vary_quality", "restoration"),
            "embedding": ("separation", "editing", "edit_start", "directions", "vary_quality", "restoration")}
# What an evaluation says itself to the jobs that it runs.
TAKEN = {"fuse": ("snr_db", "at_step", "sweep", "balance", "seed", "backbone", "adapter"),
         "learn": ("prompt", "name", "replace", "seed", "backbone"),
         "restore": ("gap", "cutoff_hz", "rt60", "clip_level", "stem", "seed", "backbone"),
         "separate": ("stem", "stems", "residual", "amount", "guidance", "seed", "backbone"),
         "edit": ("to", "from", "strength", "snr_db", "select", "pull_back", "method", "backbone")}


def add(commands: argparse._SubParsersAction) -> None:
    from bridge.cli import add_command

    command = add_command(commands, "evaluate", "evaluate:run", "Measure a model, and say what it reaches.")
    command.add_argument("model", nargs="?", default="embedded", metavar="MODEL",
                         help="a model's name, or its folder (embedded)")
    command.add_argument("--parts", nargs="+", choices=(*PARTS, *PAPERS), metavar="PART",
                         help=f"only these: {', '.join(PARTS)}; or the tables of the papers: {', '.join(PAPERS)}")
    command.add_argument("--held-out", type=Path, metavar="DIR",
                         help="recordings that no model was trained on: `python -m server.measure.fetch DIR` gets them")
    command.add_argument("--corpus", type=Path, metavar="DIR",
                         help="the embedded model's corpus; the judge learns from a part of it")
    command.add_argument("--data", metavar="SET",
                         help="mixtures to separate, in place of the offline ones: musdb18:ROOT, ave:AUDIO:INDEX.csv, "
                              "music:AUDIO:INDEX.csv or rendered:FOLDER, as published; or music_like or events, of the "
                              "held-out sounds")
    command.add_argument("--embedding", metavar="CLAP",
                         help="compare clips in CLAP wherever an embedding is asked: zerosep, editing, a hub id or a "
                              "folder (what ships)")
    command.add_argument("--fad", metavar="NAME",
                         help="take Frechet distances in this instead: vggish, its file or folder, or as --embedding")
    command.add_argument("-o", "--out", type=Path, metavar="DIR", default=Path("evaluation"),
                         help="folder for figures, report and pictures (evaluation); what is in it is not measured again")
    command.add_argument("--quick", action="store_true", help="a few classes and clips, in minutes: shows that it runs")
    command.add_argument("--again", action="store_true", help="measure again what the folder already has")
    command.add_argument("--seed", type=int, default=2026, metavar="N", help="everything random follows from it (2026)")
    command.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps (as configured, else auto)")
    _add_sizes(command)


def _add_sizes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pairs", type=_whole(1, 200), metavar="N",
                         help="pairs of recordings to fuse (20; rating_sheet 5)")
    command.add_argument("--levels", type=_whole(3, 20), metavar="N",
                         help="levels at which each pair is fused, 3 to 20 (20)")
    command.add_argument("--clips", type=_whole(1, 500), metavar="N",
                         help="recordings to learn, restore, vary or edit, mixtures to separate (each part's own number)")
    command.add_argument("--compared", type=_whole(0, 100), metavar="N",
                         help="mixtures that separation's comparisons use, 0 for none (20)")
    command.add_argument("--seconds", type=_seconds, metavar="S",
                         help="length of each clip, 0.5 to 47 (3; learn_gap and separation 5, rating_sheet 4)")
    command.add_argument("--fuse", nargs="+", default=[], metavar="NAME=VALUE",
                         help="options of fuse, where pairs are fused; as in `--fuse reference=none inject=state`")
    command.add_argument("--learn", nargs="+", default=[], metavar="NAME=VALUE",
                         help="options of learn, where recordings are learned; as in `--learn full=true learn_steps=800`")
    command.add_argument("--restore", nargs="+", default=[], metavar="NAME=VALUE",
                         help="options of restore; task, algorithm and vmc leave out all others; as in `--restore "
                              "algorithm=irs vmc=true steps=20`")
    command.add_argument("--edit", nargs="+", default=[], metavar="NAME=VALUE",
                         help="options of edit, where recordings are edited; as in `--edit guidance_target=5 steps=100`")
    command.add_argument("--separate", nargs="+", default=[], metavar="NAME=VALUE",
                         help="options of separate, where mixtures are taken apart; as in `--separate steps=25 passes=2`")
    command.add_argument("--learned-fusions", type=_whole(0, 200), metavar="N",
                         help="fuse so many pairs once more with the reference learned first (0)")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 47:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.5 to 47")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Measure, show the table of aims, and say where the report is."""
    from bridge.cli import INTERRUPTED
    from bridge.output import Output
    from bridge.placement import make_folder
    from bridge.work_process import run_work

    _check(arguments)
    out = arguments.out.expanduser().absolute()
    make_folder(out)
    rows: list[dict[str, Any]] = []
    with Output(arguments.as_json) as output:

        def on_event(event: dict[str, Any]) -> None:
            output.event(**event)
            rows.append(event)
            if event["event"] == "finding":
                output.say(f"{event['what']}: {event['figure']}{_verdict(event['met'], ', ')}")

        code = run_work("server.measure.evaluate", _words(arguments, out), output, on_event)
        if code == INTERRUPTED:
            output.say(f"stopped. What was measured is in {out}; the same command goes on from there.")
            return code
        _tell(rows, output)
    return code


def _check(arguments: argparse.Namespace) -> None:
    from server.errors import InvalidOption

    for name in ("held_out", "corpus"):
        folder = getattr(arguments, name)
        if folder is not None and not folder.is_dir():
            raise InvalidOption(f"--{name.replace('_', '-')} {folder} is not a folder.")
    _check_job("fuse", arguments.fuse, "reference=none inject=state")
    _check_job("learn", arguments.learn, "full=true learn_steps=800")
    _check_job("restore", arguments.restore, "algorithm=irs steps=20")
    _check_job("edit", arguments.edit, "guidance_target=5 steps=100")
    _check_job("separate", arguments.separate, "steps=25 passes=2")
    for option, parts in (ABOUT | HEARD_IN).items():
        if getattr(arguments, option) and not set(parts) & set(arguments.parts or PARTS):
            why = "which --parts leaves out" if arguments.parts else f"measured only by name: add `--parts {parts[0]}`"
            raise InvalidOption(f"--{option.replace('_', '-')} is about {' and '.join(parts)}, {why}.")


def _check_job(kind: str, pairs: Sequence[str], example: str) -> None:
    from server.errors import InvalidOption
    from server.kinds import find_kind

    for pair in pairs:
        if "=" not in pair:
            raise InvalidOption(f"--{kind} takes NAME=VALUE, not {pair!r}; as in `--{kind} {example}`.")
    given = dict(pair.split("=", 1) for pair in pairs)
    for name in TAKEN[kind]:
        if name in given:
            raise InvalidOption(f"--{kind} {name}={given[name]}: an evaluation says {name} itself; leave it out.")
    find_kind(kind).check_partial(given)


def _words(arguments: argparse.Namespace, out: Path) -> list[str]:
    """The command line of the process that measures."""
    from bridge.home import home_folder

    words = [arguments.model, "--home", str(home_folder()), "--out", str(out), "--seed", str(arguments.seed)]
    for flag in ("held_out", "corpus", "device", *HEARD_IN):
        if getattr(arguments, flag) is not None:
            words += [f"--{flag.replace('_', '-')}", str(getattr(arguments, flag))]
    words += [f"--{flag}" for flag in ("quick", "again") if getattr(arguments, flag)]
    words += ["--parts", *arguments.parts] if arguments.parts else []
    for option in ABOUT:
        value = getattr(arguments, option)
        if value not in (None, []):  # 0 is a number that somebody said
            words += [f"--{option.replace('_', '-')}", *(value if isinstance(value, list) else [str(value)])]
    return words


def _tell(rows: list[dict[str, Any]], output: Any) -> None:
    found = [row for row in rows if row["event"] == "finding"]
    if found:
        output.table(["WHAT", "AIM", "FIGURE", ""],
                     [[row["what"], row["aim"], row["figure"], _verdict(row["met"])] for row in found])
    for row in rows:
        if row["event"] == "not_measured":
            output.result(f"not measured: {row['part']}. {row['reason']}")
        elif row["event"] == "report":
            output.result(row["file"])


def _verdict(met: bool | None, before: str = "") -> str:
    return "" if met is None else before + ("met" if met else "short")
