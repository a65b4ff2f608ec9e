# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person wants to know of how a result was made, in one line, from its provenance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(provenance: Mapping[str, Any]) -> str:
    """The line; "" where there is nothing to say."""
    parts = [*_which(provenance), *_fused(provenance), *_found_out(provenance), *provenance.get("idle", ())]
    if "seed" in provenance:
        parts.append(f"seed {provenance['seed']}")
    return "; ".join(parts)


def words_of(provenance: Mapping[str, Any]) -> str:
    """The words that tell this result from the others of its job: of its stem, of its target; "" where there are none."""
    return next((provenance[key] for key in ("stem", "to") if isinstance(provenance.get(key), str)), "")


def _which(provenance: Mapping[str, Any]) -> list[str]:
    """Which of a job's results it is."""
    parts = [f"{provenance['stem']!r}"] if "stem" in provenance else []
    if "to" in provenance:
        parts.append(f"to {provenance['to']!r}, from {provenance['snr_db']:.1f} dB on")
    if "weights" in provenance:
        moved = [f"{weight:+g} along direction {k}" for k, weight in enumerate(provenance["weights"], 1) if weight]
        parts.append(", ".join(moved) or "not moved")
    if "change" in provenance:
        parts.append(f"changed by {100 * provenance['change']:.0f} %")
    return parts


def _fused(provenance: Mapping[str, Any]) -> list[str]:
    """Where the original stepped in, and how near the result is to both."""
    parts = []
    if "snr_db" in provenance and "to" not in provenance:
        parts.append(f"original steps in at {provenance['snr_db']:.1f} dB")
    if near := provenance.get("likeness"):
        reference = f", to reference {near['reference']:.2f}" if "reference" in near else ""
        parts.append(f"likeness to original {near['original']:.2f}{reference}")
    if not provenance.get("balance", {}).get("crossing", True):
        parts.append("no point where both are equally near: this is the nearest to it")
    return parts


_FOUND_OUT = {"cutoff_hz": "trusted up to {:.0f} Hz", "clip_level": "clipped at {:.3f}", "rt60_s": "a room of {:.2f} s",
              "magnitude_error_db": "magnitudes met within {:.1f} dB"}


def _found_out(provenance: Mapping[str, Any]) -> list[str]:
    """What a restoration took the damage to be."""
    return [text.format(provenance[name]) for name, text in _FOUND_OUT.items() if name in provenance]
