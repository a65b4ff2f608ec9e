# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from server.models.embedded.waveform.companding import LARGEST, compressed, expanded


def test_lines_come_back_over_a_hundred_decibels() -> None:
    lines = torch.logspace(-4, 1, 400).double()
    back = expanded(compressed(lines))
    assert (20 * (back / lines).log10()).abs().max() < 0.5  # decibels
    torch.testing.assert_close(expanded(compressed(-lines)), -back)


def test_compression_keeps_order_and_raises_what_is_soft() -> None:
    lines = torch.linspace(-LARGEST, LARGEST, 4001).double()
    made = compressed(lines)
    assert (made.diff() > 0).all() and made.abs().max() < 1.01
    assert compressed(torch.tensor(0.01 * LARGEST)) > 0.3


def test_silence_is_silence() -> None:
    assert compressed(torch.zeros(3)).abs().max() == 0 and expanded(torch.zeros(3)).abs().max() == 0
