# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the cosine of `timbre-1` hear what belongs together?

    python benchmarks/similarity.py RECORDINGS [--fit]

RECORDINGS is a folder of labelled recordings with a `credits.csv` (columns file, label) in each subfolder. Half of the
labels' files, split by source, fit the constants; the other half gives pairs: AUC of same-label against different-label
pairs, files of one source never paired. `--fit` writes the constants and the figure to `server/measure/timbre.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
from recordings import Recording, recordings

from server.audio import read_clip
from server.measure import timbre


def labelled(root: Path) -> list[Recording]:
    """The recordings of labels with at least four sources."""
    every = recordings(root)
    sources = {label: {r.source for r in every if r.label == label} for label in {r.label for r in every}}
    return [r for r in every if len(sources[r.label]) >= 4]


def auc(same: np.ndarray, different: np.ndarray) -> float:
    """Probability that a same-label pair scores above a different-label pair."""
    order = np.argsort(np.concatenate([same, different]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    return float((ranks[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(different)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    rows = labelled(arguments.recordings)
    vectors = np.stack([timbre.features(read_clip(row.path, max_channels=None)) for row in rows])
    sources = sorted({row.source for row in rows})
    fitting = np.array([sources.index(row.source) % 2 == 0 for row in rows])
    mean, deviation = vectors[fitting].mean(axis=0), vectors[fitting].std(axis=0) + 1e-6
    units = np.tanh((vectors - mean) / deviation / 2.0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    same, different = [], []
    for i, j in itertools.combinations(np.flatnonzero(~fitting), 2):
        if rows[i].source != rows[j].source:
            (same if rows[i].label == rows[j].label else different).append(float(units[i] @ units[j]))
    figure = auc(np.array(same), np.array(different))
    print(f"{timbre.NAME}: AUC {figure:.3f} over {len(same)} same-label and {len(different)} different-label pairs, "
          f"{(~fitting).sum()} held-out recordings of {len({rows[i].label for i in np.flatnonzero(~fitting)})} labels; "
          f"median cosine {np.median(same):.2f} against {np.median(different):.2f}")
    if arguments.fit:
        target = Path(timbre.__file__).with_name("timbre.json")
        target.write_text(json.dumps({"name": timbre.NAME, "auc": round(figure, 3), "mean": mean.round(4).tolist(),
                                      "deviation": deviation.round(4).tolist()}) + "\n")


if __name__ == "__main__":
    main()
