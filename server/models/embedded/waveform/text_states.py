"""What the waveform model hears of a prompt: states of a small T5, each of which says the whole sentence.

A small transformer is slow to learn where in a sentence to look. Here there is nothing to look for: every token's state
is, as nearly as a small encoder can, the sentence vector of the text tower that it was taught by.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from ..text_tower import TEXT_DIMENSION, make_tokenizer

MAX_TOKENS = 32
SCALE = TEXT_DIMENSION**0.5  # a unit vector times this has entries of about unit size
PROJECTION = "text_projection.safetensors"
SIZES = {"d_model": 256, "d_kv": 64, "num_heads": 4, "num_layers": 3, "d_ff": 768}


class TextStates:
    """Prompts to token states, as the Stable Audio layout computes them: T5, then one linear map."""

    def __init__(self, encoder: T5EncoderModel, projection: nn.Linear, tokenizer: PreTrainedTokenizerFast) -> None:
        self.encoder, self.projection, self.tokenizer = encoder, projection, tokenizer
        for part in (encoder, projection):
            part.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> "TextStates":
        """What `save` wrote, in float32. Raises OSError where it is not."""
        encoder = T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        projection = nn.Linear(encoder.config.d_model, TEXT_DIMENSION)
        projection.load_state_dict({key: value.float() for key, value in load_file(folder / PROJECTION).items()})
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
        return cls(encoder.to(device), projection.to(device), tokenizer)

    def save(self, folder: Path) -> None:
        """Write `text_encoder` and `text_projection.safetensors` (float16) and `tokenizer` into a folder."""
        half = T5EncoderModel(self.encoder.config).half()
        half.load_state_dict(self.encoder.state_dict())
        half.save_pretrained(folder / "text_encoder")
        save_file({key: value.half().cpu().contiguous() for key, value in self.projection.state_dict().items()},
                  folder / PROJECTION)
        self.tokenizer.save_pretrained(folder / "tokenizer")

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States `[prompts, 32, 128]` float32, zero behind each prompt's tokens, and which tokens are its own, bool.

        The states of a prompt do not depend on the others; a prompt is cut after 32 tokens.
        """
        ids, mask = tokens_of(self.tokenizer, prompts)
        states = torch.zeros(*ids.shape, TEXT_DIMENSION, device=self.encoder.device)
        for places in similar(mask.sum(1)):
            own = mask[places, :int(mask[places].sum(1).max())].to(states.device)
            states[places, :own.shape[1]] = self.states(ids[places, :own.shape[1]].to(states.device), own)
        return states, mask.to(states.device)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Projected states `[batch, tokens, 128]` of ids and bool mask `[batch, tokens]`, zero where the mask is false."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return self.projection(hidden) * mask[..., None]

    def vectors(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors `[prompts, 128]`, the mean over each prompt's tokens: what the text tower would say."""
        return F.normalize(self(prompts)[0].sum(1), dim=-1)


def tokens_of(tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and bool mask `[prompts, 32]`, padded behind."""
    rows = tokenizer(list(prompts), padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    return rows["input_ids"], rows["attention_mask"].bool()


def similar(lengths: Tensor, batch: int = 128) -> Iterator[Tensor]:
    """Places of rows in batches of similar length, so that little is computed for padding."""
    return iter(lengths.argsort(stable=True).split(batch))


def make_encoder(n_pieces: int) -> T5EncoderModel:
    """A fresh encoder for ids below `n_pieces`, padding 0, no dropout."""
    return T5EncoderModel(T5Config(vocab_size=n_pieces, pad_token_id=0, eos_token_id=3, dropout_rate=0.0, **SIZES))


def short_tokenizer(pieces: Sequence[str]) -> PreTrainedTokenizerFast:
    """The text tower's tokenizer, but for a limit of 32 tokens, to which diffusers' pipeline pads."""
    tokenizer = make_tokenizer(pieces)
    tokenizer.model_max_length = MAX_TOKENS
    return tokenizer
