"""Stage `text`: a pretrained sentence encoder becomes the text tower, by captions and related words alone.

The noise predictor hears nothing of a prompt but its vector, so the vector must say the class and the adjectives, keep
what else the encoder knows of the phrase, and lead words that no caption holds to the class that they are nearest to.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import text_pooling
from .augment import Mixing, Sampler
from .corpus import Corpus
from .free_phrases import agreement
from .loop import Settings
from .text_tower import TEXT_DIMENSION, TextTower, clap_of_bert, make_tokenizer, read_bert, sentence_vectors
from .thesaurus import THESAURUS
from .vocabulary import ADJECTIVES, DAMAGES, TEMPLATES
from .wordpieces import in_order, keep

LAYERS = (0, 2, 4, 5)  # of six; of all choices of four, the sentence vectors stay nearest with these (cosine 0.91)
SHARPNESS = 12.0  # scale of the cosines between texts, classes and adjectives
SOFTNESS = 0.05  # cosines that differ by this differ in class by a factor e
EMPTY = 32  # every so many texts, one is the empty prompt
QUALITIES = {**ADJECTIVES, **DAMAGES}


@dataclass(frozen=True)
class TextPlan:
    """Sizes of the stage; the defaults take some minutes on one core.

    common, near, endings: word pieces to keep (`wordpieces.keep`). captions, phrases, words: texts to learn from: captions
    of the corpus, phrases from the thesaurus, phrases of any words. epochs: of the pooler. steps: of the projection.
    """

    common: int = 1500
    near: int = 2100
    endings: int = 1000
    captions: int = 4000
    phrases: int = 4000
    words: int = 5000
    epochs: int = 3
    steps: int = 1500
    batch: int = 256


@dataclass(frozen=True)
class Lesson:
    """The classes each text names `[texts, classes + 1]` (rows sum to 1; the last is no prompt), its adjectives (0, 1)."""

    classes: Tensor
    adjectives: Tensor


def qualities_of(texts: list[str]) -> Tensor:
    """Which of `QUALITIES` each text says, `[texts, qualities]` of 0 and 1."""
    said = [re.compile(rf"\b({'|'.join(map(re.escape, words))})\b") for words in QUALITIES.values()]
    return torch.tensor([[float(bool(pattern.search(text))) for pattern in said] for text in texts])


def captions_of(sampler: Sampler, rng: np.random.Generator, count: int) -> tuple[list[str], Tensor]:
    """Captions of single and mixed items with the classes heard, `[count, classes]`, rows summing to 1."""
    draw = sampler.draw(rng, count)
    heard = sampler.heard(draw, count)
    return draw.captions, heard / heard.sum(1, keepdim=True)


def worded(rng: np.random.Generator, noun: str) -> str:
    """A noun with up to two adjectives, before or behind it, in a caption's template."""
    picked = rng.permutation(list(ADJECTIVES))[:rng.choice(3, p=(0.5, 0.3, 0.2))]
    words = [str(rng.choice(ADJECTIVES[key])) for key in picked]
    text = " ".join([*words, noun]) if rng.random() < 0.6 else ", ".join([noun, *words])
    return str(rng.choice(TEMPLATES)).replace("{x}", text)


def nouns_of(corpus: Corpus) -> list[tuple[str, int]]:
    """Phrases and related words of the classes in use, each with the place of its class among them."""
    used = [corpus.known[index] for index in sorted(corpus.classes)]
    return [(noun, place) for place, sound in enumerate(used)
            for noun in (*sound["phrases"], sound["name"], *THESAURUS.get(sound["name"], ()))]


def nearest_classes(vectors: Tensor, anchors: Tensor, anchor_classes: Tensor) -> Tensor:
    """Shares of the classes for sentence vectors, from each class's three nearest anchors, `[texts, classes]`."""
    cosines = vectors @ anchors.T
    per_class = [cosines[:, anchor_classes == k].topk(min(3, int((anchor_classes == k).sum())), 1).values.mean(1)
                 for k in range(int(anchor_classes.max()) + 1)]
    return (torch.stack(per_class, 1) / SOFTNESS).softmax(1)


