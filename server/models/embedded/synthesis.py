"""Building blocks of the synthetic sounds: decaying modes, steady partials, shaped noise, events on a timeline.

Everything is float32 mono `[samples]`, driven by one `numpy.random.Generator`, at any sample rate.
"""

from collections.abc import Callable, Iterator

import numpy as np

Rng = np.random.Generator
Array = np.ndarray
Take = tuple[Array, tuple[str, ...]]
Synth = Callable[[Rng, int, int], Take]  # (rng, samples, sample rate) -> a take and the adjectives true of it
SCALES = ((0, 2, 4, 7, 9, 12), (0, 3, 5, 7, 10, 12), (0, 2, 3, 7, 8, 12), (0, 4, 7, 11, 12), (0, 1, 5, 7, 10, 12))


def size_words(frequency_hz: float, low_hz: float, high_hz: float) -> tuple[str, ...]:
    """"low" below `low_hz`, "high" above `high_hz`, nothing between."""
    return ("low",) if frequency_hz < low_hz else ("high",) if frequency_hz > high_hz else ()


def length_words(t60_s: float, short_s: float, long_s: float) -> tuple[str, ...]:
    """"short" below `short_s`, "long" above `long_s`, nothing between."""
    return ("short",) if t60_s < short_s else ("long",) if t60_s > long_s else ()


