"""The numbers of the waveform checkpoint: rates, transforms, and what each latent channel stands for.

A latent frame stands for 512 samples. Of the middle of the stereo image it holds two frames of a lapped transform (MDCT) up
to 2 kHz, of the side up to 0.25 kHz, both companded; above, how strong each band of noise is.
"""

SAMPLE_RATE = 32000
STRIDES = (16, 16, 2)  # samples to fine frames (2 kHz), to frames of lines (125 Hz), to latent frames
FINE, LINE_HOP, HOP = 16, 256, 512
MID_LINES, SIDE_LINES = 32, 4  # lines of the long MDCT that are kept, 62.5 Hz each
MID_BANDS = ((2,), (3,), (4,), (5,), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15))  # of the short MDCT, 1 kHz each
SIDE_BANDS = ((1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11, 12, 13, 14, 15))
N_LINES = MID_LINES + SIDE_LINES
N_BANDS = len(MID_BANDS) + len(SIDE_BANDS)
CHANNELS = 2 * N_LINES + N_BANDS  # lines of the first frame, of the second, levels
STEPS = 12  # of the ruler that levels are read from
LOUDEST_DB, SOFTEST_DB = -8.0, -86.0  # the ends of the ruler, of a coefficient of the short MDCT
