# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights in an ONNX file, without a package for it: initialisers by name, and which node reads which of them.

An ONNX file is a protocol buffer. Of its fields this needs few: model.graph (7), graph.node (1) and .initializer (5),
node.input (1), .name (3), tensor.dims (1), .data_type (2), .float_data (4), .int32_data (5), .name (8), .raw_data (9).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from server.errors import InvalidInput

_TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}


class OnnxWeights:
    """`tensors`: name to array, of the element types above; `inputs`: a node's name to the names of what it reads."""

    def __init__(self, data: bytes) -> None:
        """Raises InvalidInput if `data` is no ONNX file."""
        self.tensors: dict[str, np.ndarray] = {}
        self.inputs: dict[str, list[str]] = {}
        view = memoryview(data)
        try:
            for graph in _all(view, 7):
                for field, value in _fields(graph):
                    if field == 1:
                        self._add_node(value)
                    elif field == 5:
                        self._add_tensor(value)
        except (IndexError, TypeError, ValueError) as error:
            raise InvalidInput(f"This is no ONNX file that can be read: {error}.") from error

    def matrix(self, name: str) -> np.ndarray:
        """A weight by name, float32; one stored as `name_quantized` is (it - `name_zero_point`) * `name_scale`."""
        if name in self.tensors:
            return self.tensors[name].astype(np.float32)
        stored, zero, scale = (self.tensors[f"{name}_{part}"] for part in ("quantized", "zero_point", "scale"))
        return (stored.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)

    def _add_node(self, node: memoryview) -> None:
        fields = list(_fields(node))
        name = next((_text(value) for field, value in fields if field == 3), "")
        self.inputs[name] = [_text(value) for field, value in fields if field == 1]

    def _add_tensor(self, tensor: memoryview) -> None:
        shape: list[int] = []
        integers: list[int] = []
        name, kind, raw = "", 0, memoryview(b"")
        for field, value in _fields(tensor):
            if field in (1, 5):
                (shape if field == 1 else integers).extend([value] if isinstance(value, int) else _integers(value))
            elif field == 2:
                kind = value
            elif field == 8:
                name = _text(value)
            elif field in (4, 9):
                raw = value
        if kind in _TYPES and (len(raw) or integers):
            values = np.frombuffer(raw, _TYPES[kind]) if len(raw) else np.array(integers, np.uint64).astype(_TYPES[kind])
            self.tensors[name] = values.reshape(shape)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or bytes."""
    at = 0
    while at < len(data):
        key, at = _integer(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _integer(data, at)
            yield key >> 3, value
            continue
        size, at = _integer(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        yield key >> 3, data[at:at + size]
        at += size


def _all(data: memoryview, number: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(data) if field == number)


def _integer(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _integers(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _integer(data, at)
        yield value


def _text(value: int | memoryview) -> str:
    return bytes(value).decode()
