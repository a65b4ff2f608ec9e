# SPDX-License-Identifier: GPL-3.0-or-later
"""MusicLDM: AudioLDM's network trained on music, with a music CLAP as its text tower (Chen et al. 2023).

Its folder holds the whole CLAP model, of which the text half alone is loaded. Its own pipeline does not run with
transformers 5, whose `get_text_features` returns an object; here that plays no part.
"""

from __future__ import annotations

from server.models.audioldm import AudioLDM

LAYOUT = "musicldm"


class MusicLDM(AudioLDM):
    """16 kHz mono. The null prompt is the encoding of the empty text."""

    layout = LAYOUT
    guidance = 2.0  # as its own pipeline has it
