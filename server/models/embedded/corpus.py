"""The corpus: clips of six seconds, each with class, words, source and split, from a seed and a pack of recordings.

Seeds in, same corpus out: every clip has its own generator keyed by (seed, split, class, kind, number).
"""

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .format import ITEM_SAMPLES, SAMPLE_RATE
from .recordings import unpack
from .scenes import SCENES
from .synthesis import peak_normalise
from .tones import TONES
from .vocabulary import ADJECTIVES, CLASSES, NAMES, TEMPLATES

SPLITS = ("train", "judge", "test")
SYNTHS = {**TONES, **SCENES}
KINDS = ("synthesis", "recording", "soundfont")
LOOPED = frozenset({"rain", "sea", "fire", "wind", "helicopter", "chainsaw", "engine", "insects", "noise texture", "drone",
                    "water", "clock"})


@dataclass(frozen=True)
class Plan:
    """How many clips each class gets per split, from synthesis and from its recorded takes."""

    synthetic: tuple[int, int, int] = (1000, 60, 40)
    recorded: tuple[int, int, int] = (400, 60, 40)


@dataclass(frozen=True)
class Corpus:
    """Audio int16 `[items, 192000]` (memory-mapped) and one entry per item."""

    audio: np.ndarray
    items: list[dict]

    classes: frozenset[int] = frozenset(range(len(CLASSES)))

    def of_split(self, split: str) -> np.ndarray:
        """Indices of the items of one split, of the classes in use."""
        return np.array([i for i, item in enumerate(self.items)
                         if item["split"] == split and item["class"] in self.classes])


def split_of_sources(entries: list[dict], seed: int) -> dict[tuple[int, str], str]:
    """Split of each (class, source): a tenth to judge, a tenth to test, at least one each from four sources on."""
    result = {}
    for index in range(len(CLASSES)):
        for kind in KINDS:
            sources = sorted({e["source"] for e in entries if e["class"] == index and e["kind"] == kind})
            np.random.default_rng([seed, index, KINDS.index(kind)]).shuffle(sources)
            held = 0 if len(sources) < 4 else max(1, round(len(sources) / 10))
            for number, source in enumerate(sources):
                result[index, source] = SPLITS[1] if number < held else SPLITS[2] if number < 2 * held else SPLITS[0]
    return result


def _fit(rng: np.random.Generator, take: np.ndarray, looped: bool) -> np.ndarray:
    """A long take cut, a continuous one looped with a crossfade, a short one placed, to `ITEM_SAMPLES`."""
    n = ITEM_SAMPLES
    if len(take) >= n:
        start = rng.integers(0, len(take) - n + 1)
        return take[start:start + n]
    fade = SAMPLE_RATE // 10
    if looped and len(take) > 4 * fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        out = take
        while len(out) < n:
            joint = out[-fade:] * (1 - ramp) + take[:fade] * ramp
            out = np.concatenate([out[:-fade], joint, take[fade:]])
        return out[:n]
    out = np.zeros(n, np.float32)
    start = int(rng.integers(0, n - len(take) + 1) * (rng.random() < 0.5) * 0.6)
    out[start:start + len(take)] = take
    return out


def _sequence(rng: np.random.Generator, takes: list[np.ndarray]) -> np.ndarray:
    """Short takes repeated along the clip, as a person would use one-shots."""
    out, at = np.zeros(ITEM_SAMPLES, np.float32), int(rng.uniform(0, 0.3) * SAMPLE_RATE)
    gap = rng.uniform(0.25, 1.4)
    while at < ITEM_SAMPLES:
        take = takes[rng.integers(len(takes))] * rng.uniform(0.5, 1)
        stop = min(ITEM_SAMPLES, at + len(take))
        out[at:stop] += take[:stop - at]
        at += int(max(len(take) * 0.5, gap * rng.uniform(0.7, 1.3) * SAMPLE_RATE))
    return out


def _recorded(rng: np.random.Generator, flat: np.ndarray, pool: list[dict], number: int) -> tuple[np.ndarray, dict]:
    """One clip from the takes of a class and split: alone, or short ones of the same phrases in sequence."""
    entry = pool[number % len(pool)]

    def cut(e: dict) -> np.ndarray:
        return flat[e["start"]:e["start"] + e["length"]].astype(np.float32) / 32768

    take = cut(entry)
    if len(take) < 2.2 * SAMPLE_RATE and rng.random() < 0.6:
        kin = [e for e in pool if e["phrases"] == entry["phrases"] and e["length"] < 2.2 * SAMPLE_RATE]
        chosen = [kin[i] for i in rng.integers(0, len(kin), 3)] if rng.random() < 0.5 else [entry]
        return _sequence(rng, [cut(e) for e in chosen]), entry
    return _fit(rng, take, NAMES[entry["class"]] in LOOPED), entry


