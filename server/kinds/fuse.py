# SPDX-License-Identifier: GPL-3.0-or-later
"""fuse: an original and a reference become a third sound (abstract sound fusion, arXiv:2506.11811)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from server.errors import InvalidInput, InvalidOption
from server.kinds.base import InputSpec, Kind, Numbers, Prerequisite, Prompt, ResultSpec
from server.kinds.generate import SamplerOptions
from server.kinds.learn import PaletteEntry, TrainingOptions

_BY_ITSELF = ("auto", "remember", "inversion")  # the reference leads, with or without words


class FuseOptions(SamplerOptions, TrainingOptions):
    prompt: Prompt = Field("", description="What the reference is, in words.")
    snr_db: Numbers = Field(
        (), description="Where the original steps in, as signal-to-noise ratio in dB; several give several results. "
        "Lower is closer to the reference, higher is closer to the original."
    )
    at_step: Numbers = Field((), description="The same as raw steps left to run (the paper's t); not portable.")
    sweep: int = Field(0, ge=0, le=20, description="Results spread over the fusion window, 2 to 20; 0 is off.")
    balance: Literal["fixed", "auto"] = Field(
        "fixed", description="auto searches where original and reference are equally near, in at most 8 renders."
    )
    guidance: float = Field(7.0, ge=0.0, le=30.0, description="How strongly the prompt leads at first, 0 to 30.")
    reference: Literal["auto", "learn", "remember", "inversion", "prompt", "none"] = Field(
        "auto",
        description="What leads before the original steps in: learn memorises the reference (the paper; minutes), "
        "remember keeps it as it is (models that learn at once), inversion follows the reference's own noise trajectory "
        "(seconds), prompt the words alone, none nothing; auto is remember where the model can, else inversion.",
    )
    inversion: Literal["clean", "shared_noise", "literal", "forward", "noisy", "noisy_single"] = Field(
        "clean", description="How the original's latent is noised: the paper's clean start, or one of its variants."
    )
    inject: Literal["linear_term", "state"] = Field(
        "linear_term", description="linear_term puts the original in the step's linear term only (the paper); "
        "state replaces the whole latent."
    )
    history: Literal["keep", "reset"] = Field("keep", description="Whether orders 2 and 3 still see the reference.")
    adapter: PaletteEntry = Field(
        None, description="A palette entry to lead with, instead of learning the reference again."
    )
    adapter_after: Literal["keep", "drop"] = Field(
        "keep", description="Whether a learned reference stays on after the original steps in (the paper: keep)."
    )
    raw_level: bool = Field(False, description="Leave the level as the model made it; off, it matches the original's.")

    @model_validator(mode="after")
    def _one_way_to_say_where(self) -> FuseOptions:
        ways = [name for name, is_set in (("snr_db", self.snr_db), ("at_step", self.at_step), ("sweep", self.sweep),
                                          ("balance", self.balance == "auto")) if is_set]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} each say where the original steps in; give one of them")
        if self.sweep == 1:
            raise ValueError("a sweep has 2 to 20 results; for one, leave it out")
        if len(self.snr_db) > 20 or len(self.at_step) > 20:
            raise ValueError("at most 20 levels in one job")
        return self


def _check(options: FuseOptions, roles: frozenset[str]) -> None:
    learns = options.reference == "learn"
    if options.adapter and not learns:
        raise InvalidOption(f"adapter={options.adapter!r} needs reference='learn', not {options.reference!r}.")
    if learns and not options.prompt:
        raise InvalidOption("reference='learn' needs a prompt: the words that the reference is memorised with.")
    needs = options.balance == "auto" or options.reference in _BY_ITSELF or (learns and not options.adapter)
    if needs and "reference" not in roles:
        raise InvalidInput("fuse needs the input 'reference' here: the clip to fuse with. Without one, give an adapter "
                           "(a palette entry) or reference='prompt'.")


def learned_entry(options: FuseOptions, reference_digest: str) -> str:
    """Palette entry that this fuse leads with: the one asked for, or one named by what it is learned from."""
    if options.adapter:
        return options.adapter
    key = json.dumps(_learning(options) | {"clip": reference_digest}, sort_keys=True)
    return f"auto-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _learning(options: FuseOptions) -> dict[str, Any]:
    """What decides, beside the clip, what is learned."""
    training = {name: getattr(options, name) for name in TrainingOptions.model_fields if name != "seed"}
    return training | {"prompt": options.prompt}


def _prerequisites(options: FuseOptions, digests: Mapping[str, str]) -> tuple[Prerequisite, ...]:
    if options.reference != "learn" or options.adapter:
        return ()
    entry = learned_entry(options, digests["reference"])
    asked = _learning(options) | {"name": entry, "seed": 0}
    return (Prerequisite("learn", asked, {"clip": digests["reference"]}, entry),)


FUSE = Kind(
    name="fuse",
    title="Fuse",
    help="Fuse two sounds into a third: the reference leads, the original steps in.",
    options=FuseOptions,
    inputs=(
        InputSpec("original", "The clip whose shape, rate, channels and length the result keeps."),
        InputSpec("reference", "The clip to fuse it with; any rate, channels and length.", required=False),
    ),
    results=(ResultSpec("fused", "One fused clip per level, with its similarity to both."),),
    check=_check,
    prerequisites=_prerequisites,
)
