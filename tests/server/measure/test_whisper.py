# SPDX-License-Identifier: GPL-3.0-or-later
"""Whisper's first blocks as their package stores them, with weights made up here; nothing is downloaded."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from server.errors import InvalidInput
from server.measure import whisper
from tests.server.measure import onnx_writing

SECONDS = 0.5
MEMBER = "package/models/Xenova/whisper-tiny/onnx/encoder_model_quantized.onnx"


def package(folder: Path, data: bytes, member: str = MEMBER) -> Path:
    entry = tarfile.TarInfo(member)
    entry.size = len(data)
    with tarfile.open(folder / whisper.FILE, "w:gz", compresslevel=1) as tar:
        tar.addfile(entry, io.BytesIO(data))
    return folder / whisper.FILE


def stored(encoder: WhisperEncoder) -> bytes:
    """The encoder as an ONNX export with eight-bit matrices: each by a number, its node by the layer."""
    tensors: dict[str, np.ndarray] = {}
    nodes: dict[str, tuple[str, str]] = {}
    for name, value in encoder.state_dict().items():
        array = value.numpy()
        if not name.endswith(".weight") or "norm" in name or name.startswith("embed"):
            tensors[name] = array
            continue
        number = name
        if name.startswith("layers."):
            number = f"onnx::MatMul_{len(nodes)}"
            nodes[f"/{name.removesuffix('.weight').replace('.', '/').replace('layers/', 'layers.')}/MatMul_quant"] = (
                "x", f"{number}_quantized")
            array = array.T
        scale = np.float32(np.abs(array).max() / 127)
        tensors[f"{number}_quantized"] = np.ascontiguousarray(np.round(array / scale) + 128).astype(np.uint8)
        tensors |= {f"{number}_scale": np.array(scale, np.float32), f"{number}_zero_point": np.array(128, np.uint8)}
    return onnx_writing.file(tensors, nodes)


def test_features_are_those_of_two_blocks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = WhisperConfig(d_model=384, encoder_layers=3, encoder_attention_heads=6, encoder_ffn_dim=1536, num_mel_bins=80,
                           max_source_positions=25)
    encoder = WhisperEncoder(config).eval()
    network = whisper.load(package(tmp_path, stored(encoder)), SECONDS)
    audio = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    features = network(audio)
    mels = network.extractor(list(audio.numpy()), sampling_rate=16000, padding=False, return_tensors="pt")["input_features"]
    with torch.no_grad():
        _, first, second, *_ = encoder(mels[:, :, :50], output_hidden_states=True).hidden_states
    expected = torch.cat([first.mean(1), first.std(1, correction=0), second.mean(1), second.std(1, correction=0)], 1)
    assert features.shape == (2, whisper.N_FEATURES)
    assert (features - expected).abs().mean() < 0.02 * expected.abs().mean()  # eight bits a weight
    assert network.of_audio(audio[:, :4000], 8000).shape == (2, whisper.N_FEATURES)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no package/models"):
        whisper.load(package(tmp_path, b"", member="other"), SECONDS)
