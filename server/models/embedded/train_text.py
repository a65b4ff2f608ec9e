"""Before the noise predictor: the text tower learns from captions alone which classes they name.

A fresh tower gives nearly the same vector for every text (cosine above 0.99), and a noise predictor that sees no
difference learns to ignore it: after 1000 steps it did. A tower that tells the classes apart is worth having from step 0.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import ClapTextModelWithProjection, PreTrainedTokenizerFast

from .augment import Draw, Sampler
from .networks import TEXT_DIMENSION, text_vector, tokenise

SHARPNESS = 10.0  # scale of the cosines between texts and classes
STEPS, BATCH, LEARNING_RATE = 400, 48, 2e-3


def class_shares(draw: Draw, sampler: Sampler, classes: list[int]) -> Tensor:
    """What each caption of a draw names, `[batch, classes]`, rows summing to 1; an empty caption names all alike."""
    shares = torch.zeros(len(draw.captions), len(classes))
    for row, clip in zip(draw.rows, draw.clips, strict=True):
        shares[clip, classes.index(sampler.corpus.items[row]["class"])] = 1
    for clip, text in enumerate(draw.captions):
        if not text:
            shares[clip] = 1
    return shares / shares.sum(1, keepdim=True)


def teach_text(text_encoder: ClapTextModelWithProjection, tokenizer: PreTrainedTokenizerFast, sampler: Sampler, seed: int,
               steps: int = STEPS, batch: int = BATCH) -> float:
    """Train the tower, in place, to point at the classes of a caption; returns the cross entropy at the end, in nat."""
    device = next(text_encoder.parameters()).device
    classes = sorted({sampler.corpus.items[row]["class"] for row in sampler.rows})
    directions = nn.Parameter(F.normalize(torch.randn(
        len(classes), TEXT_DIMENSION, generator=torch.Generator().manual_seed(seed)), dim=-1).to(device))
    optimiser = torch.optim.AdamW([*text_encoder.parameters(), directions], LEARNING_RATE, weight_decay=1e-3)
    errors = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / 50, (steps - step) / (0.3 * steps))
        draw = sampler.draw(np.random.default_rng([seed, 96, step]), batch)
        ids, mask = (x.to(device) for x in tokenise(tokenizer, draw.captions))
        cosines = text_vector(text_encoder, ids, mask) @ F.normalize(directions, dim=-1).T
        wanted = class_shares(draw, sampler, classes).to(device)
        error = F.cross_entropy(SHARPNESS * cosines, wanted)
        optimiser.zero_grad(set_to_none=True)
        error.backward()
        nn.utils.clip_grad_norm_(text_encoder.parameters(), 1.0)
        optimiser.step()
        errors.append(float(error.detach()))
    return float(np.mean(errors[-20:]))
