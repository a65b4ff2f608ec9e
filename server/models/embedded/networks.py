"""The networks of the embedded model, as diffusers and transformers classes, and its mel front end."""

from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import (
    ClapTextConfig,
    ClapTextModelWithProjection,
    PreTrainedTokenizerFast,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)
from transformers.audio_utils import mel_filter_bank

from .format import CLIP_FRAMES, F_MAX, HOP, LATENT_CHANNELS, N_FFT, N_MELS, SAMPLE_RATE

TEXT_DIMENSION = 128
MAX_TOKENS = 48
MEL_PASSES = 8  # of `server.models.mel_correction`, after the vocoder
SCHEDULER = {
    "_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.0015, "beta_end": 0.0195,
    "beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1,
    "prediction_type": "v_prediction",
}


class LogMel(nn.Module):
    """Log-mel of 32 kHz mono: `[batch, samples]` to `[batch, 1, samples // 320, 64]`, natural log, floor 1e-5.

    STFT 1536/320 with a periodic Hann window and reflected edges, Slaney mel bands 0 to 16 kHz on magnitudes.
    """

    def __init__(self) -> None:
        super().__init__()
        bank = mel_filter_bank(N_FFT // 2 + 1, N_MELS, 0.0, F_MAX, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        spectrum = torch.stft(audio, N_FFT, HOP, window=self.window, center=True, return_complex=True).abs()
        mel = (spectrum.transpose(1, 2) @ self.bank).clamp(min=1e-5).log()
        return mel[:, None, :audio.shape[-1] // HOP]


def make_unet(channels: tuple[int, ...] = (40, 80, 112)) -> UNet2DConditionModel:
    """Noise predictor on `[batch, 16, frames, 8]`, conditioned on a text vector through the class labels."""
    unet = UNet2DConditionModel(
        sample_size=CLIP_FRAMES, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, block_out_channels=channels,
        layers_per_block=1, attention_head_dim=tuple(c // 16 for c in channels), norm_num_groups=8,
        cross_attention_dim=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=TEXT_DIMENSION,
        class_embeddings_concat=True,
    )
    with torch.no_grad():  # a unit vector of 128 entries has small entries, and the time code must not drown them
        unet.class_embedding.weight *= 2 * TEXT_DIMENSION**0.5
    return unet


def make_text_encoder(vocabulary_size: int, width: int = 128) -> ClapTextModelWithProjection:
    """Small RoBERTa-like text tower of the CLAP layout; `text_embeds` has `TEXT_DIMENSION` entries."""
    return ClapTextModelWithProjection(ClapTextConfig(
        vocab_size=vocabulary_size, hidden_size=width, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=2 * width, max_position_embeddings=MAX_TOKENS + 2, projection_dim=TEXT_DIMENSION,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, type_vocab_size=1, pad_token_id=1, bos_token_id=0,
        eos_token_id=2,
    ))


def make_vocoder(mel_mean: np.ndarray, mel_scale: np.ndarray, channels: int = 192) -> SpeechT5HifiGan:
    """HiFi-GAN of the SpeechT5 layout whose kernels give exactly 320 samples per mel frame."""
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(
        model_in_dim=N_MELS, sampling_rate=SAMPLE_RATE, upsample_initial_channel=channels, upsample_rates=[5, 4, 4, 4],
        upsample_kernel_sizes=[11, 8, 8, 8], resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3, normalize_before=True, mel_passes=MEL_PASSES,
        mel_n_fft=N_FFT,
    ))
    vocoder.mean.copy_(torch.as_tensor(mel_mean))
    vocoder.scale.copy_(torch.as_tensor(mel_scale))
    return vocoder


def make_tokenizer(captions: list[str], size: int = 1024) -> PreTrainedTokenizerFast:
    """Byte-level BPE over the captions: takes any UTF-8, lower-cases, cuts after `MAX_TOKENS` tokens."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(captions, trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    ))
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=MAX_TOKENS, clean_up_tokenization_spaces=False,
    )


def tokenise(tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Prompts as `(ids, mask)`, int64 `[batch, MAX_TOKENS]`, truncated and padded to that length."""
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    return batch["input_ids"], batch["attention_mask"]


def text_vector(text_encoder: ClapTextModelWithProjection, ids: Tensor, mask: Tensor) -> Tensor:
    """Unit-length conditioning vectors `[batch, TEXT_DIMENSION]`, as the AudioLDM layout computes them."""
    return nn.functional.normalize(text_encoder(input_ids=ids, attention_mask=mask).text_embeds, dim=-1)


def alphas_cumprod(n_steps: int = 1000) -> Tensor:
    """abar of the scaled-linear schedule, `[n_steps]` float32."""
    root = torch.linspace(SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5, n_steps, dtype=torch.float64)
    return torch.cumprod(1 - root**2, 0).float()


def count_parameters(*networks: nn.Module) -> int:
    """Number of parameters of the networks together."""
    return sum(p.numel() for net in networks for p in net.parameters())


def folder_size(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
