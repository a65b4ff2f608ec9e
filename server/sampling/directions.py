"""Posterior principal components: the directions in which x0 is most uncertain, given a noisy state.

In variance-preserving coordinates the posterior covariance is the Jacobian of the exact denoiser (Manor and Michaeli, "On
the posterior distribution in denoising"; arXiv:2402.10009, eq. 9, whose second line lacks one alpha),

    Cov[x0 | x_t] = (sigma_t^2 / alpha_t) d x0hat / d x_t,

so its largest eigenvectors are found by subspace iteration with Jacobian-vector products alone, no matrix. A trained
network's Jacobian is nearly symmetric; under guidance above 1 it is neither that nor a covariance, and its leading
invariant subspace is taken as it is, as the published code does.

What differs from algorithm 1 of the paper: products are exact, by forward-mode differentiation, where it divides a
difference by 1e-3; all levels go through the network together; an iteration ends with a Rayleigh-Ritz rotation, so that
every eigenvalue keeps its own vector and the order is that of size (the published code sorts one and not the other); and a
level stops when its subspace has settled, not after 50 rounds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from server.errors import ModelUnavailable
from server.sampling.levels import Level, Levels
from server.sampling.noise import KeyedNoise
from server.sampling.solve import Denoise

with warnings.catch_warnings():
    # torch reads these rules at the first derivative, with a remark on how it compiles them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._decomp.decompositions_for_jvp  # noqa: F401

EVALUATIONS = 2
"""What one Jacobian-vector product costs, in evaluations of the network: the value and its derivative."""
TOLERANCE, MAX_ITERATIONS = 0.1, 50
_DIFFERENCE = 0.02  # of the state, whose numbers are about 1: rounding and curvature are both small there
_AGREEMENT = 0.1

Path = Literal["auto", "forward", "difference"]


class Jacobian:
    """Jacobian-vector products of a denoiser: d x0hat / d x_t times v.

    path: "forward" differentiates the network in forward mode, exactly; "difference" takes a central difference in float32;
    "auto" is forward, and difference where an operation of the network has no forward derivative. After the first product
    it says which one is in use. Fused attention kernels have none, so attention runs in torch's plain one meanwhile. Where
    the network runs in half precision its exact derivative is rounded to a few percent, too coarse for a difference.
    """

    def __init__(self, denoise: Denoise, path: Path = "auto") -> None:
        self._denoise, self.path = denoise, path
        self._checked = False

    @torch.no_grad()
    def __call__(self, x: Tensor, level: Level, v: Tensor) -> Tensor:
        """J v, same shape as x [rows, ...] and v; `level` one for all rows or one per row.

        Raises:
            ModelUnavailable: neither way gives a derivative that can be trusted.
        """
        if self.path != "difference":
            try:
                answer = self._forward(x, level, v)
                self.path = "forward"
                return answer
            except (NotImplementedError, RuntimeError) as error:
                if self.path == "forward" or not _lacks_forward_mode(error):
                    raise
                self.path = "difference"
        return self._difference(x, level, v)

    def _forward(self, x: Tensor, level: Level, v: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
            answer = forward_ad.unpack_dual(self._denoise(forward_ad.make_dual(x, v), level)).tangent
        return torch.zeros_like(x) if answer is None else answer

    def _difference(self, x: Tensor, level: Level, v: Tensor) -> Tensor:
        answer = self._slope(x, level, v, _DIFFERENCE)
        if not self._checked:
            other = self._slope(x, level, v, 0.5 * _DIFFERENCE)
            apart = float((answer - other).norm() / answer.norm().clamp(min=1e-12))
            if apart > _AGREEMENT:
                raise ModelUnavailable(
                    f"vary needs the derivative of the network, and this one has none in forward mode; differences of "
                    f"{_DIFFERENCE:g} and half of it disagree by {apart:.0%}. Choose another model, or float32.")
            self._checked = True
        return answer

    def _slope(self, x: Tensor, level: Level, v: Tensor, size: float) -> Tensor:
        """Central difference over `size` (root mean square) either way along v."""
        lengths = v.flatten(1).square().mean(dim=1).sqrt().clamp(min=1e-20)
        step = (size / lengths).reshape(-1, *[1] * (v.ndim - 1))
        return (self._denoise(x + step * v, level) - self._denoise(x - step * v, level)) / (2.0 * step)


def _lacks_forward_mode(error: Exception) -> bool:
    return isinstance(error, NotImplementedError) or any(
        words in str(error) for words in ("forward AD", "forward mode", "jvp", "setup_context"))


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components at several levels, the largest first.

    vectors: [levels, n, ...] float32 on the CPU, orthonormal at each level; eigenvalues: [levels, n] float32, variances of
    x0 along them (0 where the estimate is negative); iterations: rounds that each level took; angle: sine of the largest
    angle by which each level's subspace still moved in its last round.
    """

    vectors: Tensor
    eigenvalues: Tensor
    iterations: tuple[int, ...]
    angle: tuple[float, ...]


