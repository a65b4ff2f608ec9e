"""Training clips on the device: pitch, time shift, tone colour, room, mixing and damage of corpus items, in torch."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .captions import caption
from .corpus import Corpus, item_weights
from .damage import KINDS, damage
from .format import CLIP_SAMPLES, ITEM_SAMPLES, SAMPLE_RATE

SIZE = 262144  # transform length: clip plus room tail
ONE = 1 << 20  # one sample in the whole numbers that reading positions are counted in


@dataclass(frozen=True)
class Draw:
    """One batch of clips before rendering: which items, where they go, and what is done to them.

    Per used item: `row`, `clip` (target), `gain` (linear), `ratio` (read speed), `start` (samples), `tilt`
    (dB per octave), `bump_hz`, `bump_db`, `t60_s`, `wet` (0..1); per clip the `captions`, the `damage` (0 for none,
    else one more than its place in `damage.KINDS`) and its `amount` (0..1).
    """

    numbers: np.ndarray
    rows: np.ndarray
    clips: np.ndarray
    captions: list[str]
    damage: np.ndarray
    amount: np.ndarray


@dataclass(frozen=True)
class Mixing:
    """Shares of clips with two and three items; share of empty captions; share of damaged clips."""

    two: float = 0.3
    three: float = 0.05
    drop: float = 0.12
    damaged: float = 0.05


class Sampler:
    """Draws batches from the rows of a corpus by class weight; all choices come from the generator given."""

    def __init__(self, corpus: Corpus, rows: np.ndarray, mixing: Mixing) -> None:
        self.corpus, self.rows, self.mixing = corpus, rows, mixing
        self.cumulative = np.cumsum(item_weights(corpus, rows))

    def draw(self, rng: np.random.Generator, batch: int, varied: bool = True) -> Draw:
        """A batch of `batch` clips; `varied=False` leaves out pitch, colour, room and damage."""
        kind = rng.random(batch)
        counts = 1 + (kind < self.mixing.two + self.mixing.three) + (kind < self.mixing.three)
        clips = np.repeat(np.arange(batch), counts)
        at = np.searchsorted(self.cumulative, rng.random(len(clips)) * self.cumulative[-1])
        rows = self.rows[np.minimum(at, len(self.rows) - 1)]
        wet = np.repeat(rng.random(batch) < 0.3, counts) & varied
        m = len(clips)
        ratio = 2 ** (rng.uniform(-3, 3, m) / 12) if varied else np.ones(m)
        ratio = np.where(rng.random(m) < 0.3, 1.0, ratio)
        numbers = np.stack([
            10 ** (rng.uniform(-8, 4, m) / 20), ratio,
            rng.random(m) * np.maximum(ITEM_SAMPLES - CLIP_SAMPLES * ratio - 2, 0),
            rng.normal(0, 1.2, m) * varied, np.exp(rng.uniform(np.log(150), np.log(6000), m)),
            rng.normal(0, 3, m) * varied, rng.uniform(0.3, 2.5, m), np.where(wet, rng.uniform(0.15, 0.6, m), 0.0),
        ]).astype(np.float32)
        hurt = (rng.random(batch) < self.mixing.damaged * varied) * rng.integers(1, len(KINDS) + 1, batch)
        captions = self._captions(rng, rows, clips, wet, hurt)
        return Draw(numbers, rows, clips, captions, hurt, rng.random(batch).astype(np.float32))

    def heard(self, draw: Draw, batch: int) -> Tensor:
        """Which classes each clip of a draw holds: 0 or 1, float32 `[batch, classes in use]`."""
        order = {index: k for k, index in enumerate(sorted(self.corpus.classes))}
        shares = torch.zeros(batch, len(order))
        for row, clip in zip(draw.rows, draw.clips, strict=True):
            shares[clip, order[self.corpus.items[row]["class"]]] = 1
        return shares

    def _captions(self, rng: np.random.Generator, rows: np.ndarray, clips: np.ndarray, wet: np.ndarray,
                  hurt: np.ndarray) -> list[str]:
        batch = len(hurt)
        heard: list[list[dict]] = [[] for _ in range(batch)]
        wet_clip = np.zeros(batch, bool)
        for row, clip, is_wet in zip(rows, clips, wet, strict=True):
            heard[clip].append(self.corpus.items[row])
            wet_clip[clip] |= is_wet
        dropped = rng.random(batch) < self.mixing.drop
        captions = []
        for k, items in enumerate(heard):
            names = [self.corpus.names[item["class"]] for item in items]
            said = caption(rng, items, names, bool(wet_clip[k]), KINDS[hurt[k] - 1] if hurt[k] else "")
            captions.append("" if dropped[k] else said)
        return captions


class Bank:
    """The corpus audio on the device; renders draws into clips."""

    def __init__(self, corpus: Corpus, rows: np.ndarray, device: torch.device) -> None:
        self.device = device
        self.place = np.full(len(corpus.items), -1, np.int64)
        self.place[rows] = np.arange(len(rows))
        if device.type == "cpu":  # left on disk, each clip read when it is drawn
            self.place[rows] = rows
            self.audio = torch.from_numpy(np.asarray(corpus.audio))
        else:
            self.audio = torch.from_numpy(np.ascontiguousarray(corpus.audio[rows])).to(device)
        self.hz = torch.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE, device=device).clamp(min=30.0)

    def _to_device(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def render(self, draw: Draw, batch: int, generator: torch.Generator, peak: float = 0.5) -> Tensor:
        """Clips `[batch, 163840]` float32, without mean, each with the peak given."""
        mixed = self.mixed(self.voices(draw, generator), draw, batch, generator)
        return mixed * (peak / (mixed.abs().amax(1, keepdim=True) + 1e-6))

    def voices(self, draw: Draw, generator: torch.Generator) -> Tensor:
        """Every item of a draw by itself, as pitch, colour, room and gain have it: `[items, 163840]` float32."""
        gain, ratio, start, tilt, bump_hz, bump_db, t60, wet = self._to_device(draw.numbers)[:, :, None]
        taken = self.audio[self._to_device(self.place[draw.rows])].float() / 32768
        clip = self._coloured(self._resampled(taken, ratio, start), tilt, bump_hz, bump_db, t60, wet, generator)
        level = clip.square().mean(1, keepdim=True).sqrt()
        return clip * gain / (level + 0.1 * clip.abs().amax(1, keepdim=True) + 1e-6)

    def mixed(self, voices: Tensor, draw: Draw, batch: int, generator: torch.Generator) -> Tensor:
        """Clips `[batch, 163840]` of the items that belong to them, damaged where the draw says so, without mean."""
        mixed = torch.zeros(batch, CLIP_SAMPLES, device=self.device).index_add_(0, self._to_device(draw.clips), voices)
        for number in sorted(set(draw.damage.tolist()) - {0}):
            hurt = self._to_device(np.flatnonzero(draw.damage == number))
            amount = self._to_device(draw.amount)[hurt][:, None]
            mixed[hurt] = damage(mixed[hurt], KINDS[number - 1], amount, generator)
        return mixed - mixed.mean(1, keepdim=True)

    def _resampled(self, audio: Tensor, ratio: Tensor, start: Tensor) -> Tensor:
        """Read at `start + ratio * n` from audio oversampled twice, by cubics; `ratio > 1` raises the pitch.

        What a raised pitch would push beyond the band is taken out first.
        """
        bins = torch.arange(ITEM_SAMPLES // 2 + 1, device=self.device)
        spectrum = torch.fft.rfft(audio) * (bins * ratio < 0.995 * ITEM_SAMPLES / 2)
        twice = torch.fft.irfft(spectrum, 2 * ITEM_SAMPLES) * 2
        step, first = (2 * ONE * ratio).long(), (2 * ONE * start).long()  # whole numbers: float32 would jitter
        position = (first + step * torch.arange(CLIP_SAMPLES, device=self.device)).clamp(ONE, (2 * ITEM_SAMPLES - 3) * ONE)
        index = position // ONE
        x = (position % ONE).float() / ONE
        before, at, after, later = (twice.gather(1, index + k) for k in (-1, 0, 1, 2))
        slope, bend = 0.5 * (after - before), before - 2.5 * at + 2 * after - 0.5 * later
        return at + x * (slope + x * (bend + x * (0.5 * (later - before) + 1.5 * (at - after))))

    def _coloured(self, clip: Tensor, tilt: Tensor, bump_hz: Tensor, bump_db: Tensor, t60: Tensor, wet: Tensor,
                  generator: torch.Generator) -> Tensor:
        octaves = torch.log2(self.hz / 1000)
        shape_db = tilt * octaves + bump_db * torch.exp(-0.5 * (torch.log2(self.hz / bump_hz) / 0.7) ** 2)
        length = SIZE - CLIP_SAMPLES
        time = torch.arange(length, device=self.device) / SAMPLE_RATE
        tail = torch.randn(len(clip), length, device=self.device, generator=generator) * torch.exp(-6.91 * time / t60)
        tail = torch.fft.rfft(tail / tail.square().sum(1, keepdim=True).sqrt(), SIZE)
        tail = tail * (self.hz / 1000).clamp(min=1) ** -0.7
        gain = 10 ** (shape_db.clamp(-24, 24) / 20) * (1 - wet + wet * tail)
        return torch.fft.irfft(torch.fft.rfft(clip, SIZE) * gain, SIZE)[:, :CLIP_SAMPLES]
