# SPDX-License-Identifier: GPL-3.0-or-later
"""CLAP as the papers measure with it: CLAP-A, CLAP-T, FAD and LPAPS features, with transformers' ClapModel.

ZeroSep measures with LAION's `630k-audioset-best.pt` (HTSAT-tiny, no fusion). `laion/clap-htsat-unfused` on the hub holds
the same weights according to LAION (its CLAP repository, issue 123).

The editing paper measures with `music_audioset_epoch_15_esc_90.14.pt` (HTSAT-base, no fusion). `laion/larger_clap_music` on
the hub is of that family, but is reported to give other results (issue 172): its figures are not the paper's. Its text
projection is reported to be broken, all words lying within a cosine of 0.999 (mteb, issue 5069): it compares sounds, and
agreement with words is not taken from it (`Clap.hears_words`). For the paper's, give a folder with the converted file.

The commits below are pinned because public code pins them (docs/MODEL_READINESS_V1.md of jannekbuengener/sample-brain;
larger_clap_music's by several projects). The first one's main branch has its weights as a pickle alone: the commit is that
of the hub's conversion to safetensors. The second one has nothing but a pickle, which is read as weights alone.

To convert a LAION file into a folder: the script `convert_clap_original_pytorch_to_hf.py` of transformers before 5, then
`save_pretrained(..., safe_serialization=True)`, and tokenizer and feature extractor of the hub model beside it. Figures of
two checkpoints never compare. Nothing here was run with the real weights: its tests have the real classes at toy size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import huggingface_hub as hub
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.audio import Clip
from server.errors import ModelUnavailable
from server.measure.ten_seconds import repeated, windows
from server.models.components import load_config, load_module, load_tokenizer, transformers
from server.models.prediction import token_ids

CHECKPOINTS: Mapping[str, str] = {"zerosep": "laion/clap-htsat-unfused", "editing": "laion/larger_clap_music"}
"""Hub id by paper."""
REVISIONS: Mapping[str, str] = {
    "laion/clap-htsat-unfused": "79b58ed25fc00386262a2bea4b19fd21dc4310a0",
    "laion/larger_clap_music": "a0b4534a14f58e20944452dff00a22a06ce629d1",
}
"""Commit by hub id; of others the newest is taken."""
_PICKLE = "pytorch_model.bin"
_UNLIKE = ("a dog barking", "a church organ", "heavy rain on a roof", "a man speaking")
_ALIKE = 0.99
"""Cosine above which a text tower cannot tell prompts apart; working ones have 0.2 to 0.3 between such as the above."""


class Clap:
    """A loaded CLAP: audio and text as unit vectors, and the features of its audio stages.

    source: a key of CHECKPOINTS, a hub id, or a folder in transformers' layout. hears_words: whether its text tower tells
    prompts apart; otherwise an agreement with words means nothing.

    Raises:
        ModelUnavailable: it cannot be had, or cannot be loaded.
    """

    hears_words: bool

    def __init__(self, source: str, device: str = "cpu") -> None:
        folder = _folder(CHECKPOINTS.get(source, source))
        self.name = CHECKPOINTS.get(source, source)
        pickled = not any(folder.glob("*.safetensors")) and (folder / _PICKLE).is_file()
        self.model = load_module(transformers.ClapModel, folder.parent, folder.name, pickled).to(device)
        self.tokenizer = load_tokenizer(folder.parent, folder.name)
        self.extractor = load_config(transformers.ClapFeatureExtractor, folder.parent, folder.name)
        words = self.text(_UNLIKE)
        self.hears_words = bool((words @ words.T)[~np.eye(len(words), dtype=bool)].mean() < _ALIKE)

    @torch.no_grad()
    def windows(self, clip: Clip) -> np.ndarray:
        """Unit vectors float32 [n, d], one for each 10 s of a clip."""
        made = self.model.get_audio_features(self._heard(clip))
        return F.normalize(made.pooler_output, dim=-1).float().cpu().numpy()

    @torch.no_grad()
    def text(self, prompts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, d] of prompts. Raises InvalidOption for one that is too long."""
        limit = min(self.tokenizer.model_max_length, 77)
        made = [self.model.get_text_features(token_ids(self.tokenizer, prompt, limit, self.name).to(self.model.device))
                for prompt in prompts]
        return F.normalize(torch.cat([one.pooler_output for one in made]), dim=-1).float().cpu().numpy()

    def text_agreement(self, clip: Clip, prompt: str) -> float:
        """CLAP-T: mean cosine of a clip's windows and a prompt, -1 to 1."""
        return float((self.windows(clip) @ self.text([prompt])[0]).mean())

    @torch.no_grad()
    def stages(self, clip: Clip) -> list[list[Tensor]]:
        """Of every window the features [tokens, channels] behind each stage, behind its merging of patches, for `lpaps`."""
        found: list[Tensor] = []
        layers = self.model.audio_model.audio_encoder.layers
        hooks = [layer.register_forward_hook(lambda module, given, made: found.append(made[0])) for layer in layers]
        try:
            self.model.get_audio_features(self._heard(clip))
        finally:
            for hook in hooks:
                hook.remove()
        return [[stage[k] for stage in found] for k in range(len(found[0]))]

    def _heard(self, clip: Clip) -> Tensor:
        """Mel spectrograms of a clip's windows, the last one filled up by repetition."""
        rate = self.extractor.sampling_rate
        whole = [repeated(part, self.extractor.nb_max_samples) for part in windows(clip, rate, self.extractor.max_length_s)]
        # Windows are as long as the extractor takes, so that its random cut has nothing to cut.
        made = self.extractor(whole, sampling_rate=rate, truncation="rand_trunc", padding="repeatpad", return_tensors="pt")
        return made["input_features"].to(self.model.device, torch.float32)


def _snapshot(source: str) -> Path:
    """The files of a hub model, from the cache where they are there; the pickle where it has no safetensors."""
    def fetch(*weights: str) -> Path:
        return Path(hub.snapshot_download(source, revision=REVISIONS.get(source),
                                          allow_patterns=["*.json", "*.txt", *weights]))

    folder = fetch("*.safetensors")
    return folder if any(folder.glob("*.safetensors")) else fetch(_PICKLE)


def _folder(source: str) -> Path:
    if Path(source).is_dir():
        return Path(source).resolve()
    try:
        return _snapshot(source)
    except (hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError, hub.errors.HFValidationError, OSError) as error:
        raise ModelUnavailable(f"CLAP cannot be had from {source!r} ({type(error).__name__}). Give one of "
                               f"{', '.join(CHECKPOINTS)}, a hub id, or a folder with its files; without network the "
                               "embedded embedding stands in.") from error
