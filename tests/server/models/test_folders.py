# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shutil

import pytest

from server.models import tiny
from server.models.catalogue import LAYOUT_OF_PIPELINE
from server.models.folders import PARTS, check_model, missing_parts


def test_every_layout_has_its_parts(tiny_folder):
    assert set(PARTS) == set(LAYOUT_OF_PIPELINE.values())
    for layout in [*tiny.LAYOUTS, "patches"]:
        check_model(tiny_folder(layout), layout)


@pytest.mark.parametrize("part", ["vocoder", "tokenizer"])
def test_a_part_that_is_gone_is_missed(tiny_folder, tmp_path, part):
    folder = shutil.copytree(tiny_folder("tango"), tmp_path / "tango")
    shutil.rmtree(folder / part)
    assert missing_parts(folder, "tango") == [part]


def test_all_files_of_weights_in_several_are_needed(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder("tango"), tmp_path / "tango")
    part = folder / "text_encoder"
    first, second = (part / f"model-0000{k}-of-00002.safetensors" for k in (1, 2))
    index = part / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": first.name, "b": second.name}}), encoding="utf-8")
    assert missing_parts(folder, "tango") == [], "one file with everything is enough"
    (part / "model.safetensors").rename(first)
    assert missing_parts(folder, "tango") == ["text_encoder"]
    shutil.copy(first, second)
    assert missing_parts(folder, "tango") == []
    index.write_text("{", encoding="utf-8")
    assert missing_parts(folder, "tango") == ["text_encoder"]
