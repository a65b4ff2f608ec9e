# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the model's own encoder, decoder and vocoder give back what they are given.

Of a mel model: the autoencoder's error in nat of log-mel; how far a render's sound is from the real one; and how far the
vocoder's sound is from it, given the real mel, against Griffin-Lim's from the same mel. Of a waveform model, see
`waveform_rebuild`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from server.measure import waveform_rebuild
from server.measure.bench import Bench, Finding
from server.measure.distances import stft_distance
from server.measure.griffin_lim import from_mel
from server.measure.probes import Probe, at_model, probes, rebuilt
from server.models.mel import log_mel
from server.models.mel_backbone import MelBackbone

PER_CLASS = 3
AIM_NAT = 0.5


def measure(bench: Bench, per_class: int = PER_CLASS) -> dict:
    """Figures over all clips, per class and per clip.

    Raises:
        NotMeasured: there are neither held-out sounds nor a corpus.
    """
    backbone = bench.backbone
    if not isinstance(backbone, MelBackbone):
        return waveform_rebuild.measure(bench, per_class)
    found, rows = probes(bench, per_class), []
    for number, probe in enumerate(found):
        bench.report(number, len(found), f"{probe.class_name}: {probe.title}")
        rows.append({"class": probe.class_name, "clip": probe.title, "real": probe.sound is not None,
                     **_mel(backbone, bench, probe)})
    kinds = [key for key in rows[0] if key not in ("class", "clip", "real")]
    return {"model": "mel", "clips": len(rows),
            **{key: _mean(rows, key) for key in kinds}, "by_class": _by_class(rows, kinds), "rows": rows}


@torch.no_grad()
def _mel(backbone: MelBackbone, bench: Bench, probe: Probe) -> dict[str, float]:
    spec = backbone.mel
    real = torch.from_numpy(at_model(backbone, probe.clip).samples)
    real = real[:, :real.shape[1] // backbone.samples_per_latent * backbone.samples_per_latent]
    mel = log_mel(real, spec)
    decoded = backbone.decode_mel(backbone.encode(real[:, None]))
    rendered = torch.from_numpy(rebuilt(bench, probe).samples)[:, :real.shape[1]]
    vocoded = backbone.vocode(mel)[:, :real.shape[1]]
    plain = from_mel(mel, spec, seed=bench.seed)
    return {"nat": _rounded((decoded - mel).abs().mean()), "render": _rounded(stft_distance(rendered, real)),
            "vocoder": _rounded(stft_distance(vocoded, real)), "griffin_lim": _rounded(stft_distance(plain, real))}


def _rounded(value: Tensor) -> float:
    return round(float(value.mean()), 4)


def _mean(rows: Sequence[dict], key: str) -> float:
    return round(float(np.mean([row[key] for row in rows])), 4)


def _by_class(rows: Sequence[dict], kinds: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for name in dict.fromkeys(row["class"] for row in rows):
        own = [row for row in rows if row["class"] == name]
        found[name] = {"clips": len(own), "real": sum(row["real"] for row in own),
                       **{key: _mean(own, key) for key in kinds}}
    return found


def findings(figures: dict) -> list[Finding]:
    """Round trip, and for a mel model the vocoder against Griffin-Lim, every class for itself."""
    if figures["model"] == "waveform":
        return waveform_rebuild.findings(figures)
    classes = figures["by_class"]
    above = [name for name, row in classes.items() if row["nat"] > AIM_NAT]
    behind = [name for name, row in classes.items() if row["vocoder"] >= row["griffin_lim"]]
    return [
        Finding("round trip of held-out clips, log-mel L1", f"at most {AIM_NAT:g} nat in every class",
                f"{figures['nat']:.2f} nat; {_all_but(above, classes)}", not above),
        Finding("STFT distance from the same mel", "vocoder below Griffin-Lim in every class",
                f"{figures['vocoder']:.2f} against {figures['griffin_lim']:.2f}; {_all_but(behind, classes)}", not behind),
    ]


def _all_but(short: Sequence[str], classes: dict) -> str:
    """How many classes are as wanted, and which are not."""
    return f"{len(classes) - len(short)} of {len(classes)} classes" + (f", not {', '.join(short)}" if short else "")


def lines(figures: dict) -> list[str]:
    """A table of the classes."""
    if figures["model"] == "waveform":
        return waveform_rebuild.lines(figures)
    made = ["| class | clips (recordings) | autoencoder, nat | render | vocoder | Griffin-Lim |",
            "|---|---|---|---|---|---|"]
    for name, row in figures["by_class"].items():
        made.append(f"| {name} | {row['clips']} ({row['real']}) | {row['nat']:.2f} | {row['render']:.2f} | "
                    f"{row['vocoder']:.2f} | {row['griffin_lim']:.2f} |")
    made.append(f"| **all** | {figures['clips']} | **{figures['nat']:.2f}** | **{figures['render']:.2f}** | "
                f"**{figures['vocoder']:.2f}** | **{figures['griffin_lim']:.2f}** |")
    return [*made, "", "Render, vocoder and Griffin-Lim: multi-resolution STFT distance from the real sound; the last two "
            "are given its own mel."]
