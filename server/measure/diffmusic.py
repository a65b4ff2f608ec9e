# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that DiffMusic prints (Liao, Pan and Yang 2024, tables 1 and 2): LSD and FAD, beside which ours stand.

Levels do not compare between models, sounds and damages; orders may. `orders` holds them side by side: of the three
algorithms (table 1), and of each with and without the vocoder mel-spectrogram constraint (table 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ABOUT = (
    "DiffMusic, AudioLDM 2 with 500 steps on 5 s of 100 songs at 16 kHz, gaps of 1 s, VGGish FAD, and for "
    "super-resolution a fifth of the band: other sounds, another model and other damage, so only the order of the rows "
    "compares. Its DPS and DSG take no gradient through the network, its room is drawn anew at every step and does not "
    "decay, its phase retrieval has a rectangular window, and the FAD of IRS in phase retrieval and in separation is "
    "printed the same, 6.2551."
)

ALGORITHMS, WITHOUT = ("irs", "dps", "dsg"), ", no VMC"
Row = Mapping[str, tuple[float, float]]

# (LSD, FAD), by task and row; a row is called as in `restoration`
_INPAINT = {"irs": (0.6341, 4.9896), "dps": (0.6207, 6.4334), "dsg": (0.7699, 13.8478),
            "irs, no VMC": (1.1407, 7.0905), "dps, no VMC": (1.3881, 7.6662)}
_DEREVERB = {"irs": (0.6604, 7.1838), "dps": (0.6837, 7.8759), "dsg": (0.7560, 13.8926),
             "irs, no VMC": (1.0656, 11.7008), "dps, no VMC": (1.0613, 14.9935)}
AUDIOLDM2: Mapping[str, Row] = {
    "inpaint 1000 ms": _INPAINT,
    "super-resolution": {"irs": (0.9678, 8.9296), "dps": (0.9815, 9.2984), "dsg": (1.3427, 15.0559)},
    "phase retrieval": {"irs": (0.8323, 6.2551), "dps": (0.8180, 7.7626), "dsg": (0.8258, 14.6598),
                        "irs, no VMC": (1.1041, 10.4053), "dps, no VMC": (1.6784, 22.9290)},
    "separate": {"irs": (0.8293, 6.2551), "dps": (0.9350, 7.9542), "dsg": (0.8241, 14.0942)},
    "dereverb, known room": _DEREVERB,
}
MUSICLDM: Mapping[str, Row] = {
    "inpaint 1000 ms": {"irs": (0.6367, 4.3202), "dps": (0.6318, 5.1730), "dsg": (0.7735, 14.0801)},
    "super-resolution": {"irs": (0.9778, 5.8756), "dps": (0.9351, 7.9806), "dsg": (1.2783, 17.1117)},
    "phase retrieval": {"irs": (0.8939, 4.6492), "dps": (0.7653, 6.7907), "dsg": (0.8873, 16.4876)},
    "separate": {"irs": (0.9334, 4.9374), "dps": (0.9603, 5.8537), "dsg": (0.9120, 16.9260)},
    "dereverb, known room": {"irs": (0.6788, 4.8319), "dps": (0.7536, 5.7646), "dsg": (0.8308, 16.7926)},
}


def told(task: str, row: str) -> str:
    """"LSD / FAD" of a row with AudioLDM 2, or nothing where the paper has none."""
    published = AUDIOLDM2.get(task, {}).get(row)
    return f"{published[0]:.3f} / {published[1]:.2f}" if published else ""


def orders(trials: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of orders, best first, ours beside the printed ones; no line where fewer than two rows were measured.

    Args:
        trials: figures by task and row, of which `lsd` and `frechet` (beside the paper's FAD) are read.
    """
    lines = []
    for title, printed in AUDIOLDM2.items():
        measured = {name: (row["lsd"], row["frechet"]) for name, row in trials.get(title, {}).items()}
        for names in (ALGORITHMS, *((name, name + WITHOUT) for name in ALGORITHMS)):
            for index, by in enumerate(("LSD", "Frechet / FAD")):
                ours, *theirs = (_order(rows, names, index) for rows in (measured, printed, MUSICLDM[title]))
                lines += [f"| {title} | {by} | {ours} | {' | '.join(theirs)} |"] if ours else []
    return ["| order, best first | by | here | AudioLDM 2 | MusicLDM |", "|---|---|---|---|---|", *lines] if lines else []


def _order(rows: Row, names: Sequence[str], index: int) -> str:
    """The names in order of one figure, least first, = between those that are equal to three decimals; or nothing."""
    if not set(names) <= set(rows):
        return ""
    values = {name: round(rows[name][index], 3) for name in names}
    order = sorted(names, key=values.__getitem__)
    parts = [("" if k == 0 else " = " if values[order[k - 1]] == values[name] else " < ") + name
             for k, name in enumerate(order)]
    return "".join(parts)
