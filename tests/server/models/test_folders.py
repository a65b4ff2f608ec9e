# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

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
