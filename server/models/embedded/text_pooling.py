"""Teach a CLAP text tower to say with its first token what a sentence encoder says with the mean of all its tokens.

Only the last layer and the pooler learn, so all that is below them is computed once.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import ClapTextModelWithProjection

from .text_tower import TextTower, by_length

GAIN = 4.0  # length of the vector that the pooler gives: small entries, where its tanh is nearly straight
RIDGE = 1e-3
LEARNING_RATE = 3e-4


@torch.no_grad()
def below_the_last_layer(encoder: ClapTextModelWithProjection, ids: Tensor) -> Tensor:
    """Hidden states `[batch, tokens, width]` that the last layer reads, of texts without padding."""
    hidden = encoder.text_model.embeddings(ids)
    for layer in encoder.text_model.encoder.layer[:-1]:
        hidden = layer(hidden, None)
    return hidden


def start_pooler(encoder: ClapTextModelWithProjection, first: Tensor, wanted: Tensor) -> None:
    """Set the pooler to the best linear map from first tokens `[texts, width]` to `wanted` unit vectors, in closed form."""
    known = torch.cat([first, torch.ones(len(first), 1)], 1).double()
    square = known.T @ known
    square += RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=torch.float64)
    solved = torch.linalg.solve(square, known.T @ (GAIN * wanted).double()).float()
    with torch.no_grad():
        encoder.text_model.pooler.dense.weight.copy_(solved[:-1].T)
        encoder.text_model.pooler.dense.bias.copy_(solved[-1])


def first_of_last_layer(encoder: ClapTextModelWithProjection, hidden: Tensor) -> Tensor:
    """The last layer's answer at the first token alone, `[batch, width]`: a quarter of the work of the whole layer."""
    layer = encoder.text_model.encoder.layer[-1]
    attention, first = layer.attention.self, hidden[:, :1]

    def heads(states: Tensor) -> Tensor:
        return states.unflatten(2, (encoder.config.num_attention_heads, -1)).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(
        heads(attention.query(first)), heads(attention.key(hidden)), heads(attention.value(hidden)))
    mixed = layer.attention.output(mixed.transpose(1, 2).flatten(2), first)
    return layer.feed_forward_chunk(mixed)[:, 0]


def teach_pooling(tower: TextTower, texts: list[str], wanted: Tensor, seed: int, epochs: int) -> Tensor:
    """Train the tower in place so that its pooler gives `wanted` (unit vectors `[texts, width]`) times `GAIN`.

    Returns what the pooler gives of the texts at the end, `[texts, width]`.
    """
    encoder, pooler = tower.encoder, tower.encoder.text_model.pooler
    batches = [(places, below_the_last_layer(encoder, ids)) for places, ids in by_length(tower.tokenizer, texts, 64)]
    order = [place for places, _ in batches for place in places]
    with torch.no_grad():
        start_pooler(encoder, torch.cat([first_of_last_layer(encoder, hidden) for _, hidden in batches]), wanted[order])
    learned = [*encoder.text_model.encoder.layer[-1].parameters(), *pooler.parameters()]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learned, LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, epochs * len(batches) + 1, pct_start=0.1)
    for epoch in range(epochs):
        for number in np.random.default_rng([seed, epoch]).permutation(len(batches)):
            places, hidden = batches[number]
            error = (pooler(first_of_last_layer(encoder, hidden)[:, None]) - GAIN * wanted[places]).square().sum(1).mean()
            optimiser.zero_grad(set_to_none=True)
            (error / GAIN**2).backward()
            optimiser.step()
            schedule.step()
    encoder.requires_grad_(False)
    with torch.no_grad():
        given = torch.cat([pooler(first_of_last_layer(encoder, hidden)[:, None]) for _, hidden in batches])
    return given[torch.tensor(order).argsort()]
