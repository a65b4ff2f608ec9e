# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method runs on every backbone, or refuses with a reason that names the backbones that can.

A kind joins by itself; where it cannot do without options, they are said in OPTIONS.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import Clip
from server.errors import AthanorError
from server.kinds import KINDS
from server.kinds.base import Kind
from server.methods import run
from server.methods.context import Context
from server.models import tiny
from server.models.catalogue import METHODS_OF_LAYOUT, able

RATE, SECONDS = 22050, 0.5
OPTIONS = {
    "generate": {"seconds": SECONDS, "prompt": "rain"},
    "learn": {"prompt": "bells", "name": "bells", "learn_steps": 2, "rank": 2, "learn_batch": 2},
    "separate": {"stem": ("bells", "rain")},
    "edit": {"to": ("rain",)},
    "vary": {"directions": 1, "steps": 4, "sign": "plus", "at": -6.0},
    "restore": {"task": "inpaint", "gap": ((0.2, 0.3),)},
}


def clip(seed: int) -> Clip:
    noise = np.random.default_rng(seed).normal(size=(1, round(SECONDS * RATE)))
    return Clip(0.1 * noise * np.sin(np.linspace(0.0, np.pi, noise.shape[1])), RATE)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch) -> None:
    """The directions of a random network do not settle, nor does it learn: a few rounds show as much as fifty."""
    from server.sampling.directions import principal_components

    monkeypatch.setitem(principal_components.__kwdefaults__, "max_iterations", 2)
    monkeypatch.setattr("server.methods.learn.RECALL_STEPS", 3)


def asked(kind: Kind) -> tuple[dict[str, Clip], object]:
    clips = {spec.role: clip(seed) for seed, spec in enumerate(kind.inputs) if spec.is_audio}
    clips = {role: one for role, one in clips.items() if role != "room"}  # dereverb's alone
    few = {"steps": 3} if "steps" in kind.options.model_fields else {}
    return clips, kind.parse(few | {"seed": 1} | OPTIONS.get(kind.name, {}), frozenset(clips))


@pytest.mark.parametrize("layout", [*tiny.LAYOUTS, "patches"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_renders_or_refuses(kind, layout, tiny_backbone, tmp_path: Path):
    cropped = {"window": "cropped"} if layout.startswith("stable_audio") else {}
    backbone = tiny_backbone(layout, **cropped)
    clips, options = asked(kind)
    digests = {role: str(i) * 64 for i, role in enumerate(clips)}
    context = Context("a job", digests, tmp_path, lambda name: backbone, lambda progress: None)
    if kind.name not in METHODS_OF_LAYOUT.get(layout, {kind.name}):
        with pytest.raises(AthanorError) as refused:
            run(kind.name, clips, options, context)
        assert all(name in refused.value.message for name in (kind.name, *able(kind.name)))
        return
    outputs = run(kind.name, clips, options, context)
    assert all(output.provenance["backbone"]["licence"] == backbone.facts.licence for output in outputs if output.clip)
    sounds = [output.clip for output in outputs if output.clip is not None]
    assert sounds and all(np.isfinite(sound.samples).all() for sound in sounds)
    if kind.name not in ("generate", "learn"):
        assert all((c.sample_rate, c.samples.shape) == (RATE, (1, round(SECONDS * RATE))) for c in sounds)
    assert not any(p.requires_grad for p in backbone.network.parameters()), "the next job finds the model as it was"


def test_a_model_of_the_catalogue_is_refused_before_it_is_loaded(tmp_path: Path):
    clips, _ = asked(KINDS["fuse"])
    options = KINDS["fuse"].parse({"backbone": "stable-audio-open-small"}, frozenset(clips))
    context = Context("a job", {role: "0" * 64 for role in clips}, tmp_path, lambda name: pytest.fail("loaded"), print)
    with pytest.raises(AthanorError, match="fuse cannot use stable-audio-open-small, which was made for generate alone. "
                                           "Backbones that can: embedded, mosaic,") as refused:
        run("fuse", clips, options, context)
    assert "small" not in refused.value.message.split("can:")[1]
