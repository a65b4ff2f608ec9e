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

from .abstract import ABSTRACT
from .format import ITEM_SAMPLES, SAMPLE_RATE
from .recordings import classes_of, unpack
from .scenes import SCENES
from .strikes import STRIKES
from .synthesis import peak_normalise
from .tones import TONES
from .vocabulary import CLASSES, described

SPLITS = ("train", "judge", "test")
SYNTHS = {**ABSTRACT, **STRIKES, **TONES, **SCENES}
KINDS = ("synthesis", "recording", "soundfont", "speech")
REAL = 2.0  # how much more a kind of real sound weighs in its class than its synthesis
ENOUGH = 8  # recordings of fewer sources weigh less, so that one recording is not half a class
FROM_TAKE = 12  # most clips made of one take
LOOPED = frozenset({"rain", "sea", "fire", "wind", "helicopter", "chainsaw", "engine", "insects", "noise texture", "drone",
                    "water", "clock"})


@dataclass(frozen=True)
class Plan:
    """How many clips each class gets per split, from synthesis and from each kind of recorded takes.

    `classes` are the names of those to make, none for all.
    """

    synthetic: tuple[int, int, int] = (200, 40, 30)
    recorded: tuple[int, int, int] = (150, 40, 30)
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Audio int16 `[items, 192000]` (memory-mapped), one entry per item, and what the class numbers mean.

    `classes` are the numbers of the classes in use; `known` describes all of them, as `vocabulary.described` does.
    """

    audio: np.ndarray
    items: list[dict]
    classes: frozenset[int] = frozenset(range(len(CLASSES)))
    known: tuple[dict, ...] = tuple(described(sound) for sound in CLASSES)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every class, by its number."""
        return tuple(sound["name"] for sound in self.known)

    def of_split(self, split: str) -> np.ndarray:
        """Indices of the items of one split, of the classes in use."""
        return np.array([i for i, item in enumerate(self.items)
                         if item["split"] == split and item["class"] in self.classes])


def split_of_sources(entries: list[dict], seed: int) -> dict[tuple[int, str], str]:
    """Split of each (class, source): a tenth to judge, a tenth to test, at least one each from four sources on.

    Of a family (one instrument by two soundfonts) at least one source stays for training.
    """
    result = {}
    for index in sorted({e["class"] for e in entries}):
        for kind in KINDS:
            families = {e["source"]: e.get("family", "") for e in entries if e["class"] == index and e["kind"] == kind}
            sources = sorted(families)
            np.random.default_rng([seed, index, KINDS.index(kind)]).shuffle(sources)
            held = 0 if len(sources) < 4 else max(1, round(len(sources) / 10))
            left, free = Counter(families.values()), [SPLITS[1]] * held + [SPLITS[2]] * held
            for source in sources:
                family = families[source]
                held_out = bool(free) and (not family or left[family] > 1)
                result[index, source] = free.pop(0) if held_out else SPLITS[0]
                left[family] -= held_out
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


def _recorded(rng: np.random.Generator, flat: np.ndarray, pool: list[dict], number: int,
              looped: bool) -> tuple[np.ndarray, dict]:
    """One clip from the takes of a class and split: alone, or short ones of the same phrases in sequence."""
    entry = pool[number % len(pool)]

    def cut(e: dict) -> np.ndarray:
        return flat[e["start"]:e["start"] + e["length"]].astype(np.float32) / 32768

    take = cut(entry)
    if len(take) < 2.2 * SAMPLE_RATE and rng.random() < 0.6:
        kin = [e for e in pool if e["phrases"] == entry["phrases"] and e["length"] < 2.2 * SAMPLE_RATE]
        chosen = [kin[i] for i in rng.integers(0, len(kin), 3)] if rng.random() < 0.5 else [entry]
        return _sequence(rng, [cut(e) for e in chosen]), entry
    return _fit(rng, take, looped), entry


def _jobs(entries: list[dict], names: list[str], synthetic: bool, plan: Plan, seed: int) -> list[tuple[str, str, int, int]]:
    """Every item to make, as (split, kind, class, number); a class without synthesis gets no fewer clips than others."""
    splits = split_of_sources(entries, seed)
    have = Counter((splits[e["class"], e["source"]], e["kind"], e["class"]) for e in entries)
    jobs = []
    for s, split in enumerate(SPLITS):
        for index, name in enumerate(names):
            if plan.classes and name not in plan.classes:
                continue
            made = synthetic and name in SYNTHS
            if made:
                jobs += [(split, "synthesis", index, k) for k in range(plan.synthetic[s])]
            count = plan.recorded[s] if made else max(plan.recorded[s], plan.synthetic[s] if synthetic else 0)
            for kind in KINDS[1:]:
                jobs += [(split, kind, index, k) for k in range(min(count, FROM_TAKE * have[split, kind, index]))]
    return jobs


