# SPDX-License-Identifier: GPL-3.0-or-later
"""Which words to ask a class of sound by."""

from __future__ import annotations

from server.models.embedded.vocabulary import CLASSES

_EXAMPLES = {sound.name: sound.example for sound in CLASSES}


def prompt_of(class_name: str) -> str:
    """The vocabulary's example prompt of a class; a name that is not in it stands for itself."""
    return _EXAMPLES.get(class_name) or class_name