def principal_components(
    jacobian: Jacobian,
    x: Tensor,
    levels: Levels,
    at: Sequence[int],
    n: int,
    noise: KeyedNoise,
    *,
    mask: Tensor | None = None,
    rows: int = 8,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    tick: Callable[[int], None] = lambda products: None,
) -> Components:
    """The `n` largest principal components of x0 given the states `x` at the levels `at`, all levels together.

    Args:
        jacobian: of a denoiser that takes any number of rows with one level each.
        x: states [levels, items, ...]. Items are the channels of one clip and move together: a direction is one for all
            of them, and what is diagonalised is the mean of their covariances.
        noise: keys the random start by (seed, level).
        mask: 1 where a direction may act, else 0, broadcasting to one item [...]: the components are then those of the
            covariance of that part alone.
        rows: most rows per call of the network.
        tolerance: sine of the largest angle between two rounds' subspaces at which a level has settled.
        tick: told how many products come next; may raise to stop.

    Raises:
        ValueError: more components than the part has numbers.
    """
    shape = tuple(x.shape[2:])
    keep = torch.ones(shape) if mask is None else mask.to("cpu", torch.float32).expand(shape)
    keep = keep.reshape(-1).double()
    if not 0 < n <= int(keep.sum()):
        raise ValueError(f"{n} components of {int(keep.sum())} numbers")
    scale = (levels.sigma[list(at)] ** 2 / levels.alpha[list(at)]).reshape(-1, 1)
    q = torch.stack([_orthonormal(torch.stack([_start(noise, i, k, shape) for k in range(n)]) * keep) for i in at])
    values, angle, iterations = torch.zeros(len(at), n).double(), [math.inf] * len(at), [0] * len(at)
    active = list(range(len(at)))
    while active:
        y = _products(jacobian, x, levels, at, active, q, shape, rows, tick) * keep
        for place, level in enumerate(active):
            values[level], q[level], angle[level] = _ritz(q[level], y[place])
            iterations[level] += 1
        active = [level for level in active if angle[level] > tolerance and iterations[level] < max_iterations]
    vectors = (q * keep).reshape(len(at), n, *shape).float()
    return Components(vectors, (values * scale).clamp(min=0.0).float(), tuple(iterations), tuple(angle))


def align_signs(vectors: Tensor) -> Tensor:
    """The vectors [levels, n, ...], noisiest level first, each with the sign of its neighbour before it.

    A component's sign is free, and opposite signs at neighbouring levels would undo one another. The paper flips below a
    threshold that it does not state (-0.8 in its code); here below 0, as flipping two unrelated vectors changes nothing.
    """
    products = (vectors[1:] * vectors[:-1]).flatten(2).sum(dim=2)
    signs = torch.where(products < 0.0, -1.0, 1.0).cumprod(dim=0)
    aligned = vectors.clone()
    aligned[1:] *= signs.reshape(*signs.shape, *[1] * (vectors.ndim - 2))
    return aligned


def _products(jacobian: Jacobian, x: Tensor, levels: Levels, at: Sequence[int], active: Sequence[int], q: Tensor,
              shape: tuple[int, ...], rows: int, tick: Callable[[int], None]) -> Tensor:
    """The mean over the items of J q, [active levels, n, numbers] float64 on the CPU."""
    n, items = q.shape[1], x.shape[1]
    wanted = [(level, k, item) for level in active for k in range(n) for item in range(items)]
    made = []
    for first in range(0, len(wanted), rows):
        some = wanted[first : first + rows]
        tick(len(some))
        states = torch.stack([x[level, item] for level, _, item in some])
        v = torch.stack([q[level, k] for level, k, _ in some]).float().reshape(-1, *shape).to(x.device)
        answer = jacobian(states, levels.at([at[level] for level, _, _ in some]), v)
        made.append(answer.to("cpu", torch.float32).flatten(1).double())
    return torch.cat(made).reshape(len(active), n, items, -1).mean(dim=2)


def _ritz(q: Tensor, y: Tensor) -> tuple[Tensor, Tensor, float]:
    """One round, of the basis q [n, numbers] and its products y: Ritz values, the next basis in their order, its angle."""
    small = q @ y.T
    values, turn = torch.linalg.eigh(0.5 * (small + small.T))
    values, turn = values.flip(0), turn.flip(1)
    after, before = _orthonormal(turn.T @ y), turn.T @ q
    after = after * torch.where((after * before).sum(dim=1, keepdim=True) < 0.0, -1.0, 1.0)
    cosine = float(torch.linalg.svdvals(before @ after.T).min().clamp(max=1.0))
    return values, after, math.sqrt(1.0 - cosine * cosine)


def _orthonormal(rows: Tensor) -> Tensor:
    return torch.linalg.qr(rows.T)[0].T


def _start(noise: KeyedNoise, level: int, k: int, shape: tuple[int, ...]) -> Tensor:
    """Random numbers for component k of a level, float64 [numbers]."""
    return noise.stream(f"component {k}")(level, shape)[0].reshape(-1).double()
