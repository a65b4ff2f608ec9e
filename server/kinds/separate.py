# SPDX-License-Identifier: GPL-3.0-or-later
"""separate: a mixture is taken apart, one prompt per stem (ZeroSep, arXiv:2505.23625)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from server.kinds.base import InputSpec, Kind, ModelOptions, Prompt, ResultSpec, Texts

MOST_STEMS = 8


class SeparateOptions(ModelOptions):
    stem: Texts = Field(
        min_length=1, max_length=MOST_STEMS,
        description="What one stem is, in words; give one for each sound of the mixture, 1 to 8."
    )
    amount: float = Field(
        1.0, ge=0.0, le=1.0, description="How far the stem comes out of the mixture, 0 to 1: masked stems are "
        "(1 - amount) mixture + amount stem; of generated ones it scales the guidance."
    )
    stems: Literal["masked", "generated", "both"] = Field(
        "masked", description="masked cuts the stems out of the clip itself and keeps its phase, stereo and rate; "
        "generated gives what the model made, as the paper does."
    )
    residual: bool = Field(False, description="Also give what no stem claims; with the masked stems it sums to the clip.")
    inversion: Literal["ddpm", "ddim"] = Field(
        "ddim", description="How the mixture is inverted: ddim step by step, ddpm exactly and in batches of levels, but "
        "with stems that are less well told apart."
    )
    inversion_prompt: Prompt = Field(
        "none", description="What the inversion is told to hear: none, others (the other stems' words, at twice the cost), "
        "or words for the whole mixture."
    )
    guidance: float = Field(
        1.0, ge=0.0, le=30.0, description="How strongly a stem's words lead: 0 gives the mixture back, 1 separates, above "
        "1 the model begins to invent."
    )
    passes: int = Field(1, ge=1, le=4, description="Separate the stems found once more, 1 to 4; for a loud rest.")
    steps: int = Field(50, ge=2, le=1000, description="Steps of the inversion and of the way back, 2 to 1000.")
    schedule: Literal["even", "model"] = Field(
        "even", description="even spaces the steps evenly in SNR; model takes the model's own steps, as the paper does."
    )

    @model_validator(mode="after")
    def _others_need_another(self) -> SeparateOptions:
        if any(not prompt.strip() for prompt in self.stem):
            raise ValueError("a stem without words; say what is to be heard in it")
        if self.inversion_prompt == "others" and len(self.stem) < 2:
            raise ValueError("inversion_prompt='others' needs two stems or more; with one, say none or describe the rest")
        return self


SEPARATE = Kind(
    name="separate",
    title="Separate",
    help="Take a mixture apart: one stem for each description.",
    options=SeparateOptions,
    inputs=(InputSpec("mixture", "The clip to take apart; stems keep its rate, channels and length."),),
    results=(
        ResultSpec("stem", "One stem per description, cut out of the mixture."),
        ResultSpec("generated", "One stem per description, as the model made it."),
        ResultSpec("residual", "What no stem claims."),
    ),
)
