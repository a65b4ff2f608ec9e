# SPDX-License-Identifier: GPL-3.0-or-later
"""edit: a clip becomes what other words say, and keeps its structure (Manor and Michaeli, arXiv:2402.10009)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, create_model, model_validator

from server.kinds.base import InputSpec, Kind, ModelOptions, Prompt, ResultSpec, Seed, Spans, Texts, empty_is_none
from server.kinds.generate import Weight

MOST_TARGETS = 16

Share = Annotated[Annotated[float, Field(ge=0.0, le=1.0)] | None, BeforeValidator(empty_is_none)]
Decibels = Annotated[Annotated[float, Field(ge=-60.0, le=40.0)] | None, BeforeValidator(empty_is_none)]
FewOrders = Annotated[Literal[1, 2], BeforeValidator(lambda value: int(value) if value in ("1", "2") else value)]


class _EditOptions(ModelOptions):
    to: Texts = Field(
        min_length=1, max_length=MOST_TARGETS,
        description="What the result is to be, in words; each one given makes a result, 1 to 16, all from one inversion."
    )
    strength: Share = Field(
        None, description="How far the result may leave the clip, 0 to 1: 0 hardly changes it, 1 keeps its coarse shape "
        "alone. Unset: 0.6, the paper's T_start of 100 of 200 steps."
    )
    snr_db: Decibels = Field(
        None, description="The same as the signal-to-noise ratio in dB that the edit begins at: 10 is strength 0, -20 is 1."
    )
    select: Spans = Field((), description="Seconds to edit, START:END; outside them the result is the clip itself.")
    pull_back: float = Field(
        0.025, ge=0.0, le=1.0, description="With select: how hard the rest is held in place at each step, counted for 200 "
        "steps; 0 is off."
    )
    method: Literal["ddpm", "ddim", "sdedit"] = Field(
        "ddpm", description="How the clip is kept in mind: by the noise that its edit-friendly inversion finds (ddpm), by "
        "a deterministic inversion (ddim), or only by where the edit begins (sdedit)."
    )
    guidance_source: float = Field(3.0, ge=0.0, le=30.0, description="Weight of the words of `from` in the inversion.")
    guidance_target: Weight = Field(
        None, description="How strongly the words of `to` lead, 0 to 30. Unset: three times what suits the model (the "
        "paper's 12 where that is 4), and 1.25 times for ddim (5)."
    )
    keep_last: bool = Field(
        True, description="Add what the last step's own noise holds; off, as the published code, the end is smoother."
    )
    steps: int = Field(50, ge=2, le=1000, description="Steps of the whole way, 2 to 1000; those after the start are run.")
    order: FewOrders = Field(1, description="Order of the step, 1 (the paper) or 2; ddim is of order 1.")
    schedule: Literal["even", "model"] = Field(
        "even", description="even spaces the steps evenly in SNR; model takes the model's own steps, as the paper does."
    )
    seed: Seed = Field(
        None, description="Random seed, 0 to 2147483647; unset, the clip's own, so that all its edits share an inversion."
    )
    raw_level: bool = Field(False, description="Leave the level as the model made it; off, it matches the clip's.")

    @property
    def source(self) -> str:
        """What the clip is in words (the option `from`, a word that Python keeps to itself)."""
        return getattr(self, "from")

    @property
    def idle(self) -> list[str]:
        """Options that differ from their defaults and change nothing here, each with the reason, in words."""
        why = {}
        if self.method == "sdedit":
            why = dict.fromkeys(("from", "guidance_source"), "method=sdedit inverts nothing")
        elif not self.source:
            why = {"guidance_source": "it weighs the words of `from`, and there are none"}
        if self.method != "ddpm":
            why["keep_last"] = f"method={self.method} has no noise of the last step"
        if not self.select:
            why["pull_back"] = "nothing is selected"
        fields = type(self).model_fields
        return [f"{name} changes nothing: {reason}" for name, reason in why.items()
                if getattr(self, name) != fields[name].default]

    @model_validator(mode="after")
    def _fits_together(self) -> _EditOptions:
        if any(not prompt.strip() for prompt in self.to):
            raise ValueError("a target without words; say what the clip is to become")
        if self.strength is not None and self.snr_db is not None:
            raise ValueError("strength and snr_db both say where the edit begins; give one of them")
        if self.method == "ddim" and self.order == 2:
            raise ValueError("ddim inverts steps of order 1; give order=1, or another method")
        return self


EditOptions = create_model(
    "EditOptions", __base__=_EditOptions, __module__=__name__,
    **{"from": (Prompt, Field("", description="What the clip is, in words; empty leaves that to the model."))},
)

EDIT = Kind(
    name="edit",
    title="Edit",
    help="Change a clip by words and keep its structure.",
    options=EditOptions,
    inputs=(InputSpec("clip", "The clip to edit; results keep its rate, channels, length and level."),),
    results=(ResultSpec("edited", "One edited clip for each target, in their order."),),
)
