"""Principal components, held against the covariance of a Gaussian, whose eigenvectors are known."""

from __future__ import annotations

import pytest
import torch

from server.errors import ModelUnavailable
from server.sampling.directions import Jacobian, align_signs, principal_components
from server.sampling.noise import KeyedNoise

SHAPE = (2, 6, 3)
SIZE = 36


class LinearGaussian:
    """x0 ~ N(0, C) with eigenvalues 4, 2, 1, then falling from 0.1: everything about its posterior is a matrix."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(5)
        self.basis = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=draw, dtype=torch.float64))[0]
        self.prior = torch.cat([torch.tensor([4.0, 2.0, 1.0]), torch.linspace(0.1, 0.01, SIZE - 3)]).double()
        self.rows = 0

    def __call__(self, x, level):
        self.rows += len(x)
        alpha, sigma = (v.reshape(-1, 1).double() for v in level.factors(x))
        gain = alpha * self.prior / (alpha**2 * self.prior + sigma**2)
        return ((x.flatten(1).double() @ self.basis * gain) @ self.basis.T).to(x).reshape(x.shape)

    def covariance(self, levels, i):
        """Cov[x0 | x_i], float64 [SIZE, SIZE]."""
        alpha, sigma = levels.alpha[i], levels.sigma[i]
        return self.basis @ torch.diag(self.prior * sigma**2 / (alpha**2 * self.prior + sigma**2)) @ self.basis.T


@pytest.fixture
def model():
    return LinearGaussian()


@pytest.fixture
def levels(audioldm2):
    return audioldm2(20)


def states(n_levels, items=1):
    return torch.randn(n_levels, items, *SHAPE, generator=torch.Generator().manual_seed(1))


def largest(matrix, n):
    values, vectors = torch.linalg.eigh(matrix)
    return values.flip(0)[:n], vectors.flip(1).T[:n]


def cosines(found, expected):
    return (found.flatten(1).double() * expected).sum(dim=1).abs()


@pytest.mark.parametrize("path", ["forward", "difference"])
def test_components_are_those_of_the_posterior_covariance(model, levels, path):
    at = [3, 10, 16]
    found = principal_components(Jacobian(model, path), states(3), levels, at, 3, KeyedNoise(1), tolerance=1e-4)
    for place, i in enumerate(at):
        values, vectors = largest(model.covariance(levels, i), 3)
        torch.testing.assert_close(found.eigenvalues[place].double(), values, rtol=1e-4, atol=0)
        assert cosines(found.vectors[place], vectors).min() > 1 - 1e-5
        gram = found.vectors[place].flatten(1) @ found.vectors[place].flatten(1).T
        torch.testing.assert_close(gram, torch.eye(3), rtol=0, atol=1e-6)


def test_levels_together_are_levels_alone_and_stop_by_themselves(model, levels):
    at = [2, 10, 18]
    x = states(3)
    together = principal_components(Jacobian(model), x, levels, at, 3, KeyedNoise(1), rows=4)
    for place, i in enumerate(at):
        alone = principal_components(Jacobian(model), x[place : place + 1], levels, [i], 3, KeyedNoise(1), rows=64)
        torch.testing.assert_close(together.vectors[place], alone.vectors[0], rtol=0, atol=1e-5)
        assert together.iterations[place] == alone.iterations[0]
    assert max(together.iterations) < 50 and max(together.angle) <= 0.1


def test_what_is_ticked_is_what_the_network_was_given(model, levels):
    products = []
    found = principal_components(Jacobian(model), states(2, items=2), levels, [4, 12], 3, KeyedNoise(1),
                                 rows=5, tick=products.append)
    assert max(products) <= 5 and sum(products) == model.rows == 3 * 2 * sum(found.iterations)


def test_inside_a_mask_they_are_those_of_the_part(model, levels):
    mask = torch.zeros(1, SHAPE[1], 1)
    mask[:, 2:4] = 1.0
    found = principal_components(Jacobian(model), states(1), levels, [8], 2, KeyedNoise(1), mask=mask,
                                 tolerance=1e-5, max_iterations=500)
    m = mask.expand(SHAPE).reshape(-1, 1).double()
    values, vectors = largest(m * model.covariance(levels, 8) * m.T, 2)
    torch.testing.assert_close(found.eigenvalues[0].double(), values, rtol=1e-3, atol=0)
    assert cosines(found.vectors[0], vectors).min() > 1 - 1e-3
    assert not (found.vectors[0] * (1 - mask)).any()


def test_more_components_than_numbers_are_refused(model, levels):
    with pytest.raises(ValueError, match="3 components of 2 numbers"):
        mask = torch.zeros(SHAPE).reshape(-1)
        mask[:2] = 1
        principal_components(Jacobian(model), states(1), levels, [8], 3, KeyedNoise(1), mask=mask.reshape(SHAPE))


def test_items_move_together_along_the_mean_of_their_covariances(levels):
    """Two channels whose networks know different things: the shared direction weighs both."""
    gains = torch.zeros(2, SIZE)
    gains[0, 0], gains[1, 1], gains[:, 2] = 0.9, 0.8, 0.6

    def denoise(x, level):
        which = torch.arange(len(x)) % 2
        return (x.flatten(1) * gains[which]).reshape(x.shape)

    found = principal_components(Jacobian(denoise), states(1, items=2), levels, [8], 3, KeyedNoise(1), rows=6,
                                 tolerance=1e-5)
    scale = float(levels.sigma[8] ** 2 / levels.alpha[8])
    torch.testing.assert_close(found.eigenvalues[0] / scale, torch.tensor([0.6, 0.45, 0.4]), rtol=1e-4, atol=0)
    assert found.vectors[0].flatten(1).abs().argmax(dim=1).tolist() == [2, 0, 1]


def curved(x, level):
    """A network with attention: what the fused kernels cannot differentiate forward."""
    tokens = x.reshape(len(x), 2, 6, 3)
    return torch.nn.functional.scaled_dot_product_attention(tokens, tokens, torch.sin(tokens)).reshape(x.shape)


def test_forward_mode_equals_the_difference_on_attention(levels):
    x, v = states(1)[0], states(2)[1]
    level = levels.at(8)
    forward, difference = Jacobian(curved), Jacobian(curved, "difference")
    torch.testing.assert_close(forward(x, level, v), difference(x, level, v), rtol=0, atol=2e-3)
    assert (forward.path, difference.path) == ("forward", "difference")
    assert not forward(x, level, v).requires_grad


class NoForward(torch.autograd.Function):
    """An operation with a backward rule alone, as custom kernels often are."""

    @staticmethod
    def forward(ctx, x):
        return torch.sin(x)

    @staticmethod
    def backward(ctx, g):
        raise AssertionError("nothing is differentiated backward here")


def test_an_operation_without_a_forward_rule_falls_back_to_a_checked_difference(levels):
    jacobian = Jacobian(lambda x, level: NoForward.apply(x))
    x, v = states(1)[0], states(2)[1]
    torch.testing.assert_close(jacobian(x, levels.at(8), v), torch.cos(x) * v, rtol=0, atol=2e-3)
    assert jacobian.path == "difference"


def test_a_network_too_coarse_to_differentiate_is_refused(levels):
    coarse = Jacobian(lambda x, level: torch.round(x * 64) / 64, "difference")
    with pytest.raises(ModelUnavailable, match="disagree"):
        coarse(states(1)[0], levels.at(8), states(2)[1])


def test_other_errors_of_the_network_are_not_taken_for_a_missing_derivative(levels):
    def broken(x, level):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        Jacobian(broken)(states(1)[0], levels.at(8), states(1)[0])


def test_signs_follow_the_noisier_neighbour():
    v = torch.nn.functional.normalize(torch.randn(1, 2, SIZE, generator=torch.Generator().manual_seed(3)), dim=2)
    signs = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]).unsqueeze(2)
    torch.testing.assert_close(align_signs(v * signs), v.expand(4, 2, SIZE), rtol=0, atol=0)
