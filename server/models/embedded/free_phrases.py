"""How well a text tower places phrases that it was never taught: `free_phrases.csv`, each with its class."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .vocabulary import CLASSES, described

LIST = Path(__file__).with_name("free_phrases.csv")
KNOWN = tuple(described(sound) for sound in CLASSES)
Vectors = Callable[[Sequence[str]], Tensor]  # prompts to unit vectors [prompts, width]


def read_phrases() -> list[tuple[str, frozenset[str]]]:
    """The phrases, each with the classes that count as right."""
    with LIST.open(encoding="utf-8", newline="") as stream:
        return [(row["phrase"], frozenset(row["classes"].split("|"))) for row in csv.DictReader(stream)]


def prototypes(vectors: Vectors, classes: Sequence[dict]) -> Tensor:
    """One unit vector per class, the mean of those of its phrases, `[classes, width]`."""
    return F.normalize(torch.stack([vectors([*c["phrases"], c["name"]]).mean(0) for c in classes]), dim=-1)


def ranked(vectors: Vectors, prompts: Sequence[str], classes: Sequence[dict] = KNOWN) -> list[list[str]]:
    """Class names for each prompt, nearest first."""
    order = (vectors(prompts) @ prototypes(vectors, classes).T).argsort(1, descending=True)
    return [[classes[index]["name"] for index in row] for row in order.tolist()]


def agreement(vectors: Vectors, classes: Sequence[dict] = KNOWN) -> dict[str, float]:
    """Shares of the free phrases whose right class comes first (`top1`), among three (`top3`), and their number.

    `classes` are described as in `vocabulary.described`. Phrases of classes that are not among them do not count.
    """
    names = {c["name"] for c in classes}
    asked = [(phrase, right & names) for phrase, right in read_phrases() if right & names]
    if not asked:
        return {"phrases": 0}
    places = ranked(vectors, [phrase for phrase, _ in asked], classes)
    first = [min(row.index(name) for name in right) for row, (_, right) in zip(places, asked, strict=True)]
    return {"top1": sum(p == 0 for p in first) / len(first), "top3": sum(p < 3 for p in first) / len(first),
            "phrases": len(first)}