_state: dict = {}


def _prepare(pack: Path | None, out: Path, seed: int, count: int, names: list[str]) -> None:
    """Give this worker process the recordings by split and the file to write into."""
    flat, entries = unpack(pack) if pack else (np.zeros(0, np.int16), [])
    splits, pools = split_of_sources(entries, seed), {}
    for entry in entries:
        pools.setdefault((splits[entry["class"], entry["source"]], entry["kind"], entry["class"]), []).append(entry)
    for key in sorted(pools):  # so that a few clips of many takes are of all sources
        np.random.default_rng([seed, len(pools[key])]).shuffle(pools[key])
    _state.update(flat=flat, pools=pools, seed=seed, names=names,
                  audio=np.memmap(out / "audio.i16", np.int16, "r+", shape=(count, ITEM_SAMPLES)))


def _make(numbered_job: tuple[int, tuple[str, str, int, int]]) -> dict:
    row, (split, kind, index, number) = numbered_job
    rng = np.random.default_rng([_state["seed"], SPLITS.index(split), index, KINDS.index(kind), number])
    name = _state["names"][index]
    if kind == "synthesis":
        audio, words = SYNTHS[name](rng, ITEM_SAMPLES, SAMPLE_RATE)
        item = {"words": words, "source": f"synthesis-{split}-{name}-{number}", "phrases": CLASSES[index].phrases}
    else:
        audio, entry = _recorded(rng, _state["flat"], _state["pools"][split, kind, index], number, name in LOOPED)
        item = {"words": (), "source": entry["source"], "phrases": entry["phrases"]}
    _state["audio"][row] = np.round(peak_normalise(audio, 0.9) * 32767).astype(np.int16)
    return {"class": index, "kind": kind, "split": split, **item}


def build(pack: Path | None, out: Path, seed: int, plan: Plan, workers: int = 1) -> Corpus:
    """Make the corpus folder (`audio.i16`, `items.json`); the same for any number of workers.

    A pack with classes of its own (a person's folder) gets no synthesis.
    """
    out.mkdir(parents=True, exist_ok=True)
    built_in = [described(sound) for sound in CLASSES]
    known = classes_of(pack) if pack else built_in
    names = [sound["name"] for sound in known]
    jobs = _jobs(unpack(pack)[1] if pack else [], names, known == built_in, plan, seed)
    np.memmap(out / "audio.i16", np.int16, "w+", shape=(len(jobs), ITEM_SAMPLES)).flush()
    setup = partial(_prepare, pack, out, seed, len(jobs), names)
    if workers == 1:
        setup()
        items = [_make(job) for job in enumerate(jobs)]
    else:
        with get_context("spawn").Pool(workers, initializer=setup) as pool:
            items = pool.map(_make, enumerate(jobs), chunksize=64)
    (out / "items.json").write_text(json.dumps({"seed": seed, "classes": known, "items": items}), encoding="utf-8")
    return load(out)


def load(folder: Path, names: tuple[str, ...] | None = None) -> Corpus:
    """Open a corpus folder; `names` are the classes to use of it, None for all that it has."""
    stored = json.loads((folder / "items.json").read_text(encoding="utf-8"))
    items, known = stored["items"], tuple(stored["classes"])
    audio = np.memmap(folder / "audio.i16", np.int16, "c", shape=(len(items), ITEM_SAMPLES))
    there = {item["class"] for item in items}
    wanted = frozenset(k for k, sound in enumerate(known) if (k in there if names is None else sound["name"] in names))
    return Corpus(audio, items, wanted, known)


def item_weights(corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """Probability of each row: by class weight, then by kind (real ones up to `REAL` times the synthesis), then evenly."""
    keys = [(corpus.items[i]["class"], corpus.items[i]["kind"]) for i in rows]
    count, sources, whole = Counter(keys), {}, Counter()
    for key, row in zip(keys, rows, strict=True):
        sources.setdefault(key, set()).add(corpus.items[row]["source"])
    share = {key: {"synthesis": 1.0, "recording": REAL * min(1.0, len(sources[key]) / ENOUGH)}.get(key[1], REAL)
             for key in sources}
    for (index, _), part in share.items():
        whole[index] += part
    weight = np.array([corpus.known[key[0]]["weight"] * share[key] / whole[key[0]] / count[key] for key in keys])
    return weight / weight.sum()
