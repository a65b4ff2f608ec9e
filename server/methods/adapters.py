# SPDX-License-Identifier: GPL-3.0-or-later
"""A learned reference: put into a model, switched, taken out again, kept as one safetensors file.

Three forms: a LoRA on every linear and convolutional layer (peft), every weight of the network (`full`), or what a model
that learns without training keeps of the clip (`memory`). The file's metadata key `athanor` holds the entry's card as JSON,
so an entry is one file that can be copied and sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from torch import Tensor, nn

from server.errors import InvalidInput, ModelUnavailable
from server.models.base import Backbone, Remembering

Form = Literal["lora", "full"]


@dataclass(frozen=True)
class Entry:
    """A palette entry as read from its file: card (JSON values) and weights by name, on the CPU."""

    card: dict[str, Any]
    weights: dict[str, Tensor]


class Adapted:
    """The adapter inside a network while its context lasts: its parameters, its state, its switch."""

    def __init__(self, network: nn.Module, form: Form, tuner: LoraModel | None, pristine: dict[str, Tensor]) -> None:
        self._network, self._form, self._tuner, self._pristine = network, form, tuner, pristine

    def parameters(self) -> list[nn.Parameter]:
        """What training changes."""
        return [p for p in self._network.parameters() if p.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """The adapter's weights by name, half precision on the CPU: what is kept."""
        state = self._network.state_dict() if self._tuner is None else get_peft_model_state_dict(self._tuner)
        return {name: w.detach().to("cpu", torch.float16).contiguous() for name, w in state.items()}

    def load(self, weights: dict[str, Tensor]) -> None:
        """Set the adapter's weights."""
        if self._tuner is None:
            self._network.load_state_dict({name: w.float() for name, w in weights.items()})
        else:
            set_peft_model_state_dict(self._tuner, {name: w.float() for name, w in weights.items()})

    def drop(self) -> None:
        """Back to the untouched network, before the context ends (`adapter_after=drop`)."""
        if self._tuner is None:
            self._network.load_state_dict(self._pristine)
        else:
            self._tuner.disable_adapter_layers()


@contextmanager
def adapted(backbone: Backbone, form: Form, rank: int, *, seed: int = 0) -> Iterator[Adapted]:
    """A fresh adapter in `backbone.network` (for a LoRA: output unchanged at first); taken out at the end.

    The network is frozen but for the adapter, in evaluation mode, and leaves as it came, whatever happens inside.
    """
    network = backbone.network
    trainable = [p.requires_grad for p in network.parameters()]
    network.requires_grad_(form == "full")
    pristine = {name: w.detach().clone() for name, w in network.state_dict().items()} if form == "full" else {}
    tuner = None
    try:
        if form == "lora":
            with torch.random.fork_rng(devices=[]):  # peft draws its initial weights from the global generator
                torch.manual_seed(seed)
                tuner = LoraModel(network, _lora_config(network, rank), "default")
            network.to(backbone.device)
        yield Adapted(network, form, tuner, pristine)
    finally:
        if tuner is not None:
            tuner.unload()
        elif pristine:
            network.load_state_dict(pristine)
        for parameter, was in zip(network.parameters(), trainable, strict=True):
            parameter.requires_grad_(was)


class Remembered:
    """A memory inside a model while its context lasts: its switch."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held

    def drop(self) -> None:
        """Back to the model as it is, before the context ends (`adapter_after=drop`)."""
        self._held.close()


@contextmanager
def remembered(backbone: Remembering, memory: Mapping[str, Tensor]) -> Iterator[Remembered]:
    """A memory, as `Remembering.remember` gave it, inside the model; taken out at the end."""
    with ExitStack() as held:
        held.enter_context(backbone.recalling(memory))
        yield Remembered(held)


@contextmanager
def recalled(backbone: Backbone, entry: Entry) -> Iterator[Adapted | Remembered]:
    """`entry` inside the model.

    Raises:
        ModelUnavailable: it was learned on another backbone or another revision of it.
    """
    card, facts = entry.card, backbone.facts
    if (card["layout"], card["revision"]) != (facts.layout, facts.revision):
        raise ModelUnavailable(
            f"The palette entry {card['name']!r} was learned on {card['backbone']} revision {card['revision'][:12]}; the "
            f"model here is {facts.name} revision {facts.revision[:12]}. Learn the clip again, or choose that model.")
    if isinstance(backbone, Remembering):
        with remembered(backbone, entry.weights) as memory:
            yield memory
        return
    with adapted(backbone, card["form"], card["rank"]) as adapter:
        adapter.load(entry.weights)
        yield adapter


@contextmanager
def recalled_by_name(backbone: Backbone, palette_dir: Path, name: str | None) -> Iterator[Adapted | Remembered | None]:
    """The palette entry `name` inside the model; without a name, nothing."""
    if name is None:
        yield None
    else:
        with recalled(backbone, read_entry(palette_dir, name)) as adapter:
            yield adapter


def entry_bytes(weights: dict[str, Tensor], card: dict[str, Any]) -> bytes:
    """A palette entry as the bytes of its safetensors file."""
    return safetensors.torch.save(weights, metadata={"athanor": json.dumps(card, sort_keys=True)})


def read_entry(palette_dir: Path, name: str) -> Entry:
    """The entry of that name.

    Raises:
        InvalidInput: there is none, or the file is not a palette entry.
    """
    path = palette_dir / f"{name}.safetensors"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in palette_dir.glob("*.safetensors"))) or "it is empty"
        raise InvalidInput(f"The palette has no entry {name!r}; there is: {there}. Learn it with `athanor learn`.")
    with safe_open(path, "pt") as file:
        card = (file.metadata() or {}).get("athanor")
        if card is None:
            raise InvalidInput(f"{path} has no card in its metadata: it is not a palette entry of Athanor.")
        return Entry(json.loads(card), {key: file.get_tensor(key) for key in file.keys()})


def _lora_config(network: nn.Module, rank: int) -> LoraConfig:
    """A LoRA on every linear and convolutional layer: attention alone is too little to hold one sound."""
    targets = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)]
    return LoraConfig(r=rank, lora_alpha=rank, target_modules=targets)
