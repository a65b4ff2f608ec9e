# SPDX-License-Identifier: GPL-3.0-or-later
"""`athanor`: the command line. Renders, chains, palette, presets, and the services behind them.

Exit codes: 0 done, 1 an error or a failed job, 2 wrong usage, 130 cancelled.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from server import __version__
from server.errors import AthanorError, InvalidOption, JobCancelled, StorageError
from server.kinds.base import nearest

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
# Each module adds its commands by `add(commands)`, and sets `run`, the function that carries one out.
_GROUPS = ("render", "chain", "recall", "jobs", "models", "palette", "presets", "train", "evaluate", "export", "folders",
           "services", "pair", "hosts", "audacity", "doctor")


class Parser(argparse.ArgumentParser):
    """argparse with our errors: one sentence that names the nearest thing that exists."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        # So that `--snr-db -12,-6` is a value, as `--snr-db -12` is.
        self._negative_number_matcher = re.compile(r"-[\d.,-]+")

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            known = [name for name in re.findall(r"[\w-]+", choice[2]) if name != "debug"]
            message = f"there is no {choice[1]!r}{nearest(choice[1], known)}"
        end = "" if message.endswith(("?", ".")) else "."
        raise InvalidOption(f"{message}{end} See `{self.prog} --help`.")


def parser() -> Parser:
    """The parser of every command."""
    top = Parser(prog="athanor", description="Fuse, generate and process sounds.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"athanor {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in _GROUPS:
        importlib.import_module(f"bridge.commands.{group}").add(commands)
    return top


def shared_options() -> argparse.ArgumentParser:
    """Options that every command takes; a parent for its parser."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--home", type=Path, metavar="DIR", help="data folder (else ATHANOR_HOME, else the system's)")
    shared.add_argument("--json", action="store_true", dest="as_json", help="one JSON object per line on stdout")
    return shared


def add_command(commands: argparse._SubParsersAction, name: str, run: str, help: str) -> argparse.ArgumentParser:
    """A new command. `run` is `module:function` under `bridge.commands`; the function takes the arguments."""
    shown = {"help": help, "description": help} if help else {}  # without help, argparse does not list it
    command = commands.add_parser(name, parents=[shared_options()], allow_abbrev=False, **shown)
    command.set_defaults(run=run, parser=command)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    as_json = "--json" in (sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parse(argv)
        if arguments.home is not None:
            os.environ["ATHANOR_HOME"] = str(arguments.home.expanduser().absolute())
        module, _, function = arguments.run.partition(":")
        return getattr(importlib.import_module(f"bridge.commands.{module}"), function)(arguments)
    except JobCancelled as error:
        return _report(error, as_json, INTERRUPTED)
    except InvalidOption as error:
        return _report(error, as_json, USAGE)
    except AthanorError as error:
        return _report(error, as_json, FAILED)
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _report(StorageError(f"{what}."), as_json, FAILED)
    except Exception as error:  # a fault of ours: one sentence for the person, everything for who wants to repair it
        if os.environ.get("ATHANOR_TRACEBACK"):
            raise
        ours = AthanorError(f"something is wrong in Athanor itself ({type(error).__name__}: {error}). Please report it; "
                            "with ATHANOR_TRACEBACK=1 the command tells more.")
        return _report(ours, as_json, FAILED)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments, unknown = parser().parse_known_args(argv)
    if unknown:
        known = [option for action in arguments.parser._actions for option in action.option_strings
                 if option.startswith("--")]
        name = unknown[0].partition("=")[0]
        if name.startswith("-"):
            raise InvalidOption(f"{arguments.parser.prog} has no option {name}{nearest(name, known)}")
        raise InvalidOption(f"{unknown[0]!r} is one argument too many. See `{arguments.parser.prog} --help`.")
    return arguments


def _report(error: AthanorError, as_json: bool, code: int) -> int:
    if as_json:
        print(json.dumps({"event": "error", **error.to_wire()}, ensure_ascii=False), flush=True)
    print(f"athanor: {error.message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
