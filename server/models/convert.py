# SPDX-License-Identifier: GPL-3.0-or-later
"""Published files that are no model folder, made into one: once, in safetensors, without running code from a pickle.

    python -m server.models.convert PUBLISHED FOLDER [--text FOLDER]
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from server.errors import ModelUnavailable

TextFiles = Callable[[str, Sequence[str]], Path]
"""(hub id, patterns of files) to the folder that holds them."""


@dataclass(frozen=True)
class Published:
    """A layout that can be converted: the module that does it, the class name in the index, the layout it becomes, and the
    files of a repository that it is made of."""

    module: str
    pipeline: str
    layout: str
    files: tuple[str, ...]

    def load(self) -> ModuleType:
        """The module, imported here: it brings torch's libraries with it."""
        return importlib.import_module(self.module)


TANGO = Published("server.models.convert_tango", "TangoPipeline", "tango",
                  ("pytorch_model_main.bin", "pytorch_model_vae.bin", "vae_config.json", "README.md"))
STABLE_AUDIO_SMALL = Published("server.models.convert_stable_audio_small", "StableAudioSmallPipeline", "stable_audio_small",
                               ("model_config.json", "model.safetensors", "README.md"))

CONVERTED = {published.layout: published for published in (TANGO, STABLE_AUDIO_SMALL)}
"""By the layout that they become."""


def published_layout(folder: Path) -> Published | None:
    """What the files in `folder` are, where they are one of the layouts that can be converted."""
    if (folder / "pytorch_model_main.bin").is_file() and (folder / "pytorch_model_vae.bin").is_file():
        return TANGO
    weights = (folder / "model.safetensors", folder / "model.ckpt")
    if (folder / "model_config.json").is_file() and any(path.is_file() for path in weights):
        return STABLE_AUDIO_SMALL
    return None


def convert(folder: Path, out: Path, text_files: TextFiles) -> Path:
    """Write the model folder `out` from the published files in `folder` and return it; what was there goes at the end.

    Args:
        text_files: gives the folder of a text encoder that the files do not hold.

    Raises:
        ModelUnavailable: the files are of no known layout, damaged, or of another model.
    """
    published = published_layout(folder)
    if published is None:
        raise ModelUnavailable(f"{folder} holds no model in a known layout: no model_index.json, and neither Tango's files "
                               "(pytorch_model_main.bin, pytorch_model_vae.bin, vae_config.json) nor those of "
                               "stable-audio-open-small (model_config.json, model.safetensors or model.ckpt).")
    module = published.load()
    text = text_files(module.TEXT_MODEL, module.TEXT_FILES)
    try:
        parts = module.parts(folder, text)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"{folder} cannot be converted ({type(error).__name__}: {error}). Download its files again."
                               ) from error
    _write(parts, published.pipeline, folder, out)
    return out


def _write(parts: Mapping[str, Any], pipeline: str, folder: Path, out: Path) -> None:
    unfinished = out.with_name(f"{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    index: dict[str, object] = {"_class_name": pipeline}
    for name, part in parts.items():
        part.save_pretrained(unfinished / name)
        index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (unfinished / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    if (folder / "README.md").is_file():
        shutil.copy(folder / "README.md", unfinished)  # its licence
    shutil.rmtree(out, ignore_errors=True)
    unfinished.rename(out)


def main() -> None:
    """Convert one folder from the command line."""
    parser = argparse.ArgumentParser(prog="python -m server.models.convert", description=__doc__.splitlines()[0])
    parser.add_argument("published", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text", type=Path, help="folder with the text encoder that the files do not hold")
    arguments = parser.parse_args()

    def text_files(name: str, patterns: Sequence[str]) -> Path:
        return arguments.text or arguments.published / name.rpartition("/")[2]

    print(convert(arguments.published, arguments.folder, text_files))


if __name__ == "__main__":
    main()
