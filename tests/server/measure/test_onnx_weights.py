# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from server.errors import InvalidInput
from server.measure.onnx_weights import OnnxWeights
from tests.server.measure import onnx_writing


def test_tensors_and_nodes_are_read() -> None:
    plain, counts = np.arange(600, dtype=np.float32).reshape(2, 300), np.array([3, 400], np.int64)
    read = OnnxWeights(onnx_writing.file({"a.weight": plain, "counts": counts}, {"/first/MatMul": ("x", "a.weight")}))
    assert np.array_equal(read.matrix("a.weight"), plain) and read.tensors["counts"].tolist() == [3, 400]
    assert read.inputs == {"/first/MatMul": ["x", "a.weight"]}


def test_a_quantised_matrix_is_brought_back() -> None:
    stored = np.array([[0, 130], [255, 131]], np.uint8)
    read = OnnxWeights(onnx_writing.file({"a_quantized": stored, "a_zero_point": np.array(130, np.uint8),
                                          "a_scale": np.array(0.5, np.float32)}, {}))
    assert read.matrix("a").tolist() == [[-65, 0], [62.5, 0.5]]


def test_what_is_no_onnx_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no ONNX file"):
        OnnxWeights(b"\x3a\xff\xff\xff")
