# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of an ONNX file as `onnx_weights` reads: tensors and nodes, written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

TYPES = {"float32": 1, "uint8": 2, "int64": 7}


def file(tensors: Mapping[str, np.ndarray], nodes: Mapping[str, Sequence[str]]) -> bytes:
    """Arrays of float32, uint8 or int64 by name, scalars in the typed fields as quantisation writes them; nodes' inputs."""
    graph = b"".join(_bytes(1, b"".join(_bytes(1, read.encode()) for read in inputs) + _bytes(3, name.encode()))
                     for name, inputs in nodes.items())
    graph += b"".join(_bytes(5, _tensor(name, value)) for name, value in tensors.items())
    return _integer(1 << 3) + _integer(8) + _bytes(7, graph)


def _tensor(name: str, value: np.ndarray) -> bytes:
    made = b"".join(_integer(1 << 3) + _integer(size) for size in value.shape)
    made += _integer(2 << 3) + _integer(TYPES[value.dtype.name]) + _bytes(8, name.encode())
    if value.ndim:
        return made + _bytes(9, value.tobytes())
    return made + (_bytes(4, value.tobytes()) if value.dtype == np.float32 else _bytes(5, _integer(int(value))))


def _bytes(field: int, data: bytes) -> bytes:
    return _integer(field << 3 | 2) + _integer(len(data)) + data


def _integer(value: int) -> bytes:
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])
