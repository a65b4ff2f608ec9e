from __future__ import annotations

import pytest
import torch

from server.sampling.noise import GivenNoise, KeyedNoise, _key

SHAPE = (3, 17)


def test_noise_is_bit_identical_whatever_the_batch():
    together = KeyedNoise(7, range(5))(12, SHAPE)
    for item in range(5):
        assert torch.equal(KeyedNoise(7, [item])(12, SHAPE)[0], together[item])
    assert torch.equal(KeyedNoise(7, [4, 1, 4])(12, SHAPE), together[[4, 1, 4]])


def test_noise_does_not_depend_on_what_was_drawn_before():
    noise = KeyedNoise(7, [0])
    late = noise(150, SHAPE)
    for step in range(20):
        noise(step, SHAPE)
    torch.randn(100)
    assert torch.equal(noise(150, SHAPE), late)


def test_seed_item_step_and_stream_all_matter():
    base = KeyedNoise(7, [0])
    others = [KeyedNoise(8, [0])(0, SHAPE), base.only([1])(0, SHAPE), base(1, SHAPE), base.initial(SHAPE)]
    others.append(base.stream("inversion")(0, SHAPE))
    assert not any(torch.equal(base(0, SHAPE), other) for other in others)
    assert torch.equal(base.initial(SHAPE), KeyedNoise(7, [0, 1]).initial(SHAPE)[:1])


def test_no_two_draws_of_a_stream_share_a_generator():
    assert len({_key(3, "step", item, step) for item in range(100) for step in range(1000)}) == 100_000
    for item, step in ((-1, 0), (0, 65536)):
        with pytest.raises(ValueError, match="item"):
            KeyedNoise(3, [item])(step, SHAPE)


def test_noise_is_standard_normal_and_uncorrelated():
    z = torch.stack([KeyedNoise(11, range(4))(step, (500,)) for step in range(50)]).double()
    assert z.dtype == torch.float64 and abs(float(z.mean())) < 0.01 and abs(float(z.std()) - 1) < 0.01
    flat = z.reshape(200, 500)
    correlation = (flat @ flat.T / 500).fill_diagonal_(0).abs().max()
    assert float(correlation) < 0.25  # 20 000 pairs: 5 deviations of 1/sqrt(500)


def test_term_scales_and_is_nothing_at_scale_0():
    noise = KeyedNoise(7, [0])
    assert torch.equal(noise.term(3, SHAPE, 0.5), 0.5 * noise(3, SHAPE))
    assert noise.term(3, SHAPE, 0.0) is None


def test_given_noise_replays_z_and_residual():
    z, residual = torch.ones(1, *SHAPE), torch.full((1, *SHAPE), 3.0)
    noise = GivenNoise({0: z, 1: z}, {1: residual})
    assert torch.equal(noise.term(0, SHAPE, 0.5), 0.5 * z)
    assert torch.equal(noise.term(1, SHAPE, 0.0), residual)
    assert noise.term(0, SHAPE, 0.0) is None
