# SPDX-License-Identifier: GPL-3.0-or-later
"""restore: a damaged clip becomes what it was, as far as a model can tell (DiffMusic, Liao, Pan and Yang 2024)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from server.errors import InvalidInput, InvalidOption
from server.kinds.base import InputSpec, Kind, ModelOptions, Prompt, ResultSpec, Spans, Texts, empty_is_none
from server.kinds.generate import Weight

Task = Literal["inpaint", "super_resolution", "dereverb", "phase_retrieval", "separate", "denoise", "declip"]
Frequency = Annotated[Annotated[float, Field(ge=20.0, le=400_000.0)] | None, BeforeValidator(empty_is_none)]
Reverberation = Annotated[Annotated[float, Field(ge=0.05, le=10.0)] | None, BeforeValidator(empty_is_none)]
ClipLevel = Annotated[Annotated[float, Field(gt=0.0, le=10.0)] | None, BeforeValidator(empty_is_none)]

_ONLY_FOR = {"gap": "inpaint", "cutoff_hz": "super_resolution", "rt60": "dereverb", "clip_level": "declip",
             "stem": "separate"}
"""Options that say what was measured, and the task that each belongs to."""


class RestoreOptions(ModelOptions):
    task: Task = Field(description="What to mend.")
    gap: Spans = Field((), description="inpaint: a stretch to fill, START:END in seconds.")
    cutoff_hz: Frequency = Field(
        None, description="super_resolution: up to where the clip can be trusted, 20 Hz or more; unset, where its spectrum "
        "ends."
    )
    rt60: Reverberation = Field(
        None, description="dereverb: the room's reverberation time, 0.05 to 10 seconds, where there is no recording of it "
        "(--room); without either it is guessed from the clip."
    )
    clip_level: ClipLevel = Field(None, description="declip: where the clip was cut off; unset, its largest sample.")
    stem: Annotated[Texts, Field(max_length=8)] = Field(
        (), description="separate: what one source is, in words; give one for each, 2 to 8."
    )
    strength: float = Field(
        1.0, ge=0.0, le=1.0, description="How much of the result is the mended clip, 0 to 1, the rest being the clip as it "
        "came; not for inpaint and phase_retrieval."
    )
    prompt: Prompt = Field("", description="What the clip is, in words; without it the measurement alone leads.")
    guidance: Weight = Field(None, description="How strongly the prompt leads, 0 to 30. Unset: what suits the model; "
                             "separate from the clip's own noise: 1.")
    algorithm: Literal["irs", "dps", "dsg"] = Field(
        "irs", description="How the measurement guides: irs corrects the model's estimate (DiffMusic), dps the coming "
        "state through the network (Chung et al.), dsg turns the noise toward it (Yang et al.)."
    )
    literal: bool = Field(False, description="dps and dsg as the paper's boxes and code have them.")
    vmc: bool = Field(True, description="Compare mel spectrograms in dB (the paper's constraint); off, waveforms.")
    rate: Weight = Field(
        None, description="How far a step follows the measurement, in shares of the way to full agreement (dsg: of the "
        "noise, up to 1); unset, what suits the task."
    )
    begin: Literal["clip", "noise"] = Field(
        "clip", description="clip starts from the clip's own noised latents (separate: from the noise that they come "
        "from), noise from noise alone, as the paper does."
    )
    steps: int = Field(30, ge=2, le=1000, description="Steps from noise to sound, 2 to 1000; from the clip, fewer are run.")
    schedule: Literal["even", "model"] = Field(
        "even", description="even spaces the steps evenly in SNR; model takes the model's own steps, as the paper does."
    )


def _check(options: RestoreOptions, roles: frozenset[str]) -> None:
    for name, task in _ONLY_FOR.items():
        if getattr(options, name) not in (None, ()) and options.task != task:
            raise InvalidOption(f"restore: {name} belongs to task={task}, not to {options.task}; leave it out.")
    for role, task in (("room", "dereverb"), ("magnitude", "phase_retrieval")):
        if role in roles and options.task != task:
            raise InvalidInput(f"restore: the input {role!r} belongs to task={task}, not to {options.task}; leave it out.")
    if options.task == "inpaint" and not options.gap:
        raise InvalidOption("restore: task=inpaint needs a gap, START:END in seconds, as in --gap 1.0:1.8.")
    if options.task == "separate" and (len(options.stem) < 2 or not all(words.strip() for words in options.stem)):
        raise InvalidOption("restore: task=separate needs two or more stems in words, as in --stem cello --stem \"dog "
                            "barking\": without words nothing tells one source from another.")
    if options.literal and options.algorithm == "irs":
        raise InvalidOption("restore: literal is for algorithm=dps and dsg, where paper and method differ; leave it out, "
                            "or choose one of them.")
    if options.rt60 is not None and "room" in roles:
        raise InvalidOption("restore: rt60 and a recording of the room both say what the room is; give one of them.")
    if options.task == "separate" and options.prompt:
        raise InvalidOption("restore: task=separate takes its words from the stems; leave the prompt out.")


RESTORE = Kind(
    name="restore",
    title="Restore",
    help="Mend a clip: fill gaps, widen its band, take a room, noise or clipping out of it, find its phases or its stems.",
    options=RestoreOptions,
    inputs=(
        InputSpec("clip", "The clip to mend; the result keeps its rate, channels, length and level."),
        InputSpec("room", "dereverb: a recording of the room's impulse response.", required=False, flag=True),
        InputSpec("magnitude", "phase_retrieval: STFT magnitudes in an .npy file, [channels, bins, frames], periodic Hann "
                  "window of 2 (bins - 1) samples, a frame every quarter of it, centred; without it, the clip's own.",
                  required=False, flag=True, is_audio=False),
    ),
    results=(
        ResultSpec("restored", "The mended clip."),
        ResultSpec("stem", "separate: one for each description."),
        ResultSpec("residual", "separate: what no stem claims; with the stems it sums to the clip."),
    ),
    deadline_s=3600.0,
    check=_check,
)
