# SPDX-License-Identifier: GPL-3.0-or-later
"""Does moving the intervention move the sound? Pairs of recordings, fused at levels across the window.

    python benchmarks/fusion_window.py RECORDINGS [--pairs 8] [--levels 8] [--from -24] [--to 12] [--fuse NAME=VALUE ...]

For each pair: Spearman's rank correlation of the level with the likeness to the original (should rise: 1) and to the
reference (should fall: -1), and the shares at both ends of the window. `--fuse reference=learn` and the like choose the
variant; the medians decide the defaults.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from in_process import Studio
from recordings import drawn


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation, without ties."""
    return float(np.corrcoef(x.argsort().argsort(), y.argsort().argsort())[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--backbone", default="embedded")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--levels", type=int, default=8)
    parser.add_argument("--from", type=float, default=-24.0, dest="low")
    parser.add_argument("--to", type=float, default=12.0, dest="high")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--fuse", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    studio = Studio(arguments.backbone)
    options = dict(pair.split("=") for pair in arguments.fuse)
    levels = np.linspace(arguments.low, arguments.high, arguments.levels)
    chosen = drawn(arguments.recordings, 2 * arguments.pairs, seed=2)
    rows, curves = [], []
    print(f"{'original':20} {'reference':20} {'rise':>5} {'fall':>5}   original share, reference share by level")
    for original, reference in zip(chosen[::2], chosen[1::2], strict=True):
        clips = {"original": original.clip(arguments.seconds), "reference": reference.clip(arguments.seconds)}
        named = {"prompt": reference.label} if options.get("reference") in ("learn", "prompt") else {}
        if options.get("reference") == "learn":
            studio("learn", {"clip": clips["reference"]}, name="entry", seed=0, **named)
            named["adapter"] = "entry"
        outputs = studio("fuse", clips, seed=0, snr_db=tuple(levels), **named, **options)
        found = [output.provenance["likeness"] for output in outputs]
        toward, away = (np.array([f[name] for f in found]) for name in ("original", "reference"))
        rows.append((spearman(levels, toward), spearman(levels, away)))
        curves.append([[f.get("original_share", np.nan), f.get("reference_share", np.nan)] for f in found])
        shown = " ".join(f"{o:+.2f}/{r:+.2f}" for o, r in curves[-1])
        names = f"{original.label[:20]:20} {reference.label[:20]:20}"
        print(f"{names} {rows[-1][0]:5.2f} {rows[-1][1]:5.2f}   {shown}", flush=True)
    rise, fall = np.median(rows, axis=0)
    middle = np.nanmedian(curves, axis=0)
    print(f"{options or 'defaults'}: median Spearman {rise:.2f} to the original, {fall:.2f} to the reference")
    print("median shares by level: " + "  ".join(f"{level:+.0f} dB {o:+.2f}/{r:+.2f}"
                                                for level, (o, r) in zip(levels, middle, strict=True)))


if __name__ == "__main__":
    main()
