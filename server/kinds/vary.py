# SPDX-License-Identifier: GPL-3.0-or-later
"""vary: a clip moves along what the model is least sure of in it (Manor and Michaeli, arXiv:2402.10009, section 3.3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from server.errors import InvalidOption
from server.kinds.base import InputSpec, Kind, ModelOptions, Numbers, Prompt, ResultSpec, Spans, empty_is_none

MOST_DIRECTIONS, MOST_RESULTS = 8, 64
FURTHEST = 100.0
"""Deviations along a direction; far beyond them the numbers of a network overflow."""
OPEN_DB = 300.0
"""Where an open end of a stretch of levels lies: beyond every schedule, and a number in JSON."""


def _stretch(value: Any) -> Any:
    """LOW:HIGH as one text; an end that is left out is open."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    low, colon, high = value.partition(":")
    try:
        return (float(low or -OPEN_DB), float(high or OPEN_DB)) if colon else value
    except ValueError:
        return value


def _rising(value: tuple[float, float] | None) -> tuple[float, float] | None:
    if value is not None and not value[0] < value[1]:
        raise ValueError("write LOW:HIGH in dB, as in -20:5; either may be left out")
    return value


Stretch = Annotated[Annotated[tuple[float, float], AfterValidator(_rising)] | None, BeforeValidator(_stretch)]
Level = Annotated[Annotated[float, Field(ge=-60.0, le=60.0)] | None, BeforeValidator(empty_is_none)]


class VaryOptions(ModelOptions):
    prompt: Prompt = Field("", description="What the clip is, in words; not needed.")
    directions: int = Field(3, ge=1, le=MOST_DIRECTIONS, description="How many directions, 1 to 8, the strongest first.")
    gamma: Numbers = Field(
        (2.0,), description="How far along a direction, 0 to 100 standard deviations of what the model holds possible; "
        "both ways are rendered. Several give several results."
    )
    sign: Literal["both", "plus", "minus"] = Field("both", description="Which way along the direction.")
    combine: Numbers = Field(
        (), description="One mixed direction instead of each by itself: a weight for each, as in 1,0,-1."
    )
    at: Level = Field(
        None, description="Find the directions at one noise level, SNR in dB, and keep to them; unset, -8. Lower finds "
        "broader changes, higher finer ones."
    )
    per_step: bool = Field(
        False, description="Find directions at every step of the range anew, the paper's second way: from broad to fine on "
        "the way, and more to compute."
    )
    range: Stretch = Field(
        None, description="SNR in dB between which the clip is moved, LOW:HIGH; unset, from -20 to the end, and with "
        "--per-step from -16 to 0, or where the directions of a file are."
    )
    select: Spans = Field((), description="Vary these stretches alone, START:END in seconds; the rest stays as it is.")
    pull_back: float = Field(
        0.025, ge=0.0, le=1.0, description="How strongly the rest is held while a part is varied, 0 to 1, per 200 steps."
    )
    guidance: float = Field(
        3.0, ge=0.0, le=30.0, description="Weight of the prompt, 0 to 30: 3 as in the paper. At 1 the directions are what "
        "the theory says, principal components of what is possible; above it the prompt bends them."
    )
    scale: Literal["auto", "clip", "table"] = Field(
        "auto", description="Where the size of a step comes from: clip, its own eigenvalues; table, the model's average as "
        "in the paper (--eigenvalues, or what ships); auto is table if there is one, but clip with --select or --per-step."
    )
    steps: int = Field(
        50, ge=4, le=1000, description="Steps from noise to sound, 4 to 1000; those before the range are not run."
    )
    schedule: Literal["even", "model"] = Field(
        "even", description="even spaces the steps evenly in SNR; model takes the model's own steps, as the paper does."
    )
    raw_level: bool = Field(False, description="Leave the level as the model made it; off, it matches the clip's.")

    @model_validator(mode="after")
    def _fits_together(self) -> VaryOptions:
        if self.per_step and self.at is not None:
            raise ValueError("at and per_step each say where the directions are found; give one of them")
        if not self.gamma or any(not 0.0 <= g <= FURTHEST for g in self.gamma):
            raise ValueError(f"gamma is one or more numbers from 0 to {FURTHEST:g}; sign says which way")
        if any(abs(weight) > FURTHEST for weight in self.combine):
            raise ValueError(f"the weights of combine are numbers from {-FURTHEST:g} to {FURTHEST:g}")
        if len({f"{g:g}" for g in self.gamma}) < len(self.gamma):
            raise ValueError("a gamma comes twice; give each one once, they name the results")
        if len(self.combine) > MOST_DIRECTIONS:
            raise ValueError(f"combine takes at most {MOST_DIRECTIONS} weights")
        if len(self.gamma) * 2 * self.directions > MOST_RESULTS:
            raise ValueError(f"at most {MOST_RESULTS} results in one job")
        return self


def _check(options: VaryOptions, roles: frozenset[str]) -> None:
    if "from_directions" in roles:
        given = [name for name in ("at", "per_step", "scale") if getattr(options, name) not in (None, False, "auto")]
        if given or "eigenvalues" in roles:
            raise InvalidOption(f"vary: {' and '.join(given or ['eigenvalues'])} says how directions are found; those of a "
                                "file are found already: leave it out.")
    if options.scale == "clip" and "eigenvalues" in roles:
        raise InvalidOption("vary: scale=clip does not use the table given with eigenvalues; leave one of them out.")


VARY = Kind(
    name="vary",
    title="Vary",
    help="Vary a clip without words, along the directions in which the model finds it could be otherwise.",
    options=VaryOptions,
    inputs=(
        InputSpec("clip", "The clip to vary; the results keep its rate, channels, length and level."),
        InputSpec("from_directions", "Directions that an earlier vary gave back: applied again, nothing is searched.",
                  required=False, flag=True, is_audio=False),
        InputSpec("eigenvalues", "A model's table of eigenvalues, made by `python -m server.measure.eigenvalues`.",
                  required=False, flag=True, is_audio=False),
    ),
    results=(
        ResultSpec("variation", "One varied clip for each direction, way and gamma."),
        ResultSpec("directions", "The directions that were found, to be used again with --from-directions.",
                   "application/x-safetensors"),
    ),
    deadline_s=3600.0,
    check=_check,
)