def _jobs(entries: list[dict], plan: Plan, seed: int) -> list[tuple[str, str, int, int]]:
    """Every item to make, as (split, kind, class, number)."""
    splits = split_of_sources(entries, seed)
    have = {(splits[e["class"], e["source"]], e["kind"], e["class"]) for e in entries}
    jobs = []
    for s, split in enumerate(SPLITS):
        for index, name in enumerate(NAMES):
            if name in SYNTHS:
                jobs += [(split, "synthesis", index, k) for k in range(plan.synthetic[s])]
            for kind in ("recording", "soundfont"):
                if (split, kind, index) in have:
                    jobs += [(split, kind, index, k) for k in range(plan.recorded[s])]
    return jobs


_state: dict = {}


def _prepare(pack: Path | None, out: Path, seed: int, count: int) -> None:
    """Give this worker process the recordings by split and the file to write into."""
    flat, entries = unpack(pack) if pack else (np.zeros(0, np.int16), [])
    splits, pools = split_of_sources(entries, seed), {}
    for entry in entries:
        pools.setdefault((splits[entry["class"], entry["source"]], entry["kind"], entry["class"]), []).append(entry)
    _state.update(flat=flat, pools=pools, seed=seed,
                  audio=np.memmap(out / "audio.i16", np.int16, "r+", shape=(count, ITEM_SAMPLES)))


def _make(numbered_job: tuple[int, tuple[str, str, int, int]]) -> dict:
    row, (split, kind, index, number) = numbered_job
    rng = np.random.default_rng([_state["seed"], SPLITS.index(split), index, KINDS.index(kind), number])
    if kind == "synthesis":
        audio, words = SYNTHS[NAMES[index]](rng, ITEM_SAMPLES, SAMPLE_RATE)
        item = {"words": words, "source": f"synthesis-{split}-{NAMES[index]}-{number}", "phrases": CLASSES[index].phrases}
    else:
        audio, entry = _recorded(rng, _state["flat"], _state["pools"][split, kind, index], number)
        item = {"words": (), "source": entry["source"], "phrases": entry["phrases"]}
    _state["audio"][row] = np.round(peak_normalise(audio, 0.9) * 32767).astype(np.int16)
    return {"class": index, "kind": kind, "split": split, **item}


def build(pack: Path | None, out: Path, seed: int, plan: Plan, workers: int = 1) -> Corpus:
    """Make the corpus folder (`audio.i16`, `items.json`); the same for any number of workers."""
    out.mkdir(parents=True, exist_ok=True)
    entries = unpack(pack)[1] if pack else []
    jobs = _jobs(entries, plan, seed)
    np.memmap(out / "audio.i16", np.int16, "w+", shape=(len(jobs), ITEM_SAMPLES)).flush()
    setup = partial(_prepare, pack, out, seed, len(jobs))
    if workers == 1:
        setup()
        items = [_make(job) for job in enumerate(jobs)]
    else:
        with get_context("spawn").Pool(workers, initializer=setup) as pool:
            items = pool.map(_make, enumerate(jobs), chunksize=64)
    (out / "items.json").write_text(json.dumps({"seed": seed, "items": items}), encoding="utf-8")
    return load(out)


def load(folder: Path, names: tuple[str, ...] = NAMES) -> Corpus:
    """Open a corpus folder; `names` are the classes to use of it."""
    items = json.loads((folder / "items.json").read_text(encoding="utf-8"))["items"]
    audio = np.memmap(folder / "audio.i16", np.int16, "c", shape=(len(items), ITEM_SAMPLES))
    return Corpus(audio, items, frozenset(NAMES.index(name) for name in names))


def item_weights(items: list[dict], rows: np.ndarray) -> np.ndarray:
    """Probability of each row: by class weight, then evenly over the kinds a class has, then over its items."""
    keys = [(items[i]["class"], items[i]["kind"]) for i in rows]
    count = Counter(keys)
    kinds = {index: sum(key[0] == index for key in count) for index in {key[0] for key in count}}
    weight = np.array([CLASSES[c].weight / kinds[c] / count[c, k] for c, k in keys])
    return weight / weight.sum()


def phrase(rng: np.random.Generator, item: dict, wet: bool) -> str:
    """A noun phrase for one item: its class's or its own words, sometimes with adjectives that are true of it."""
    noun = str(rng.choice([*item["phrases"], NAMES[item["class"]]]))
    known = list(item["words"]) + (["wet"] if wet else [])
    if known and rng.random() < 0.55:
        words = [str(rng.choice(ADJECTIVES[w])) for w in rng.permutation(known)[:int(rng.integers(1, 3))]]
        if rng.random() < 0.6 and not any(w.startswith("in ") for w in words):
            article, bare = ("a ", noun[noun.index(" ") + 1:]) if noun.startswith(("a ", "an ")) else ("", noun)
            return f"{article}{' '.join(words)} {bare}"
        return f"{noun}, {', '.join(words)}"
    return noun


def caption(rng: np.random.Generator, items: list[dict], wet: bool) -> str:
    """A caption of one to three items heard together."""
    parts = [phrase(rng, item, wet) for item in items]
    joined = str(rng.choice([" and ", " with ", ", "] if len(parts) == 2 else [" and ", ", "])).join(parts)
    return str(rng.choice(TEMPLATES)).replace("{x}", joined) if len(parts) == 1 else joined
