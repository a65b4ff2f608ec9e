"""Stage `t5`: a small T5 learns to say at every token what the text tower says of the whole prompt."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..augment import Mixing, Sampler
from ..corpus import Corpus
from ..free_phrases import agreement
from ..loop import Settings
from ..text_tower import TEXT_DIMENSION, TextTower
from ..train_text import TextPlan, captions_of, read
from ..wordpieces import in_order, is_word
from .text_states import SCALE, TextStates, make_encoder, short_tokenizer, tokens_of

LEARNING_RATE = 2e-3
EMBEDDING_RATE = 0.3  # share of it for the word embeddings, so that words never read stay among those that were
JITTER = 4.0  # tokens by which texts of one batch may differ in length


@dataclass(frozen=True)
class T5Plan:
    """Sizes of the stage; the defaults take about a quarter of an hour on one core.

    captions, phrases, words: texts to learn from, as in `train_text`. strings: of one to three word pieces of any kind.
    held: captions of the test split that the figures are of.
    """

    captions: int = 14000
    phrases: int = 8000
    words: int = 12000
    strings: int = 8000
    held: int = 500
    epochs: int = 10
    batch: int = 128


def texts_of(corpus: Corpus, pieces: list[str], rng: np.random.Generator, plan: T5Plan) -> list[str]:
    """What the stage reads: the empty prompt (one text in a hundred), captions, phrases, phrases of any words, strings."""
    words = [piece for piece in pieces if is_word(piece)]
    texts = read(corpus, words, rng, TextPlan(captions=plan.captions, phrases=plan.phrases, words=plan.words)).texts
    texts += [strung(rng, words, pieces) for _ in range(plan.strings)]
    return texts + [""] * (len(texts) // 100)


def strung(rng: np.random.Generator, words: list[str], pieces: list[str]) -> str:
    """One to three words, half of them continued by a piece from inside words."""
    inside = [piece.removeprefix("##") for piece in pieces if piece.startswith("##")]
    picked = [str(rng.choice(words)) for _ in range(rng.integers(1, 4))]
    return " ".join(word + str(rng.choice(inside)) if inside and rng.random() < 0.5 else word for word in picked)


def start_embedding(table: Tensor, width: int) -> Tensor:
    """The principal components of word embeddings `[pieces, any]` as embeddings `[pieces, width]` of unit variance."""
    centred = table - table.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    components = F.pad(centred @ directions[:width].T, (0, max(0, width - len(directions))))
    return components / components.std()


def batches(lengths: Tensor, batch: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """All places once, in batches of similar length and random order."""
    order = torch.from_numpy(np.argsort(lengths.numpy() + rng.uniform(0, JITTER, len(lengths)))).split(batch)
    return iter([order[i] for i in rng.permutation(len(order))])


def teach(student: TextStates, ids: Tensor, mask: Tensor, wanted: Tensor, seed: int, plan: T5Plan) -> float:
    """Train the student in place so that each state under the mask is `wanted` `[texts, 128]`; the last error."""
    table = student.encoder.shared.weight
    rest = [p for part in (student.encoder, student.projection) for p in part.parameters() if p is not table]
    for parameter in (table, *rest):
        parameter.requires_grad_(True)
    rates = [EMBEDDING_RATE * LEARNING_RATE, LEARNING_RATE]
    optimiser = torch.optim.AdamW([{"params": [table]}, {"params": rest}], weight_decay=1e-2)
    steps = plan.epochs * -(-len(ids) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps + 1, pct_start=0.1)
    for epoch in range(plan.epochs):
        errors = []
        for places in batches(mask.sum(1), plan.batch, np.random.default_rng([seed, epoch])):
            own = mask[places, :int(mask[places].sum(1).max())]
            states = student.states(ids[places, :own.shape[1]], own)
            error = (states - wanted[places, None]).square().mean(2)[own].mean()
            optimiser.zero_grad(set_to_none=True)
            error.backward()
            nn.utils.clip_grad_norm_(rest, 1.0)
            optimiser.step()
            schedule.step()
            errors.append(float(error.detach()))
        print("t5", f"epoch {epoch + 1} of {plan.epochs}: error {np.mean(errors):.4f}", flush=True)
    for parameter in (table, *rest):
        parameter.requires_grad_(False)
    return float(np.mean(errors))


def train_t5(corpus: Corpus, tower: TextTower, out: Path, settings: Settings,
             plan: T5Plan | None = None) -> dict[str, float]:
    """Make the folder `out` of `TextStates.save` over the tower's own word pieces; runs on the CPU.

    Returns the error at the end, the mean cosine between the states and the tower's vectors for held-out captions
    (`captions`), and how tower and student place the free phrases (`agreement`).
    """
    plan = plan or T5Plan()
    rng = np.random.default_rng([settings.seed, 97])
    torch.manual_seed(settings.seed)
    pieces = in_order(tower.tokenizer)
    encoder, tokenizer = make_encoder(len(pieces)), short_tokenizer(pieces)
    with torch.no_grad():
        known = tower.encoder.text_model.embeddings.word_embeddings.weight
        encoder.shared.weight.copy_(start_embedding(known, encoder.config.d_model))
    student = TextStates(encoder, nn.Linear(encoder.config.d_model, TEXT_DIMENSION), tokenizer)
    texts = texts_of(corpus, pieces, rng, plan)
    error = teach(student, *tokens_of(tokenizer, texts), SCALE * tower(texts), settings.seed, plan)
    student.save(out)
    return {"error": error, **figures(corpus, tower, TextStates.load(out), rng, plan.held)}


def figures(corpus: Corpus, tower: TextTower, student: TextStates, rng: np.random.Generator, held: int) -> dict[str, float]:
    """How near the student is to the tower: see `train_t5`."""
    captions, _ = captions_of(Sampler(corpus, corpus.of_split("test"), Mixing(drop=0.0)), rng, held)
    known = [corpus.known[index] for index in sorted(corpus.classes)]
    return {"captions": nearness(tower, student, captions),
            **{f"{who}_{key}": value for who, vectors in (("tower", tower), ("student", student.vectors))
               for key, value in agreement(vectors, known).items()}}


def nearness(tower: TextTower, student: TextStates, prompts: list[str]) -> float:
    """Mean cosine between the student's states and the tower's vectors, over all tokens of all prompts."""
    states, mask = student(prompts)
    cosines = F.cosine_similarity(states, tower(prompts)[:, None], dim=-1)
    return float(cosines[mask].mean())
