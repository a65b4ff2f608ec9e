"""The numbers that every part of the recipe shares: sample rate, mel, clip and latent sizes. No torch."""

from server.models.mel_spec import MelSpec

SAMPLE_RATE = 32000
HOP = 320  # 10 ms
N_FFT = 1536  # 48 ms: short enough for attacks, long enough to tell the partials of a low tone apart
N_MELS = 64
F_MAX = 16000.0
SPEC = MelSpec(SAMPLE_RATE, N_FFT, HOP, N_MELS, 0.0, F_MAX)
LATENT_CHANNELS = 8
FOLD = 8  # mel frames per latent frame, and mel bands per latent band
CLIP_SAMPLES = 163840  # 5.12 s = 512 mel frames = 64 latent frames
CLIP_FRAMES = CLIP_SAMPLES // HOP // FOLD
ITEM_SAMPLES = 192000  # 6 s
