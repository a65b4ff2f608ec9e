# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from server.models.catalogue import Source, find
from server.models.embedded.vocabulary import NAMES
from server.models.vocabularies import NAME, vocabulary_of, write_vocabulary


def test_the_embedded_model_knows_its_classes_by_group():
    words = vocabulary_of(find("embedded"))
    assert [word["name"] for word in words] == list(NAMES)
    assert all(word["group"] and word["example"] for word in words)
    groups = [word["group"] for word in words]
    begins = sum(a != b for a, b in zip(groups, ["", *groups[:-1]], strict=True))
    assert begins == len(set(groups)), "each group in one piece"


@pytest.mark.parametrize("name", ["mosaic", "waveform"])
def test_the_other_models_that_ship_know_the_same_words(name):
    assert vocabulary_of(find(name)) == vocabulary_of(find("embedded"))


def test_an_own_model_s_words_are_read_back(tmp_path):
    words = [{"group": "own", "name": "gravé", "example": "steps on gravel"}]
    write_vocabulary(tmp_path, words)
    assert vocabulary_of(Source("mine", str(tmp_path))) == words


@pytest.mark.parametrize("content", ["", "{}", '[{"name": "x"}]', "[1]"])
def test_a_broken_list_is_no_list(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    assert vocabulary_of(Source("mine", str(tmp_path))) == []


def test_a_hub_model_takes_words_freely():
    assert vocabulary_of(find("audioldm2")) == []