class Projection(nn.Module):
    """The tower's projection and what reads its vector in training: directions of classes and adjectives, a way back."""

    def __init__(self, projection: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.projection = projection
        self.classes = nn.Parameter(torch.randn(classes, TEXT_DIMENSION))
        self.adjectives = nn.Parameter(torch.randn(len(QUALITIES), TEXT_DIMENSION))
        self.bias = nn.Parameter(torch.full((len(QUALITIES),), -3.0))
        self.back = nn.Linear(TEXT_DIMENSION, width)

    def error(self, pooled: Tensor, wanted: Tensor, classes: Tensor, adjectives: Tensor) -> Tensor:
        """What is wrong with the vectors of a batch: their class, their adjectives, what they lost of the phrase."""
        vector = F.normalize(self.projection(pooled), dim=-1)
        class_error = F.cross_entropy(SHARPNESS * vector @ F.normalize(self.classes, dim=-1).T, classes)
        said = SHARPNESS * vector @ F.normalize(self.adjectives, dim=-1).T + self.bias
        adjective_error = F.binary_cross_entropy_with_logits(said, adjectives)
        lost = 1 - F.cosine_similarity(self.back(vector), wanted).mean()
        return class_error + 4 * adjective_error + lost


def teach_projection(tower: TextTower, pooled: Tensor, lesson: Lesson, seed: int, plan: TextPlan) -> float:
    """Train the tower's projection in place on what its pooler gives of the texts, the empty one first.

    Returns the error at the end.
    """
    width = pooled.shape[1]
    noise = 0.5 * text_pooling.GAIN / width**0.5  # half the vector's length: phrases nobody wrote lie around those here
    torch.manual_seed(seed)
    heads = Projection(tower.encoder.text_projection, width, lesson.classes.shape[1])
    heads.requires_grad_(True)
    optimiser = torch.optim.AdamW(heads.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, max(2, plan.steps), pct_start=0.1)
    errors = []
    for _ in range(plan.steps):
        rows = torch.randint(0, len(pooled), (plan.batch,))
        rows[::EMPTY] = 0
        seen = pooled[rows] + noise * torch.rand(len(rows), 1) * torch.randn(len(rows), width)
        error = heads.error(seen, pooled[rows], lesson.classes[rows], lesson.adjectives[rows])
        optimiser.zero_grad(set_to_none=True)
        error.backward()
        optimiser.step()
        schedule.step()
        errors.append(float(error.detach()))
    tower.encoder.requires_grad_(False)
    return float(np.mean(errors[-50:]))


@dataclass(frozen=True)
class Reading:
    """All texts of the stage; the first is the empty one. Captions, then phrases (nouns alone first), then free words."""

    captions: list[str]
    heard: Tensor
    phrases: list[str]
    places: Tensor
    nouns: int
    free: list[str]

    @property
    def texts(self) -> list[str]:
        """All of them, in the order of `classes`."""
        return ["", *self.captions, *self.phrases, *self.free]

    def classes(self, sentences: Tensor) -> Tensor:
        """The classes each text names, `[texts, classes + 1]`, given the sentence vectors of the texts."""
        start, count = 1 + len(self.captions), self.heard.shape[1]
        anchors = sentences[start:start + self.nouns]
        of_free = nearest_classes(sentences[start + len(self.phrases):], anchors, self.places[:self.nouns])
        named = torch.cat([self.heard, F.one_hot(self.places, count).float(), of_free])
        return torch.cat([F.one_hot(torch.tensor([count]), count + 1).float(), F.pad(named, (0, 1))])


def read(corpus: Corpus, words: list[str], rng: np.random.Generator, plan: TextPlan) -> Reading:
    """Draw the texts of the stage; `words` are any words, of which free phrases are made."""
    sampler = Sampler(corpus, corpus.of_split("train"), Mixing(0.3, 0.05, 0.0, 0.2))
    captions, heard = captions_of(sampler, rng, plan.captions)
    nouns = nouns_of(corpus)
    picked = nouns + [nouns[i] for i in rng.integers(0, len(nouns), plan.phrases)]
    phrases = [noun for noun, _ in nouns] + [worded(rng, noun) for noun, _ in picked[len(nouns):]]
    free = [str(rng.choice(words)) if rng.random() < 0.5 else worded(rng, " ".join(map(str, rng.choice(words, 2))))
            for _ in range(plan.words)]
    return Reading(captions, heard, phrases, torch.tensor([place for _, place in picked]), len(nouns), free)


def train_text(corpus: Corpus, work: Path, settings: Settings, minilm: Path,
               plan: TextPlan | None = None) -> dict[str, float]:
    """Make `work/text_encoder` and `work/tokenizer` from the BERT in the folder `minilm`; runs on the CPU, some minutes.

    Returns the cosine of the tower's reading to the BERT's, the error at the end and, where the classes are those of the
    built-in vocabulary, its `agreement` on free phrases. Raises what `read_bert` raises.
    """
    plan = plan or TextPlan()
    rng = np.random.default_rng([settings.seed, 96])
    torch.manual_seed(settings.seed)
    bert, old_tokenizer = read_bert(minilm)
    own = [noun for noun, _ in nouns_of(corpus)] + [word for words in QUALITIES.values() for word in words]
    own += TEMPLATES
    own += sorted({phrase for item in corpus.items for phrase in item["phrases"]})
    kept, words = keep(bert, old_tokenizer, own, plan.common, plan.near, plan.endings)
    pieces = in_order(old_tokenizer)
    tower = TextTower(clap_of_bert(bert, LAYERS, kept), make_tokenizer([pieces[i] for i in kept]))
    reading = read(corpus, words, rng, plan)
    texts = reading.texts
    sentences = sentence_vectors(bert, old_tokenizer, texts)
    pooled = text_pooling.teach_pooling(tower, texts, sentences, settings.seed, plan.epochs)
    error = teach_projection(tower, pooled, Lesson(reading.classes(sentences), qualities_of(texts)), settings.seed, plan)
    tower.save(work)
    return {"cosine": float(F.cosine_similarity(pooled, sentences).mean()), "error": error,
            **agreement(TextTower.load(work), [corpus.known[index] for index in sorted(corpus.classes)])}
