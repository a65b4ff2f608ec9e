"""What stands between text, times and the network in the Stable Audio layout: one linear map and two codes of seconds."""

import torch
from diffusers import StableAudioProjectionModel

from ..text_tower import TEXT_DIMENSION
from .text_states import TextStates

FIRST_S, LAST_S = 0, 11  # the seconds that a number code tells apart; a clip ends within them


def make_projection(text: TextStates) -> StableAudioProjectionModel:
    """A projection model with the text encoder's own linear map and fresh codes for the first and the last second.

    Its answers are of width 128: text states `[batch, tokens, 128]`, seconds `[batch, 1, 128]` each.
    """
    width = text.encoder.config.d_model
    projection = StableAudioProjectionModel(width, TEXT_DIMENSION, min_value=FIRST_S, max_value=LAST_S)
    with torch.no_grad():
        projection.text_projection.load_state_dict(text.projection.state_dict())
    return projection
