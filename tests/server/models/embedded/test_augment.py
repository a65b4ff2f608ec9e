# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from server.models.embedded.augment import Bank, Draw, Mixing, Sampler
from server.models.embedded.corpus import Corpus
from server.models.embedded.damage import KINDS
from server.models.embedded.format import CLIP_SAMPLES, ITEM_SAMPLES, SAMPLE_RATE
from server.models.embedded.vocabulary import DAMAGES


def tone_corpus(hz: float) -> Corpus:
    tone = 0.9 * np.sin(2 * np.pi * hz * np.arange(ITEM_SAMPLES) / SAMPLE_RATE)
    item = {"class": 0, "kind": "synthesis", "split": "train", "source": "a", "phrases": ("a tone",), "words": ()}
    return Corpus((tone * 32767).astype(np.int16)[None], [item], frozenset({0}))


def one(ratio: float, start: float = 0.0, damage: int = 0) -> Draw:
    """A draw of the only item of a corpus, with nothing done to it but its pitch."""
    numbers = np.array([1, ratio, start, 0, 1000, 0, 1, 0], np.float32)[:, None]
    return Draw(numbers, np.zeros(1, int), np.zeros(1, int), [""], np.array([damage]), np.ones(1, np.float32))


def loudest_hz(clip: np.ndarray) -> tuple[float, float]:
    """The strongest frequency, and the strongest other one in dB below it."""
    spectrum = np.abs(np.fft.rfft(clip * np.hanning(len(clip))))
    peak = int(spectrum.argmax())
    others = np.delete(spectrum, slice(max(0, peak - 8), peak + 9))
    return peak * SAMPLE_RATE / len(clip), 20 * np.log10(spectrum[peak] / others.max())


def test_the_ratio_is_the_pitch_and_nothing_else_is_heard() -> None:
    corpus = tone_corpus(6000)
    bank = Bank(corpus, np.zeros(1, int), torch.device("cpu"))
    clip = bank.render(one(1.1, 37.3), 1, torch.Generator())[0].numpy()
    hz, clear_db = loudest_hz(clip)
    assert clip.shape == (CLIP_SAMPLES,) and np.abs(clip).max() == pytest.approx(0.5, abs=1e-4)
    assert hz == pytest.approx(6600, abs=0.5) and clear_db > 45


def test_what_would_leave_the_band_is_taken_out() -> None:
    corpus = tone_corpus(15500)
    bank = Bank(corpus, np.zeros(1, int), torch.device("cpu"))
    raised = bank._resampled(torch.from_numpy(corpus.audio / np.float32(32768)), torch.tensor([[1.1]]), torch.zeros(1, 1))
    assert raised[0, 2000:-2000].abs().max() < 0.01


def test_damaged_clips_say_so(corpus: Corpus) -> None:
    sampler = Sampler(corpus, corpus.of_split("train"), Mixing(0.5, 0.1, drop=0.0, damaged=1.0))
    draw = sampler.draw(np.random.default_rng(0), 60)
    assert set(draw.damage) == set(range(1, len(KINDS) + 1))
    for number, said in zip(draw.damage, draw.captions, strict=True):
        assert said.endswith(tuple(DAMAGES[KINDS[number - 1]]))
    assert not sampler.draw(np.random.default_rng(0), 60, varied=False).damage.any()
    rare = Sampler(corpus, corpus.of_split("train"), Mixing()).draw(np.random.default_rng(0), 2000)
    assert (rare.damage > 0).mean() == pytest.approx(0.05, abs=0.02)


def test_only_the_damaged_clips_are_changed(corpus: Corpus) -> None:
    rows = corpus.of_split("train")
    sampler, bank = Sampler(corpus, rows, Mixing(0, 0, 0, damaged=0.0)), Bank(corpus, rows, torch.device("cpu"))
    draw = sampler.draw(np.random.default_rng(1), 4)
    clean = bank.render(draw, 4, torch.Generator().manual_seed(2))
    hurt = Draw(draw.numbers, draw.rows, draw.clips, draw.captions, np.array([0, 1 + KINDS.index("muffled"), 0, 0]),
                draw.amount)
    done = bank.render(hurt, 4, torch.Generator().manual_seed(2))
    changed = (done - clean).abs().amax(1) > 1e-3
    assert changed.tolist() == [False, True, False, False]