def log_uniform(rng: Rng, low: float, high: float, size: int | None = None):
    """Draw from `[low, high]` evenly on a logarithmic axis."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def modes(frequency_hz: Array, amplitude: Array, t60_s: Array, n: int, sample_rate: int, rng: Rng) -> Array:
    """Sum of exponentially decaying sinusoids with random phases.

    A decaying exponential splits into (block start) x (offset in block), so the whole bank is one matrix product.
    Modes above 0.47 of the sample rate are left out.
    """
    keep = (frequency_hz < 0.47 * sample_rate) & (frequency_hz > 15)
    frequency_hz, amplitude, t60_s = frequency_hz[keep], amplitude[keep], t60_s[keep]
    if len(frequency_hz) == 0 or n <= 0:
        return np.zeros(max(n, 0), np.float32)
    block = 512
    rate = (2j * np.pi * frequency_hz - 6.91 / np.maximum(t60_s, 1e-3)) / sample_rate
    phase = np.exp(2j * np.pi * rng.random(len(rate)))
    starts = np.exp(rate[:, None] * (np.arange(-(-n // block)) * block)) * (amplitude * phase)[:, None]
    offsets = np.exp(rate[:, None] * np.arange(block))
    return (starts.T.astype(np.complex64) @ offsets.astype(np.complex64)).real.reshape(-1)[:n]


def slow_curve(rng: Rng, n: int, points: int, low: float = 0.0, high: float = 1.0) -> Array:
    """Smooth random curve through `points` random values (cosine interpolation)."""
    values = rng.uniform(low, high, points + 1)
    position = np.linspace(0, points, n, endpoint=False)
    index = position.astype(int)
    blend = (0.5 - 0.5 * np.cos(np.pi * (position - index))).astype(np.float32)
    return (values[index] * (1 - blend) + values[index + 1] * blend).astype(np.float32)


def swell(n: int, attack: float, release: float, power: float = 1.5) -> Array:
    """Envelope over the whole length: rise over the fraction `attack`, fall over the fraction `release`."""
    t = np.linspace(0, 1, n, dtype=np.float32)
    up = np.clip(t / max(attack, 1e-3), 0, 1)
    down = np.clip((1 - t) / max(release, 1e-3), 0, 1)
    return (up * down) ** power


def note_envelope(n: int, sample_rate: int, attack_s: float, release_s: float) -> Array:
    """Flat envelope with a raised-cosine attack and release (shortened to fit)."""
    a = min(int(attack_s * sample_rate), n // 2)
    r = min(int(release_s * sample_rate), n // 2)
    envelope = np.ones(n, np.float32)
    envelope[:a] = 0.5 - 0.5 * np.cos(np.pi * np.arange(a) / max(a, 1))
    envelope[n - r:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(r) / max(r, 1))
    return envelope


def fast_length(n: int) -> int:
    """The least number from `n` on with no prime factor above 5, which transforms fast."""
    n = int(n)
    best, power5 = 1 << max(n - 1, 1).bit_length(), 1
    while power5 < best:
        power35 = power5
        while power35 < best:
            best = min(best, power35 << max(0, (-(-n // power35) - 1).bit_length()))
            power35 *= 3
        power5 *= 5
    return best


def coloured_noise(rng: Rng, n: int, sample_rate: int, low_hz: float, high_hz: float, slope_db: float = 0.0) -> Array:
    """White noise, band-limited with soft edges, tilted by `slope_db` per octave around 1 kHz; unit RMS."""
    size = fast_length(n)
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), 1.0)
    gain = (hz / 1000) ** (slope_db / 6.02) / (1 + (low_hz / hz) ** 4) / (1 + (hz / high_hz) ** 4)
    noise = np.fft.irfft(spectrum * gain, size)[:n].astype(np.float32)
    return noise / (noise.std() + 1e-9)


def moving_noise(rng: Rng, n: int, sample_rate: int, centre_hz: Array, width_oct: Array | float,
                 floor: float = 0.0) -> Array:
    """Noise through a band that moves: `centre_hz` is a curve `[n]`, the width in octaves a curve or a number."""
    size, hop = 1024, 256
    frames = n // hop + 5
    noise = rng.standard_normal(frames * hop + size).astype(np.float32)
    window = np.hanning(size).astype(np.float32)
    at = np.minimum(np.arange(frames) * hop, n - 1)
    centre = np.asarray(centre_hz)[at][:, None]
    width = (np.broadcast_to(width_oct, (n,))[at])[:, None]
    octave = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), 20.0))[None] - np.log2(centre)
    gain = np.exp(-0.5 * (octave / np.maximum(width, 0.02)) ** 2) + floor
    cut = np.lib.stride_tricks.sliding_window_view(noise, size)[::hop][:frames]
    shaped = np.fft.irfft(np.fft.rfft(cut * window) * gain, size).astype(np.float32) * window
    out = np.zeros(frames * hop + size, np.float32)
    for k in range(size // hop):
        part = shaped[k::size // hop].reshape(-1)
        out[k * hop:k * hop + len(part)] += part[:len(out) - k * hop]
    out = out[size // 2:size // 2 + n]
    return out / (out.std() + 1e-9)


def spectral_shape(signal: Array, sample_rate: int, centres_hz, widths_hz, gains) -> Array:
    """Sum of resonances (formants): each a Lorentzian of given centre, width and gain."""
    size = fast_length(len(signal))
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    gain = np.zeros(len(hz))
    for centre, width, level in zip(centres_hz, widths_hz, gains, strict=True):
        gain += level / (1 + ((hz - centre) / (width / 2)) ** 2)
    return np.fft.irfft(np.fft.rfft(signal, size) * gain, size)[:len(signal)].astype(np.float32)


def lowpass(signal: Array, sample_rate: int, cutoff_hz: float, order: int = 2) -> Array:
    """Zero-phase soft low-pass, 6 dB per octave and order."""
    hz = np.fft.rfftfreq(len(signal), 1 / sample_rate)
    return np.fft.irfft(np.fft.rfft(signal) / (1 + (hz / cutoff_hz) ** (2 * order)) ** 0.5, len(signal)).astype(
        np.float32)


def harmonic(frequency_hz: Array, amplitudes: Array, sample_rate: int, phase: float = 0.0) -> Array:
    """Harmonic tone of moving pitch `[n]`; `amplitudes[k]` belongs to partial k+1; aliases are left out."""
    angle = (2 * np.pi * np.cumsum(frequency_hz / sample_rate) + phase)
    top = float(np.max(frequency_hz))
    out = np.zeros(len(frequency_hz), np.float32)
    turn = np.exp(1j * angle).astype(np.complex64)
    power = np.ones_like(turn)
    for k, level in enumerate(amplitudes, 1):
        if k * top > 0.47 * sample_rate:
            break
        power = power * turn
        out += np.float32(level) * power.imag
    return out


def vibrato(rng: Rng, n: int, sample_rate: int, depth: float = 0.006) -> Array:
    """Pitch factor `[n]`: vibrato of 4.5 to 6.5 Hz that comes in late, plus slow drift."""
    t = np.arange(n) / sample_rate
    onset = np.clip((t - rng.uniform(0, 0.4)) / 0.5, 0, 1)
    wobble = depth * onset * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t + rng.uniform(0, 6))
    return 1 + wobble + slow_curve(rng, n, 2 + int(n / sample_rate * 3), -0.003, 0.003)


def place(out: Array, sound: Array, start: int, gain: float = 1.0) -> None:
    """Add `sound` into `out` at sample `start`, cut at the ends."""
    if start < 0:
        sound, start = sound[-start:], 0
    stop = min(len(out), start + len(sound))
    if stop > start:
        out[start:stop] += np.float32(gain) * sound[:stop - start]


def onsets(rng: Rng, n: int, sample_rate: int, least: int, most: int, regular: float = 0.5) -> Array:
    """Start samples of `least` to `most` events, regular or scattered, the first one early."""
    count = int(rng.integers(least, most + 1))
    if rng.random() < regular:
        step = (n / sample_rate) / count * rng.uniform(0.7, 1.0)
        times = np.arange(count) * step * (1 + rng.normal(0, 0.02, count)) + rng.uniform(0, 0.3)
    else:
        times = np.sort(rng.uniform(0, n / sample_rate * 0.92, count))
        times[0] = rng.uniform(0, 0.4)
    return (np.abs(times) * sample_rate).astype(int)


def room(rng: Rng, signal: Array, sample_rate: int, t60_s: float, wet: float) -> Array:
    """Dry sound plus its convolution with exponentially decaying, darkening noise; same length."""
    length = int(t60_s * sample_rate)
    t = np.arange(length) / sample_rate
    tail = rng.standard_normal(length).astype(np.float32) * np.exp(-6.91 * t / t60_s)
    tail = lowpass(tail, sample_rate, rng.uniform(2500, 6000), 1)
    tail /= np.sqrt((tail**2).sum()) + 1e-9
    size = 1 << (len(signal) + length - 1).bit_length()
    wet_signal = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(tail, size), size)[:len(signal)]
    return ((1 - wet) * signal + wet * wet_signal).astype(np.float32)


def peak_normalise(signal: Array, peak: float = 0.5) -> Array:
    """Without mean, largest magnitude `peak`."""
    signal = signal - signal.mean()
    return (signal * (peak / (np.abs(signal).max() + 1e-9))).astype(np.float32)


def melody(rng: Rng, n: int, sample_rate: int, root_hz: float, least: int, most: int) -> Iterator[tuple[int, int, float]]:
    """Notes as (start, length, frequency_hz) along a random scale, overlapping a little."""
    scale = SCALES[rng.integers(len(SCALES))]
    starts = onsets(rng, n, sample_rate, least, most, 0.7)
    stops = np.append(starts[1:], n)
    for start, stop in zip(starts, stops, strict=True):
        length = int((stop - start) * rng.uniform(0.7, 1.1))
        if length > 0.03 * sample_rate:
            yield start, min(length, n - start), root_hz * 2 ** (rng.choice(scale) / 12)
