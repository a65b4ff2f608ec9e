# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights as somebody published them: read without running what a pickle may hold, renamed, put into a module.

A renaming is a list of (pattern, replacement) of `re.sub`, all applied in their order; a name left that the module does not
have, or one that it lacks, is an error: a checkpoint of another kind must not pass for this one.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from server.errors import ModelUnavailable
from server.models.components import building, transformers

Names = Sequence[tuple[str, str]]
State = dict[str, Tensor]


def read_weights(path: Path) -> State:
    """The tensors of a .safetensors, .bin or .ckpt file; a pickle is read as weights alone, so that no code in it runs.

    Raises:
        ModelUnavailable: it cannot be read, or holds something else than weights.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError, safetensors.SafetensorError) as error:
        raise ModelUnavailable(f"{path} cannot be read as weights ({_first_line(error)}). Code in it was not run; "
                               "download the file again from the model's own page.") from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelUnavailable(f"{path} holds something else than weights. Download the file again.")
    return state


def part(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors below `prefix` (with its dot), by what is left of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def renamed(state: Mapping[str, Tensor], names: Names) -> State:
    """The tensors by their new names."""
    new: State = {}
    for name, tensor in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        new[name] = tensor
    return new


def filled(cls: type, config: Mapping[str, Any] | Any, state: State, what: str) -> nn.Module:
    """A module of `cls` built by `config` (arguments, or transformers' config) that holds exactly `state`, float32.

    Raises:
        ModelUnavailable: names or shapes differ; `what` names the part to the person.
    """
    with building(), torch.device("meta"):
        module = cls(config) if isinstance(config, transformers.PreTrainedConfig) else cls(**config)
    try:
        module.load_state_dict({name: tensor.float().contiguous() for name, tensor in state.items()}, assign=True)
    except RuntimeError as error:
        cause = " ".join(str(error).splitlines()[1:2]).strip()
        raise ModelUnavailable(f"The {what} in these files is not the one that was expected: {cause} Use the checkpoint as "
                               "it was published.") from error
    if isinstance(module, transformers.PreTrainedModel):
        module.tie_weights()
    return module.eval()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
