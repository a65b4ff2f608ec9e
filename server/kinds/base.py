# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job kind is: its options, inputs, results and limits. No torch.

A kind is defined once, here; the command line, the wire, OSC, presets and the documentation are derived from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from server.errors import InvalidInput, InvalidOption

MAX_PROMPT_CHARACTERS = 2000


class Options(BaseModel):
    """Base of every kind's options: frozen, unknown keys and infinite numbers refused, every field described with unit and
    range."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def empty_is_none(value: Any) -> Any:
    """An OSC client and a command line have no null: they send an empty text for "not set"."""
    return None if value == "" else value


def _numbers(value: Any) -> Any:
    """Several numbers as one text, "-12,-6"; or a single number."""
    if isinstance(value, str):
        return tuple(part for part in value.replace(",", " ").split())
    return (value,) if isinstance(value, (int, float)) else value


def _texts(value: Any) -> Any:
    """Several texts as one, "cello | dog barking"; or a list of them."""
    return tuple(part.strip() for part in value.split("|") if part.strip()) if isinstance(value, str) else value


def _spans(value: Any) -> Any:
    """Stretches of time as one text, "1.0:1.8, 4:5"; or a list of such texts, or of pairs of seconds."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Iterable):
        return value
    pairs: list[Any] = []
    for part in parts:
        pairs += map(_pair, part.replace(",", " ").split()) if isinstance(part, str) else [part]
    return tuple(pairs)


def _pair(text: str) -> tuple[float, float]:
    try:
        start_s, end_s = map(float, text.split(":"))
    except ValueError:
        raise ValueError(f"{text!r} is not a stretch of time; write START:END in seconds, as in 1.0:1.8") from None
    return start_s, end_s


def _span(value: tuple[float, float]) -> tuple[float, float]:
    start_s, end_s = value
    if not 0.0 <= start_s < end_s:
        raise ValueError(f"the stretch {start_s:g}:{end_s:g} does not begin at 0 s or later and end after that")
    return value


def _whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


Order = Annotated[Literal[1, 2, 3], BeforeValidator(_whole_number)]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]
Seed = Annotated[Annotated[int, Field(ge=0, le=2**31 - 1)] | None, BeforeValidator(empty_is_none)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_numbers)]
Texts = Annotated[tuple[Prompt, ...], BeforeValidator(_texts)]
Spans = Annotated[tuple[Annotated[tuple[float, float], AfterValidator(_span)], ...], BeforeValidator(_spans)]
"""Stretches of time, (start, end) in seconds of the clip."""


class ModelOptions(Options):
    """Options of every kind that runs a diffusion model."""

    backbone: str = Field("embedded", description="Model to render with; `athanor models` lists them.")
    seed: Seed = Field(
        None, description="Random seed, 0 to 2147483647; unset, one is derived from the job and recorded."
    )


@dataclass(frozen=True)
class InputSpec:
    """A clip that a job takes. `role` is its name on the wire; a conditional one is checked by the kind's `check`.

    flag: named (`--room FILE`, `@room name`) instead of standing in its place. is_audio: false for a file that only the
    method can read; it is not listened to on its way and no plugin runs over it.
    """

    role: str
    help: str
    required: bool = True
    flag: bool = False
    is_audio: bool = True


@dataclass(frozen=True)
class ResultSpec:
    """What a job gives back. One role may come several times (a sweep gives several `fused`)."""

    role: str
    help: str
    media: str = "audio/wav"


@dataclass(frozen=True)
class Prerequisite:
    """Another job that must have succeeded first, unless the palette already holds `palette_entry`."""

    kind: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    palette_entry: str


def repeats(field: FieldInfo) -> Literal["text", "span"] | None:
    """What an option holds several of, each of which a person gives by itself (`--stem cello --stem oboe`); else None."""
    item = next(iter(get_args(field.annotation)), None) if get_origin(field.annotation) is tuple else None
    if get_origin(item) is Annotated:
        return "text" if get_args(item)[0] is str else "span"
    return None


def _no_check(options: Any, roles: frozenset[str]) -> None:
    return None


def _no_prerequisites(options: Any, digests: Mapping[str, str]) -> tuple[Prerequisite, ...]:
    return ()


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes:
        check: given parsed options and the roles that came, raises InvalidInput or InvalidOption where they do not fit.
        prerequisites: given parsed options and the inputs' SHA-256 digests, the jobs that must come first.
        deadline_s: longest time running, seconds, before the job fails with `deadline`.
        max_input_s: longest clip accepted, seconds (a model may allow less).
    """

    name: str
    title: str
    help: str
    options: type[Options]
    inputs: tuple[InputSpec, ...] = ()
    results: tuple[ResultSpec, ...] = ()
    deadline_s: float = 900.0
    max_input_s: float = 600.0
    check: Callable[[Any, frozenset[str]], None] = field(default=_no_check)
    prerequisites: Callable[[Any, Mapping[str, str]], tuple[Prerequisite, ...]] = field(default=_no_prerequisites)

    def parse(self, options: Mapping[str, Any], roles: frozenset[str] | None = None) -> Any:
        """Checked options of this kind.

        Args:
            options: names and values; texts are accepted for numbers, as OSC and command lines send them.
            roles: the inputs that came with the job; None leaves them unchecked.

        Raises:
            InvalidOption: unknown name (the nearest known one is named) or a value out of range.
            InvalidInput: a role that is missing or that this kind does not take.
        """
        self._check_names(options)
        try:
            parsed = self.options.model_validate(dict(options))
        except ValidationError as error:
            raise InvalidOption(_explain(self.name, error.errors(include_url=False)[0])) from None
        if roles is not None:
            self._check_roles(roles)
            self.check(parsed, roles)
        return parsed

    def input(self, role: str) -> InputSpec:
        """The input of that role."""
        return next(spec for spec in self.inputs if spec.role == role)

    def check_partial(self, options: Mapping[str, Any]) -> None:
        """Check options of which required ones may be missing, as a preset's. Raises InvalidOption as `parse` does."""
        self._check_names(options)
        try:
            self.options.model_validate(dict(options))
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                if problem["type"] != "missing":
                    raise InvalidOption(_explain(self.name, problem)) from None

    def _check_names(self, options: Mapping[str, Any]) -> None:
        known = self.options.model_fields
        for name in options:
            if name not in known:
                raise InvalidOption(f"{self.name} has no option {name!r}{nearest(name, known)}")

    def _check_roles(self, roles: frozenset[str]) -> None:
        takes = [spec.role for spec in self.inputs]
        for role in sorted(roles - set(takes)):
            raise InvalidInput(f"{self.name} takes no input {role!r}; it takes {', '.join(takes) or 'none'}.")
        for spec in self.inputs:
            if spec.required and spec.role not in roles:
                raise InvalidInput(f"{self.name} needs the input {spec.role!r}: {spec.help}")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the known name nearest to `name`, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {near[0]!r}?" if near else f"; there is: {', '.join(known)}."


def _explain(kind: str, problem: Mapping[str, Any]) -> str:
    """A problem that pydantic found in one sentence: option, value, what is allowed."""
    name = ".".join(str(part) for part in problem["loc"][:1])
    if problem["type"] == "missing":
        return f"{kind} needs the option {name!r}."
    shown = repr(problem["input"])
    if len(shown) > 60:
        shown = f"{shown[:50]}... ({len(str(problem['input']))} characters)"
    text = problem["msg"].removeprefix("Value error, ")
    return f"{kind}: {name}={shown}: {text}." if name else f"{kind}: {text}."
