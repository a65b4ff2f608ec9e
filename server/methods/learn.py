# SPDX-License-Identifier: GPL-3.0-or-later
"""learn: fine-tune the network until the prompt recalls one clip (Abstract Sound Fusion, section 3.3).

A model that can keep a clip as it is (`Remembering`) does so instead, at once; what follows is about the others.

The paper gives no recipe; this is ours. One item in four is trained under the null prompt, because the second phase of a
fusion is unprompted and the reference has to survive in it through the network. The error is measured in the clean
latents, not in the noise: at the noisiest levels, where sampling decides what the sound will be, the noise is predicted
well without knowing the sound at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from server.audio import Clip, fold_mono
from server.kinds.generate import GenerateOptions
from server.kinds.learn import LearnOptions
from server.methods import adapters
from server.methods.context import Context, Output, Progress
from server.methods.fitting import Fitted, fit, unfit
from server.methods.generate import sample
from server.methods.provenance import provenance
from server.models.base import Backbone, Conditioning, Remembering
from server.models.windowed import Windowed
from server.sampling.noise import KeyedNoise

NULL_SHARE = 0.25
SNR_FLOOR, SNR_CAP = 0.2, 5.0
"""Weight of |x0 - x0hat|^2 is the SNR within these."""
CLEANEST_DB = 12.0
RECALL_STEPS = 50
_WARM_UP = 10
_LEVELS = 200


def run(clips: Mapping[str, Clip], options: LearnOptions, context: Context) -> list[Output]:
    """A palette entry (`adapter`), and what its prompt sounds like now (`recalled`).

    Raises:
        InvalidInput: the clip is silent or too short.
    """
    backbone = context.backbone(options.backbone)
    seed = context.seed(options.seed)
    clip = fold_mono(clips["clip"]) if backbone.facts.channels == 1 else clips["clip"]
    fitted = fit(clip, backbone, "the clip")
    learnt = _remembered if isinstance(backbone, Remembering) else _trained
    weights, how, recalled = learnt(backbone, fitted, options, seed, context)
    card = _card(backbone, options, seed, context.digests.get("clip", "")) | how
    made = provenance(backbone, options, seed) | {"form": how["form"]}
    if losses := how["losses"]:
        made |= {"loss_first": losses[0], "loss_last": losses[-1]}
    return [
        Output("adapter", options.name, data=adapters.entry_bytes(weights, card), media="application/x-safetensors",
               provenance=made),
        Output("recalled", f"{options.name}_recalled", recalled, provenance=made),
    ]


Learnt = tuple[dict[str, Tensor], dict[str, Any], Clip]
"""What is kept, what the card says of how it was learned, and what the prompt recalls."""


def _remembered(backbone: Remembering, fitted: Fitted, options: LearnOptions, seed: int, context: Context) -> Learnt:
    with torch.no_grad():
        memory = backbone.remember(backbone.encode(fitted.audio[:1])[0])
    with adapters.remembered(backbone, memory):
        return memory, {"form": "memory", "losses": []}, _recall(backbone, fitted, options, seed, context)


def _trained(backbone: Backbone, fitted: Fitted, options: LearnOptions, seed: int, context: Context) -> Learnt:
    form = "full" if options.full else "lora"
    with adapters.adapted(backbone, form, options.rank, seed=seed) as adapter:
        losses = train(backbone, adapter, fitted, options, seed, context)
        how = {"form": form, "rank": options.rank, "learn_steps": options.learn_steps, "learn_rate": options.learn_rate,
               "learn_batch": options.learn_batch, "losses": losses}
        return adapter.weights(), how, _recall(backbone, fitted, options, seed, context)


def train(backbone: Backbone, adapter: adapters.Adapted, fitted: Fitted, options: LearnOptions, seed: int,
          context: Context) -> list[float]:
    """Train the adapter on one clip; the loss of each tenth of the way (means), oldest first.

    Of a clip that is longer than the model's window, every item of a batch is a window drawn at random.
    """
    with torch.no_grad():
        clip = backbone.encode(fitted.audio[:1])
    levels = backbone.levels(_LEVELS, "even")
    learned = levels.index_at_snr_db(CLEANEST_DB)
    prompts = [backbone.condition(p, fitted.source.duration_s) for p in (options.prompt, None)]
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=options.learn_rate, weight_decay=0.0)
    seen: list[float] = []
    for step in range(options.learn_steps):
        context.on_step(Progress(step, options.learn_steps, "learning"))
        for group in optimizer.param_groups:
            group["lr"] = options.learn_rate * _rate(step, options.learn_steps)
        x0 = _windows(clip, backbone, options.learn_batch, draw)
        level = levels.at(torch.randint(learned + 1, (options.learn_batch,), generator=draw).tolist())
        noise = torch.randn(x0.shape, generator=draw).to(x0)
        alpha, sigma = level.factors(x0)
        x0hat = backbone.denoise(alpha * x0 + sigma * noise, level, _drawn(prompts, options.learn_batch, draw))
        loss = torch.mean(((alpha / sigma) ** 2).clamp(SNR_FLOOR, SNR_CAP) * (x0 - x0hat) ** 2)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimizer.step()
        seen.append(loss.detach())
    return _tenths(torch.stack(seen))


def _windows(clip: Tensor, backbone: Backbone, n: int, draw: torch.Generator) -> Tensor:
    """The clip's latents [1, channels, frames, ...] n times, or n windows of them."""
    spare = clip.shape[2] - backbone.window_frames if isinstance(backbone, Windowed) else 0
    if spare <= 0:
        return clip.expand(n, *clip.shape[1:])
    starts = torch.randint(spare + 1, (n,), generator=draw).tolist()
    return torch.cat([clip[:, :, start : start + clip.shape[2] - spare] for start in starts])


def _drawn(prompts: Sequence[Conditioning], n: int, draw: torch.Generator) -> list[Conditioning]:
    """The prompt, or for NULL_SHARE of the items the null prompt."""
    return [prompts[int(u < NULL_SHARE)] for u in torch.rand(n, generator=draw).tolist()]


def _rate(step: int, n_steps: int) -> float:
    """Linear warm-up, then half a cosine down to a tenth."""
    return min(1.0, (step + 1) / _WARM_UP) * (0.55 + 0.45 * math.cos(math.pi * step / n_steps))


def _tenths(losses: Tensor) -> list[float]:
    return [round(float(part.mean()), 5) for part in losses.float().cpu().chunk(10)]


def _recall(backbone: Backbone, fitted: Fitted, options: LearnOptions, seed: int, context: Context) -> Clip:
    """The learned prompt, sampled from noise at the clip's length."""
    asked = GenerateOptions(prompt=options.prompt, guidance=1.0, steps=RECALL_STEPS)
    latents = sample(backbone, options.prompt, asked, fitted.n_samples, KeyedNoise(seed), context)
    with torch.no_grad():
        return unfit(backbone.decode(latents, fitted.n_samples), fitted, backbone)


def _card(backbone: Backbone, options: LearnOptions, seed: int, digest: str) -> dict[str, Any]:
    facts = backbone.facts
    return {"schema": 1, "name": options.name, "prompt": options.prompt, "backbone": facts.name, "layout": facts.layout,
            "revision": facts.revision, "seed": seed, "clip": digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds")}
