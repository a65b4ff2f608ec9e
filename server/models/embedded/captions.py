"""Captions of training clips: noun phrases of what is heard, with adjectives that are true of it."""

import numpy as np

from .vocabulary import ADJECTIVES, DAMAGES, TEMPLATES


def phrase(rng: np.random.Generator, item: dict, name: str, wet: bool) -> str:
    """A noun phrase for one item: its class's name or its own words, sometimes with adjectives that are true of it."""
    noun = str(rng.choice([*item["phrases"], name]))
    known = list(item["words"]) + (["wet"] if wet else [])
    if known and rng.random() < 0.55:
        words = [str(rng.choice(ADJECTIVES[w])) for w in rng.permutation(known)[:int(rng.integers(1, 3))]]
        if rng.random() < 0.6 and not any(w.startswith("in ") for w in words):
            article, bare = ("a ", noun[noun.index(" ") + 1:]) if noun.startswith(("a ", "an ")) else ("", noun)
            return f"{article}{' '.join(words)} {bare}"
        return f"{noun}, {', '.join(words)}"
    return noun


def caption(rng: np.random.Generator, items: list[dict], names: list[str], wet: bool, damage: str = "") -> str:
    """A caption of one to three items heard together, by their classes' `names`; a `damage` (key of `DAMAGES`) is told."""
    parts = [phrase(rng, item, name, wet) for item, name in zip(items, names, strict=True)]
    joined = str(rng.choice([" and ", " with ", ", "] if len(parts) == 2 else [" and ", ", "])).join(parts)
    said = str(rng.choice(TEMPLATES)).replace("{x}", joined) if len(parts) == 1 else joined
    return f"{said}, {rng.choice(DAMAGES[damage])}" if damage else said
