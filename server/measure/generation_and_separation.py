# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a model that generates better separate better? ZeroSep's figure 3b and c, of evaluations that exist.

    python -m server.measure.generation_and_separation EVALUATION EVALUATION [...]

Every EVALUATION is a folder of `athanor evaluate MODEL --parts separation -o EVALUATION` of another model, all measured
alike. The paper brings every score of its table 2 to 0..1 over the models and holds their mean against the model's FAD as a
generator, brought to 0..1 likewise; it plots that without naming a value. Here 1 is the best of the models and 0 the worst.
Figure 3b is of instruments (MUSIC), 3c of events (AVE): what a folder holds is what `--data` was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from server.errors import InvalidInput
from server.measure import zerosep

FIGURES = "figures.json"
BETTER = {"frechet": -1, "stages": -1, "agreement": 1, "text": 1}
"""The scores of a row of the comparisons, and whether more (1) or less (-1) is better."""
INVERSIONS = ("ddim", "ddpm")
FEWEST = 3
"""Models that a correlation takes: of two it is 1 or -1 whatever they do."""


def normalised(values: Sequence[float], better: int) -> np.ndarray:
    """0 for the worst and 1 for the best of the values; 1 for all where they do not differ."""
    signed = better * np.array(values, float)
    low, high = signed.min(), signed.max()
    return np.ones_like(signed) if high == low else (signed - low) / (high - low)


def joined(scores: Sequence[Mapping[str, float]], better: Mapping[str, int]) -> np.ndarray:
    """Of every model, the mean of its normalised scores; those that one of them lacks are left out."""
    shared = [name for name in better if all(name in one for one in scores)]
    return np.mean([normalised([one[name] for one in scores], better[name]) for name in shared], axis=0)


def compared(folders: Sequence[Path]) -> dict[str, Any]:
    """Names, Frechet distance as a generator and joined scores of separation under each inversion.

    Raises:
        InvalidInput: a folder without such figures, or evaluations that were not measured alike.
    """
    read = [_read(folder) for folder in folders]
    found = [one["parts"]["separation"]["figures"] for one in read]
    said = {json.dumps([one["seed"], one["quick"], figures["plan"], figures["embedding"], figures["generation"]["against"],
                        [row["name"] for row in figures["mixtures"]]]) for one, figures in zip(read, found, strict=True)}
    if len(said) > 1:
        raise InvalidInput("The evaluations differ in seed, sizes, mixtures or embedding: measure all models alike.")
    frechet = [figures["generation"]["frechet"] for figures in found]
    generation = normalised(frechet, -1)
    separation = {name: joined([figures["compared"][name] for figures in found], BETTER) for name in INVERSIONS}
    enough = len(found) >= FEWEST
    return {"models": [one["model"]["name"] for one in read], "frechet": frechet, "generation": generation.tolist(),
            "separation": {name: scores.tolist() for name, scores in separation.items()},
            "gain_db": {name: [figures["compared"][name]["gain_db"] for figures in found] for name in INVERSIONS},
            "correlation": {name: round(_correlation(generation, scores), 3) if enough else None
                            for name, scores in separation.items()}}


def _read(folder: Path) -> dict[str, Any]:
    try:
        figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        measured = figures["parts"]["separation"]["figures"]
        if measured["generation"] and all(name in measured["compared"] for name in INVERSIONS):
            return figures
    except (OSError, ValueError, KeyError):
        pass
    raise InvalidInput(f"{folder} holds no separation with its comparisons; measure it by `athanor evaluate MODEL --parts "
                       f"separation --held-out DIR -o {folder}`.")


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one of them does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def lines(found: Mapping[str, Any]) -> list[str]:
    """The table, the correlation, and the paper's models by the same joined score."""
    made = ["| model | Frechet, generated | generation, 0 to 1 | " + " | ".join(
        f"separation by {name}, 0 to 1 | gain, dB" for name in INVERSIONS) + " |", "|---" * 7 + "|"]
    for k, model in enumerate(found["models"]):
        both = " | ".join(f"{found['separation'][name][k]:.2f} | {found['gain_db'][name][k]:.2f}" for name in INVERSIONS)
        made.append(f"| {model} | {found['frechet'][k]:.3f} | {found['generation'][k]:.2f} | {both} |")
    told = [f"{name} {value:+.2f}" for name, value in found["correlation"].items() if value is not None]
    made += ["", "Correlation of generation and separation: " + (", ".join(told) if told else
             f"not said of fewer than {FEWEST} models") + ". The paper: positive, no value is named.", "",
             "Published, the same joined score of table 2:", "", "| model | " + " | ".join(
                 f"{data}, {name}" for data in zerosep.TABLE_2 for name in INVERSIONS) + " |", "|---" * 5 + "|"]
    columns = [joined([_scores(row) for row in rows[name]], BETTER) for rows in zerosep.TABLE_2.values()
               for name in INVERSIONS]
    return made + [f"| {model} | " + " | ".join(f"{column[k]:.2f}" for column in columns) + " |"
                   for k, model in enumerate(zerosep.MODELS)]


def _scores(row: zerosep.Published) -> dict[str, float]:
    return {"frechet": row.fad, "stages": row.lpaps, "agreement": row.clap_a, "text": row.clap_t}


def main(argv: Sequence[str]) -> int:
    """Print the table."""
    if len(argv) < 2:
        print("usage: python -m server.measure.generation_and_separation EVALUATION EVALUATION [...]", file=sys.stderr)
        return 2
    try:
        print("\n".join(lines(compared([Path(name) for name in argv]))))
    except InvalidInput as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
