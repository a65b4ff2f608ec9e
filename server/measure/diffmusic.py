# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that DiffMusic prints (Liao, Pan and Yang 2024, tables 1 and 2): LSD and FAD, beside which ours stand."""

from __future__ import annotations

from collections.abc import Mapping

ABOUT = (
    "DiffMusic, AudioLDM 2 with 500 steps on 5 s of 100 songs at 16 kHz, gaps of 1 s, VGGish FAD, and for "
    "super-resolution a fifth of the band: other sounds, another model and other damage, so only the order of the rows "
    "compares. Its DPS and DSG take no gradient through the network, its room is drawn anew at every step and does not "
    "decay, its phase retrieval has a rectangular window, and the FAD of IRS in phase retrieval and in separation is "
    "printed the same, 6.2551."
)

# (LSD, FAD), by task and row; a row is called as in `restoration`
_INPAINT = {"irs": (0.6341, 4.9896), "dps": (0.6207, 6.4334), "dsg": (0.7699, 13.8478),
            "irs, no VMC": (1.1407, 7.0905), "dps, no VMC": (1.3881, 7.6662)}
_DEREVERB = {"irs": (0.6604, 7.1838), "dps": (0.6837, 7.8759), "dsg": (0.7560, 13.8926),
             "irs, no VMC": (1.0656, 11.7008), "dps, no VMC": (1.0613, 14.9935)}
AUDIOLDM2: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "inpaint 1000 ms": _INPAINT,
    "super-resolution": {"irs": (0.9678, 8.9296), "dps": (0.9815, 9.2984), "dsg": (1.3427, 15.0559)},
    "dereverb, known room": _DEREVERB,
    "phase retrieval": {"irs": (0.8323, 6.2551), "dps": (0.8180, 7.7626), "dsg": (0.8258, 14.6598),
                        "irs, no VMC": (1.1041, 10.4053), "dps, no VMC": (1.6784, 22.9290)},
    "separate": {"irs": (0.8293, 6.2551), "dps": (0.9350, 7.9542), "dsg": (0.8241, 14.0942)},
}


def told(task: str, row: str) -> str:
    """"LSD / FAD" of a row, or nothing where the paper has none."""
    published = AUDIOLDM2.get(task, {}).get(row)
    return f"{published[0]:.3f} / {published[1]:.2f}" if published else ""
