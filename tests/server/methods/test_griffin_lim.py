# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from server.methods.griffin_lim import griffin_lim, spectrum

N = 4000
SOUND = torch.randn(2, N, generator=torch.Generator().manual_seed(0))


def test_the_right_phase_gives_the_sound_back_at_once() -> None:
    truth = spectrum(SOUND, 512, 128)
    assert truth.shape == (2, 257, N // 128 + 1)
    first = next(griffin_lim(truth.abs(), truth, 512, 128, N, 0))
    torch.testing.assert_close(first, SOUND, atol=1e-4, rtol=0)


def test_iterations_bring_the_magnitudes_nearer() -> None:
    wanted = spectrum(SOUND, 512, 128).abs()
    flat = torch.ones_like(wanted).to(torch.complex64)
    errors = [float((spectrum(audio, 512, 128).abs() - wanted).norm())
              for audio in griffin_lim(wanted, flat, 512, 128, N, 20)]
    assert len(errors) == 21 and errors[-1] < 0.4 * errors[0]
