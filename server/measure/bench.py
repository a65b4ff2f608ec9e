# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model is measured with: the loaded model in its studio, the sounds, the seed.

A part of the evaluation is a module with three functions:

    measure(bench, ...) -> dict           figures, JSON values alone, overall and per class; raises NotMeasured
    lines(figures) -> list[str]           the same as lines of Markdown
    findings(figures) -> list[Finding]    the rows that it gives to the table of aims, often one
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server.errors import AthanorError
from server.measure.embedded_embedding import EmbeddedEmbedding
from server.measure.embedding import Hearing, Vectors
from server.measure.held_out import HeldOut
from server.measure.studio import Studio
from server.models.base import Backbone
from server.models.embedded.corpus import Corpus

Report = Callable[[int, int, str], None]


class NotMeasured(AthanorError):
    """A part cannot be measured on this bench; the message says why and what would help."""

    code = "not_measured"


@dataclass(frozen=True)
class Finding:
    """One row of the table of aims: what was measured, the aim in words, the figure in words, and whether it is met.

    `met` is None where there is nothing to meet.
    """

    what: str
    aim: str
    figure: str
    met: bool | None


def _quietly(done: int, total: int, what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Bench:
    """Everything that a part may use.

    Attributes:
        studio: runs job kinds on the loaded model, any layout.
        folder: where a part may keep what is dear to make again (the judge) and put its pictures; it exists.
        held_out: sounds that no model was trained on, or None.
        corpus: the embedded model's corpus with its splits train, judge and test, or None.
        seed: everything random follows from it.
        data: which mixtures take the place of the usual ones, as `datasets.opened` reads it, or "".
        hearing: the embedding that clips are compared in: likeness, agreement with words, LPAPS, Frechet distances.
        fad: what Frechet distances are taken in instead, or None.
        report: called with (done, total, what) as a part goes on; may raise to stop it.
    """

    studio: Studio
    folder: Path
    held_out: HeldOut | None = None
    corpus: Corpus | None = None
    seed: int = 2026
    data: str = ""
    hearing: Hearing = field(default_factory=EmbeddedEmbedding)
    fad: Vectors | None = None
    report: Report = _quietly

    @property
    def backbone(self) -> Backbone:
        """The loaded model."""
        return self.studio.backbone

    @property
    def frechet_in(self) -> Vectors:
        """What Frechet distances are taken in."""
        return self.fad or self.hearing

    @property
    def heard_in(self) -> str:
        """The name of the embedding, and what Frechet distances are taken in where that is another."""
        return self.hearing.name + (f" (Frechet: {self.fad.name})" if self.fad else "")

    def need_seconds(self, seconds: float) -> None:
        """Raises NotMeasured where the model does not render clips that long."""
        facts = self.backbone.facts
        if seconds > facts.max_s:
            raise NotMeasured(f"This needs clips of {seconds:g} s; {facts.name} renders up to {facts.max_s:.2f} s.")

    def need_held_out(self) -> HeldOut:
        """The held-out sounds. Raises NotMeasured."""
        if self.held_out is None:
            raise NotMeasured("This needs the held-out sounds: fetch them with `python -m server.measure.fetch DIR` and "
                              "say `--held-out DIR`.")
        return self.held_out

    def need_corpus(self) -> Corpus:
        """The corpus. Raises NotMeasured."""
        if self.corpus is None:
            raise NotMeasured("This needs the corpus that the embedded model is trained on: build it with "
                              "`python -m server.models.embedded.train` and say `--corpus DIR`.")
        return self.corpus
