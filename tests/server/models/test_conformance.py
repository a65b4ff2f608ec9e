# SPDX-License-Identifier: GPL-3.0-or-later
"""What every backbone promises, whatever is inside it: one suite over the tiny checkpoints of all layouts and the shipped.

What only one model has (its text encoder's traps, its schedule's table) is in the test file of its adapter.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch

from server.audio import Clip
from server.methods.fitting import fit, unfit
from server.models import tiny
from server.models.base import Backbone
from server.models.loading import load
from server.sampling.guide import guided
from server.sampling.noise import GivenNoise, KeyedNoise
from server.sampling.ping_pong import ping_pong
from server.sampling.solve import State, solve
from tests.server.models.references import REFERENCES, SECONDS, step_noise

LAYOUTS = [*tiny.LAYOUTS, "patches"]
TRAINED = list(tiny.LAYOUTS)  # `patches` has no network to compare or to put into half precision
SHIPPED = ["embedded", "mosaic", "waveform"]
PROMPT, LONGER = "glass bells", "rain on a tin roof, far away"
# The shipped waveform model reads the clip alone; the tiny ones of its layout as well, so that toy clips stay toys.
CROPPED = {"stable_audio": {"window": "cropped"}, "stable_audio_small": {"window": "cropped"}}


@pytest.fixture(params=LAYOUTS)
def backbone(request, tiny_backbone) -> Backbone:
    return tiny_backbone(request.param, **CROPPED.get(request.param, {}))


@pytest.fixture(params=LAYOUTS + SHIPPED)
def any_backbone(request, tiny_backbone) -> Backbone:
    if request.param in SHIPPED:
        return shipped(request.param)
    return tiny_backbone(request.param, **CROPPED.get(request.param, {}))


@lru_cache
def shipped(name: str) -> Backbone:
    return load(name, device="cpu")


def state(backbone: Backbone, normal, n_items: int = 1, frames: int = 5) -> torch.Tensor:
    return normal(n_items, *backbone.latent_shape(frame_samples(backbone) * frames))


def frame_samples(backbone: Backbone) -> int:
    return round(backbone.facts.sample_rate / backbone.facts.latent_hz)


def close(ours: torch.Tensor, theirs: torch.Tensor, share: float) -> None:
    torch.testing.assert_close(ours, theirs, rtol=share, atol=share * float(theirs.abs().max()))


@torch.no_grad()
def test_any_length_comes_back_exactly_and_the_same_again(any_backbone, normal):
    frame = frame_samples(any_backbone)
    for n_samples in (1, frame - 1, frame, 2 * frame + 117):
        audio = 0.1 * normal(2, any_backbone.facts.channels, n_samples)
        latents = any_backbone.encode(audio)
        assert latents.shape == (2, *any_backbone.latent_shape(n_samples)) and latents.dtype == torch.float32
        assert latents.shape[2] == -(-n_samples // frame), "frames are axis 2"
        sound = any_backbone.decode(latents, n_samples)
        assert sound.shape == audio.shape and sound.dtype == torch.float32 and bool(sound.isfinite().all())
    assert torch.equal(any_backbone.encode(audio), latents) and torch.equal(any_backbone.decode(latents, n_samples), sound)


@torch.no_grad()
def test_a_clip_keeps_gain_length_rate_and_channels(any_backbone):
    swell = np.sin(np.linspace(0.0, np.pi, 4410)) * np.random.default_rng(0).normal(size=(2, 4410))
    loud = Clip(0.3 * swell, 22050)
    quiet = Clip(loud.samples / 16, 22050)
    back = []
    for clip in (loud, quiet):
        fitted = fit(clip, any_backbone, "the clip")
        back.append(unfit(any_backbone.decode(any_backbone.encode(fitted.audio), fitted.n_samples), fitted, any_backbone))
    assert all((c.sample_rate, c.samples.shape) == (22050, (2, 4410)) for c in back)
    np.testing.assert_allclose(back[1].samples * 16, back[0].samples, atol=1e-4 * np.abs(back[0].samples).max())


@torch.no_grad()
def test_a_batch_equals_its_items_at_their_own_levels_and_prompts(any_backbone, normal):
    x, levels = state(any_backbone, normal, 3), any_backbone.levels(10)
    prompts = [any_backbone.condition(p, 1.0) for p in (PROMPT, None, LONGER)]
    together = any_backbone.denoise(x, levels.at([1, 4, 9]), prompts)
    assert together.shape == x.shape and together.dtype == torch.float32
    for item, index in enumerate((1, 4, 9)):
        alone = any_backbone.denoise(x[item : item + 1], levels.at(index), prompts[item : item + 1])
        close(together[item : item + 1], alone, 1e-4)
        assert torch.equal(alone, any_backbone.denoise(x[item : item + 1], levels.at(index), prompts[item : item + 1]))


@torch.no_grad()
def test_guidance_0_is_the_null_prompt_1_the_prompt_and_beyond_what_lies_on_their_line(backbone, normal):
    x, level = state(backbone, normal), backbone.levels(10).at(5)
    text, null = backbone.condition(PROMPT, 1.0), backbone.condition(None, 1.0)
    c, u = (backbone.denoise(x, level, [one]) for one in (text, null))
    assert (c - u).abs().max() > 0, "the test would not see a prompt"
    for weight, expected in ((0.0, u), (1.0, c), (3.5, u + 3.5 * (c - u))):
        close(guided(backbone, [text], [null], weight)(x, level), expected, 1e-4)


@pytest.mark.parametrize("layout", TRAINED)
def test_the_null_prompt_is_what_training_dropped_to(tiny_backbone, layout):
    """The encoding of the empty text; for Stable Audio zero tokens, timing tokens included, with the global timing kept."""
    backbone = tiny_backbone(layout, **CROPPED.get(layout, {}))
    null, empty, text = (backbone.condition(p, 1.0) for p in (None, "", PROMPT))
    assert len({null.key, empty.key, text.key}) == 3 and backbone.condition(PROMPT, 1.0) is text
    if layout.startswith("stable_audio"):
        assert not null.tensors["tokens"].any() and empty.tensors["tokens"][:, 0].any()
        assert null.tensors["tokens"].shape == text.tensors["tokens"].shape
        assert torch.equal(null.tensors["timing"], text.tensors["timing"])
        assert not torch.equal(backbone.condition(None, 0.5).tensors["timing"], null.tensors["timing"])
        return
    assert all(torch.equal(null.tensors[name], empty.tensors[name]) for name in null.tensors)
    assert any(not torch.equal(text.tensors[name], null.tensors[name]) for name in null.tensors)


@pytest.mark.filterwarnings("ignore:.*LDM.*:FutureWarning", "ignore:.*deprecated.*:FutureWarning")
@pytest.mark.parametrize("layout", REFERENCES)
def test_a_guided_generation_equals_the_reference_on_the_same_noise(tiny_folder, tiny_backbone, normal, layout):
    backbone, n_steps = tiny_backbone(layout), 4
    weight = 1.0 if layout == "stable_audio_small" else 3.0
    x = normal(1, *backbone.latent_shape(round(SECONDS * backbone.facts.sample_rate)))
    theirs = REFERENCES[layout](tiny_folder(layout), backbone, LONGER, x, n_steps, weight)
    denoise = guided(backbone, [backbone.condition(LONGER, SECONDS)], [backbone.condition(None, SECONDS)], weight)
    levels = backbone.levels(n_steps)
    if backbone.facts.sampler == "ping_pong":
        final = ping_pong(denoise, State(x), levels, noise=GivenNoise(dict(enumerate(step_noise(x, n_steps)))))
    else:
        final = solve(denoise, State(x), levels, noise=GivenNoise({}), solver="ode", order=1)
    with torch.no_grad():
        ours = backbone.decode(final.x, theirs.shape[-1])
    delay = getattr(backbone, "delay", 0)  # the references leave the vocoder's delay in
    close(ours[..., : theirs.shape[-1] - delay], theirs[..., delay:], 1e-4)


# The pipeline's noise source grumbles about the rounding of its own first and last level.
@pytest.mark.filterwarnings("ignore:Should have t[ab]:UserWarning")
def test_stable_audio_s_generation_equals_its_pipeline_s(tiny_folder, tiny_backbone, by_diffusers_and_by_us):
    folder, backbone = tiny_folder("stable_audio"), tiny_backbone("stable_audio")
    theirs, ours = by_diffusers_and_by_us(folder, backbone, PROMPT, 1.3, n_steps=4)
    assert theirs.shape == (1, 2, int(1.3 * 44100))
    close(ours, theirs, 1e-4)


def test_the_same_seed_gives_the_same_latents_and_another_seed_others(backbone):
    levels, shape = backbone.levels(3, "even"), backbone.latent_shape(12 * frame_samples(backbone))
    null = backbone.condition(None, 1.0)

    def latents(*seeds: int) -> torch.Tensor:
        noises = [KeyedNoise(seed) for seed in seeds]
        walk = ping_pong if backbone.facts.sampler == "ping_pong" else solve
        return torch.cat([walk(lambda x, level: backbone.denoise(x, level, [null]), State(noise.initial(shape)), levels,
                               noise=noise).x for noise in noises])

    once, again, other = latents(1, 1, 2)
    assert torch.equal(once, again) and (once - other).abs().max() > 1e-3


def test_gradients_reach_latents_through_the_decoder_and_the_state_through_the_network(backbone, normal):
    latents = state(backbone, normal).requires_grad_()
    backbone.decode(latents, 3 * frame_samples(backbone)).square().mean().backward()
    assert torch.isfinite(latents.grad).all() and latents.grad.any()
    x = state(backbone, normal).requires_grad_()
    backbone.denoise(x, backbone.levels(10).at(5), [backbone.condition(PROMPT, 1.0)]).square().mean().backward()
    assert torch.isfinite(x.grad).all() and x.grad.any()
    assert not any(p.requires_grad for p in backbone.network.parameters())


def test_the_decoder_s_gradient_is_its_slope(backbone, normal):
    """Along itself, where rounding disturbs least, against central differences: what guidance by gradients stands on."""
    latents, n_samples = state(backbone, normal), 5 * frame_samples(backbone)
    weights = normal(1, backbone.facts.channels, n_samples)

    def response(x: torch.Tensor) -> torch.Tensor:
        return (backbone.decode(x, n_samples) * weights).sum(dtype=torch.float64)

    x = latents.clone().requires_grad_()
    response(x).backward()
    slope = float(x.grad.norm())
    step = 1e-3 * float(latents.norm())
    with torch.no_grad():
        up, down = (response(latents + sign * step * x.grad / slope) for sign in (1.0, -1.0))
    assert slope > 0.0 and float(up - down) / (2 * step) == pytest.approx(slope, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize("layout", TRAINED)
def test_half_precision_is_the_denoiser_s_alone_and_stays_near(tiny_folder, tiny_backbone, normal, layout):
    half = load(str(tiny_folder(layout)), device="cpu", dtype="bfloat16", **CROPPED.get(layout, {}))
    single = tiny_backbone(layout, **CROPPED.get(layout, {}))
    assert torch.bfloat16 in {p.dtype for p in half.network.parameters()}
    audio = 0.1 * normal(1, single.facts.channels, 3 * frame_samples(single))
    assert torch.equal(half.encode(audio), single.encode(audio)), "the autoencoder stays in float32"
    x, level = state(single, normal), single.levels(10).at(6)
    answers = [b.denoise(x, level, [b.condition(PROMPT, 1.0)]) for b in (half, single)]
    assert answers[0].dtype == torch.float32
    assert (answers[0] - answers[1]).norm() / answers[1].norm() < 0.05
    walk = ping_pong if single.facts.sampler == "ping_pong" else solve
    levels = single.levels(4, "even")
    final = [walk(lambda x, level, b=b: b.denoise(x, level, [b.condition(PROMPT, 1.0)]), State(x), levels,
                  noise=KeyedNoise(1)).x for b in (half, single)]
    assert (final[0] - final[1]).norm() / final[1].norm() < 0.05, "nor does it add up over a render"


def test_levels_begin_in_noise_and_answer_to_their_number(backbone):
    for schedule in ("model", "even"):
        levels = backbone.levels(7, schedule)
        assert levels.n_steps == 7 and float(levels.snr_db[0]) < -15.0
    assert levels.sigma[-1] == 0
