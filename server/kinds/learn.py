# SPDX-License-Identifier: GPL-3.0-or-later
"""learn: memorise a reference clip with its prompt as a reusable palette entry."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from server.kinds.base import InputSpec, Kind, ModelOptions, Prompt, ResultSpec, empty_is_none

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def palette_name(name: str) -> str:
    """`name` if it can name a palette entry (and so a file), else ValueError saying what is allowed."""
    if not _NAME.fullmatch(name):
        raise ValueError("a palette name is 1 to 64 letters, digits, '-' or '_', and starts with a letter or digit")
    return name


def _optional_name(name: str | None) -> str | None:
    return None if name is None else palette_name(name)


PaletteEntry = Annotated[str | None, BeforeValidator(empty_is_none), AfterValidator(_optional_name)]


class TrainingOptions(ModelOptions):
    """How a reference is memorised; `fuse` takes the same ones for the learning it asks for."""

    learn_steps: int = Field(400, ge=1, le=20000, description="Training steps, 1 to 20000.")
    learn_rate: float = Field(2e-3, gt=0, le=0.1, description="Learning rate of AdamW.")
    learn_batch: int = Field(8, ge=1, le=256, description="Noise levels drawn per training step, 1 to 256.")
    rank: int = Field(16, ge=1, le=256, description="Rank of the LoRA, 1 to 256.")
    full: bool = Field(False, description="Train every weight of the network instead of a LoRA; large and slow.")


class LearnOptions(TrainingOptions):
    prompt: Prompt = Field(description="The words that will recall the clip.", min_length=1)
    name: Annotated[str, AfterValidator(palette_name)] = Field(description="Name of the palette entry.")
    replace: bool = Field(False, description="Overwrite an entry of the same name.")


LEARN = Kind(
    name="learn",
    title="Learn",
    help="Memorise a clip with a prompt as a palette entry that fuse and generate can use again.",
    options=LearnOptions,
    inputs=(InputSpec("clip", "The sound to memorise; of one longer than the model's window, windows drawn at random."),),
    results=(
        ResultSpec("adapter", "The palette entry, one safetensors file.", "application/x-safetensors"),
        ResultSpec("recalled", "What the learned prompt sounds like now."),
    ),
    deadline_s=3600.0,
)
