# SPDX-License-Identifier: GPL-3.0-or-later
"""How late a vocoder answers, measured once per checkpoint.

The official vocoders emit 32 samples more than they should (transposed convolutions of kernel 16 at stride 5), and the
frames they were trained on need not be centred as ours are: what comes out is late by up to a millisecond or a frame.
That is inaudible, but not for a loss on the waveform, nor for stems that must add up. A train of short hits is sent
through, and the lag at which the envelopes agree best is what `decode` crops from the start. The phases that a vocoder
invents make that uncertain by some 6 samples, so one that gives exactly a hop per frame is taken at its word.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from server.models.mel import MelSpec, log_mel

N_HITS = 16
N_FRAMES_SHORT = 8
CLEAR = 0.5  # correlation of envelopes below which a vocoder (with random weights, say) has no delay to be measured


@torch.no_grad()
def measure_delay(vocode: Callable[[Tensor], Tensor], spec: MelSpec, device: torch.device) -> int:
    """Samples by which `vocode` (mel [1, frames, n_mels] -> audio [1, time]) is late, 0 to one hop.

    0 where it gives no sample too many. Half of those, where the envelopes do not agree at any lag: symmetric kernels put
    them there.
    """
    overhang = vocode(torch.zeros(1, N_FRAMES_SHORT, spec.n_mels, device=device)).shape[-1] - N_FRAMES_SHORT * spec.hop
    if overhang <= 0:
        return 0
    probe = hits(spec)
    answer = vocode(log_mel(probe[None].to(device), spec))[0].to("cpu", torch.float32)
    length = len(probe) - spec.hop
    asked = _envelope(probe)[:length]
    answered = _envelope(answer).unfold(0, length, 1)[: spec.hop + 1]
    agreement = F.cosine_similarity(asked - asked.mean(), answered - answered.mean(1, keepdim=True), dim=1)
    best = int(agreement.argmax())
    return best if agreement[best] >= CLEAR else overhang // 2


def hits(spec: MelSpec) -> Tensor:
    """The probe [time]: decaying bursts of noise at irregular distances, about two seconds, peak 0.5."""
    generator = torch.Generator().manual_seed(1)
    n_samples = 200 * spec.hop
    burst = torch.exp(-torch.arange(20 * spec.hop) / (spec.sample_rate * 0.01))
    starts = torch.linspace(2 * spec.hop, n_samples - 25 * spec.hop, N_HITS).long()
    starts = starts + torch.randint(0, 3 * spec.hop, (N_HITS,), generator=generator)
    probe = torch.zeros(n_samples)
    for start in starts.tolist():
        probe[start : start + len(burst)] += burst * torch.randn(len(burst), generator=generator)
    return probe * (0.5 / probe.abs().max())


def _envelope(audio: Tensor, width: int = 33) -> Tensor:
    """Level [time] under a triangle of about 2 ms."""
    window = torch.bartlett_window(width, periodic=False)
    return F.conv1d(audio.square()[None, None], window[None, None], padding=width // 2)[0, 0].sqrt()
