# SPDX-License-Identifier: GPL-3.0-or-later
"""generate: text to audio."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from server.kinds.base import Kind, ModelOptions, Order, Prompt, ResultSpec, empty_is_none
from server.kinds.learn import PaletteEntry


class SamplerOptions(ModelOptions):
    """How the noise is walked down; shared by the kinds that sample."""

    steps: int = Field(50, ge=2, le=1000, description="Sampler steps, 2 to 1000; more is slower and cleaner.")
    order: Order = Field(2, description="Order of the DPM-Solver++ step: 1, 2 or 3.")
    solver: Literal["sde", "ode"] = Field("sde", description="sde adds fresh noise at every step, ode adds none.")
    schedule: Literal["even", "model"] = Field(
        "even", description="even spaces the steps evenly in SNR; model takes the model's own steps, as the papers do."
    )
    form: Literal["midpoint", "phi", "published", "diffusers"] = Field(
        "midpoint", description="Extrapolation of orders 2 and 3: midpoint or phi; published uses k-diffusion's weight, "
        "diffusers that library's, which does not converge in order 3 of sde."
    )


Weight = Annotated[Annotated[float, Field(ge=0.0, le=30.0)] | None, BeforeValidator(empty_is_none)]


class GenerateOptions(SamplerOptions):
    prompt: Prompt = Field("", description="What to hear, in words. Empty: whatever the model does unprompted.")
    seconds: float = Field(5.0, gt=0.1, le=600.0, description="Length in seconds, up to 600.")
    guidance: Weight = Field(
        None, description="How strongly the prompt leads, 0 to 30; 1 is plain. Unset: what suits the model, 1 to 4."
    )
    adapter: PaletteEntry = Field(None, description="A palette entry to sound like; its prompt recalls it best.")
    raw_level: bool = Field(False, description="Leave the level as the model made it; off, the true peak is -3 dBTP.")
    variations: int = Field(1, ge=1, le=16, description="How many different sounds to make, 1 to 16.")


GENERATE = Kind(
    name="generate",
    title="Generate",
    help="Make a sound from a text prompt.",
    options=GenerateOptions,
    results=(ResultSpec("generated", "The sound, at the model's own rate and channel count."),),
)
