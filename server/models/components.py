# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the foreign model libraries: quiet, explicit about precision, safetensors.

Three rules hold for every component and are kept here: everything is loaded in float32 (transformers otherwise takes what
the folder was saved in, so that one folder loads as a mix of precisions); pickled weights are read only where a caller says
so, and as weights alone, so that no code in them runs; and what the libraries print about themselves stays silent unless
the person asked for it by the libraries' own variables.
"""

from __future__ import annotations

import importlib
import os
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from server.errors import ModelUnavailable

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_DAMAGE = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError,
           pickle.UnpicklingError)
diffusers = importlib.import_module("diffusers")
transformers = importlib.import_module("transformers")
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()


@contextmanager
def building() -> Iterator[None]:
    """While a foreign module is constructed: what torch says there about the library's own choices is not ours to heed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.nn.utils.weight_norm` is deprecated", category=FutureWarning)
        yield


def load_module(cls: type, folder: Path, subfolder: str, pickled: bool = False) -> nn.Module:
    """A component in evaluation mode with frozen weights, float32 whatever precision the folder was saved in.

    Args:
        pickled: its weights are a .bin (transformers' classes alone).

    Raises:
        ModelUnavailable: the files are missing, damaged, of another shape or incomplete; the message names the component.
    """
    how: dict[str, Any] = {"dtype" if issubclass(cls, transformers.PreTrainedModel) else "torch_dtype": torch.float32}
    how |= {"weights_only": True} if pickled else {}
    try:
        with building():
            module, report = cls.from_pretrained(
                folder / subfolder, use_safetensors=not pickled, output_loading_info=True, **how
            )
    except _DAMAGE as error:
        raise _unusable(folder, subfolder, _first_line(error)) from error
    # The libraries would leave what is missing at random values and go on.
    missing = sorted(set(report["missing_keys"]) & {name for name, _ in module.named_parameters()})
    if missing:
        raise _unusable(folder, subfolder, f"{len(missing)} weights are missing, {missing[0]} first")
    return module.eval().requires_grad_(False)


def load_tokenizer(folder: Path, subfolder: str) -> Any:
    """The tokenizer of `folder/subfolder`, of whatever class it was saved as. Raises ModelUnavailable."""
    try:
        return transformers.AutoTokenizer.from_pretrained(folder / subfolder)
    except _DAMAGE as error:
        raise _unusable(folder, subfolder, _first_line(error)) from error


def load_config(cls: type, folder: Path, subfolder: str) -> Any:
    """A weightless diffusers object (a scheduler) built from its saved config. Raises ModelUnavailable."""
    try:
        return cls.from_pretrained(folder / subfolder)
    except _DAMAGE as error:
        raise _unusable(folder, subfolder, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unusable(folder: Path, subfolder: str, cause: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model in {folder} cannot be loaded: its part {subfolder!r} fails ({cause}). "
        "Weights must be .safetensors in the diffusers folder layout; download or convert the folder again."
    )
