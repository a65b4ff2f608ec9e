"""Stage `bank`: the model `mosaic`, a bank of training clips as latents that is its own denoiser (`server.models.patches`).

Nothing is trained: some clips of each class are encoded by the finished autoencoder, and the finished text tower says where
each class's captions lie.
"""

from collections import defaultdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from server.models.mel import log_mel
from server.models.patches import save_bank, write_index

from .captions import caption
from .corpus import Corpus
from .format import CLIP_SAMPLES, SPEC
from .latents import Vectors

PER_CLASS = 50  # clips of 4 kB: 10 MB in all
CAPTIONS = 64  # whose mean is a class's direction
MOST_SYNTHESIS = 0.34  # of a class's clips, where it has recordings enough
SHARPNESS = 40.0
WINDOWS = [[None, 3, 1]]
MEMORY_WINDOWS = [[-20.0, 1000, 0], [-12.0, 8, 1], [None, 3, 1]]
NOVELTY = {"slack": 1.2, "scales": [4, 1, 0]}
CHUNK = 32


def make_bank(corpus: Corpus, vae_folder: Path, vectors: Vectors, base: Path, out: Path, seed: int,
              per_class: int = PER_CLASS) -> int:
    """Write a model folder of the layout "patches" whose base is the model folder `base`; how many clips its bank holds.

    `vae_folder` holds the autoencoder of that base, `vectors` is its text tower.
    """
    vae = AutoencoderKL.from_pretrained(vae_folder, torch_dtype=torch.float32).eval()
    used = sorted(corpus.classes)
    rows = [chosen(corpus, index, per_class, seed) for index in used]
    clips = torch.cat([encoded(corpus, part, vae) for part in rows])
    classes = torch.tensor([place for place, part in enumerate(rows) for _ in part])
    directions = torch.stack([direction(corpus, index, vectors, seed) for index in used])
    config = {"classes": [corpus.names[index] for index in used], "sharpness": SHARPNESS, "windows": WINDOWS,
              "memory_windows": MEMORY_WINDOWS, "novelty": NOVELTY}
    save_bank(out, clips, classes, directions, config)
    write_index(out, base)
    return len(clips)


def chosen(corpus: Corpus, index: int, count: int, seed: int) -> list[int]:
    """Training clips of a class: of every source in turn, recorded before synthesised, few synthesised where it can be."""
    rng = np.random.default_rng([seed, 94, index])
    by_source: dict[str, list[int]] = defaultdict(list)
    synthesis = []
    for row in rng.permutation(corpus.of_split("train")).tolist():
        item = corpus.items[row]
        if item["class"] == index:
            (synthesis if item["kind"] == "synthesis" else by_source[item["source"]]).append(row)
    turns = zip_longest(*by_source.values())
    real = [row for turn in turns for row in turn if row is not None]
    made = synthesis[:max(count - len(real), round(MOST_SYNTHESIS * count) if len(by_source) < 8 else 0)]
    return [*real[:count - len(made)], *made][:count]


@torch.no_grad()
def encoded(corpus: Corpus, rows: list[int], vae: AutoencoderKL) -> Tensor:
    """Latents of corpus items `[rows, frames, channels * bands]`, each without its mean, its peak at 0.5."""
    parts = []
    for at in range(0, len(rows), CHUNK):
        audio = torch.from_numpy(np.asarray(corpus.audio[rows[at:at + CHUNK], :CLIP_SAMPLES])).float()
        audio = audio - audio.mean(1, keepdim=True)
        audio = audio * (0.5 / (audio.abs().amax(1, keepdim=True) + 1e-6))
        mean = vae.encode(log_mel(audio, SPEC)[:, None]).latent_dist.mode() * vae.config.scaling_factor
        parts.append(mean.transpose(1, 2).flatten(2))
    return torch.cat(parts)


def direction(corpus: Corpus, index: int, vectors: Vectors, seed: int) -> Tensor:
    """The unit mean of the text vectors of a class's captions, `[width]`."""
    rng = np.random.default_rng([seed, 95, index])
    items = [item for item in corpus.items if item["class"] == index and item["split"] == "train"]
    name = corpus.names[index]
    said = [caption(rng, [items[rng.integers(len(items))]], [name], False) for _ in range(CAPTIONS)]
    return F.normalize(vectors([*said, name]).mean(0), dim=0)
