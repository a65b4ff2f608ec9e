# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from server.errors import InvalidOption, ModelUnavailable
from server.measure import named_embedding
from server.measure.embedded_embedding import EmbeddedEmbedding
from server.measure.named_embedding import hearing_of, vectors_of
from server.measure.vggish import FILE, Network, Sizes, Vggish


def test_without_a_name_it_is_what_ships_and_distances_are_taken_in_it() -> None:
    assert isinstance(hearing_of(""), EmbeddedEmbedding) and vectors_of("") is None


def test_vggish_is_for_distances_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(channels=(2, 2, 2, 2, 2, 2), hidden=3, outputs=4)
    torch.save(Network(sizes).state_dict(), tmp_path / FILE)
    monkeypatch.setattr(named_embedding, "Vggish", lambda source: Vggish(source, sizes=sizes))
    for name in (str(tmp_path), str(tmp_path / FILE)):
        assert isinstance(vectors_of(name), Vggish)
        with pytest.raises(InvalidOption, match="Say --fad"):
            hearing_of(name)
    with pytest.raises(InvalidOption, match="Say --fad vggish"):
        hearing_of("vggish")


def test_other_names_are_clap_s_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_embedding, "Clap", lambda name: name.upper())
    assert vectors_of("zerosep") == hearing_of("zerosep") == "ZEROSEP"
    monkeypatch.undo()
    with pytest.raises(ModelUnavailable, match="embedded embedding stands in"):
        vectors_of(str(tmp_path / "not" / "there"))
