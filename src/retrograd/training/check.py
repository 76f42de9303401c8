"""Is a hypergradient right? Central differences of the objective along a random direction, judged.

A long run is a rough function: rounding, and the lattice, move its result a little, and a chaotic
run moves it a lot. So one difference quotient proves nothing. Many are taken, over steps that are
powers of two. Where the steps are too large the quotients bend, where they are too small they
scatter, and what they do tells how far each can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrograd.autodiff import tree
from retrograd.backends import Backend, backend_of
from retrograd.errors import ArgumentError

__all__ = ["HypergradientCheck", "check_hypergradient"]

Verdict = Literal["agrees", "disagrees", "inconclusive"]

# Steps along the direction, relative to the size of x: from where truncation counts to where
# rounding does.
_SCALES = tuple(2.0**-k for k in range(3, 37))
# Differences at neighbouring steps are compared in windows of so many.
_WINDOW = 4
# A gradient can be confirmed where its slope would show an error of this share of it, and refuted
# where the differences themselves are known this well.
_CONFIRMS = 1e-3
_REFUTES = 0.05
# A disagreement lies so many errors beyond the difference. No comparison is finer than the last.
_MARGIN = 5.0
_FINEST = 1e-9
# Steps are this many times longer than the distance of neighbouring floats of x.
_ROUGH = 2.0**10
# A scatter of so many roundings of the objective is that of a smooth function.
_SMOOTH = 1e4


@dataclass(frozen=True)
class HypergradientCheck:
    """What `check_hypergradient` found.

    Attributes:
        verdict: "agrees", "disagrees" or "inconclusive".
        slope: the gradient's derivative along the direction.
        difference: the numerical one, by central differences.
        error: the error that the numerical one may have.
        noise: the scatter of the objective's values, in the objective's units.
        step: the step along the direction that the numerical derivative was taken with.
        norm: the size that the slope would have along a typical direction.
    """

    verdict: Verdict
    slope: float
    difference: float
    error: float
    noise: float
    step: float
    norm: float

    def __str__(self) -> str:
        return (
            f"{self.verdict}: along a random direction the gradient gives {self.slope:.9g}, "
            f"central differences {self.difference:.9g} with an error of about {self.error:.1e} "
            f"(step {self.step:.1e}, noise of the objective about {self.noise:.1e})"
            f"{self._meaning()}"
        )

    def _meaning(self) -> str:
        apart = abs(self.slope - self.difference)
        if self.verdict == "agrees":
            return ""
        if self.verdict == "disagrees":
            return (
                f": they are {apart:.2e} apart. The gradient, or the differences of a loss with "
                "kinks, jumps or a random part, are wrong"
            )
        return (
            ": too rough to decide. The objective is noisy or chaotic at this distance; check a "
            "shorter run or a lower rate"
        )


def check_hypergradient(
    objective: Callable[[Any], Any], x: Any, gradient: Any = None, *, seed: int = 0
) -> HypergradientCheck:
    """Compare a gradient with central differences of the objective, along a random direction.

    Each leaf of `x` is moved in proportion to its own size. The steps go from an eighth of that
    down by powers of two. That step is used at which differences agree best with those at the
    steps next to it, and how well they agree there is the error. A gradient agrees if it lies
    within a few errors, and an error of a thousandth of it would have been seen. It disagrees if it
    lies farther off, and the differences are a smooth function's. All else is "inconclusive":
    noise, or a run so chaotic that the gradient is true at a point, but not at the distance of any
    step.

    Args:
        objective: a number, of a container of float arrays; evaluated about 70 times.
        x: where.
        gradient: a container like `x`; `retrograd.grad(objective)(x)` by default.
        seed: of the direction.

    Returns:
        The verdict and its numbers; print it.

    Raises:
        ArgumentError: `x` holds no float array, or `gradient` is not a container like it.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> def objective(rate):
        ...     w = rg.train(
        ...         lambda w, hyper, step: np.sum((w - 1) ** 4),
        ...         np.zeros(3),
        ...         None,
        ...         rg.Momentum(rate, 0.5),
        ...         steps=10,
        ...     )
        ...     return np.sum((w - 1) ** 2)
        >>> check_hypergradient(objective, 0.05).verdict
        'agrees'
        >>> check_hypergradient(objective, 0.05, gradient=-1.0).verdict
        'disagrees'
    """
    leaves, structure = tree.flatten(x)
    backend = backend_of(x)
    if not leaves or not all(map(backend.is_smooth, leaves)):
        raise ArgumentError(
            f"check_hypergradient: x is {x!r:.60}; give a container of float arrays, with whole "
            "numbers made floats"
        )
    found = _gradient(objective, x, backend) if gradient is None else gradient
    bars = [backend.to_host(bar) for bar in _alike(found, leaves, structure)]
    leaves = [backend.to_host(backend.value_of(leaf)) for leaf in leaves]
    rng = np.random.default_rng(seed)
    direction = [_direction(leaf, rng) for leaf in leaves]

    def along(t: float) -> float:
        moved = [np.asarray(a + t * d, a.dtype) for a, d in _pairs(leaves, direction)]
        with np.errstate(all="ignore"):
            value = objective(tree.unflatten(structure, backend.from_host(moved)))
            return float(backend.value_of(value))

    epsilon = max(float(np.finfo(leaf.dtype).eps) for leaf in leaves)
    products = [np.sum(np.asarray(b, float) * d) for b, d in _pairs(bars, direction)]
    parts = [np.linalg.norm(np.asarray(b, float) * d) for b, d in _pairs(bars, direction)]
    return _judged(float(np.sum(products)), float(np.linalg.norm(parts)), _Line(along, epsilon))


def _gradient(objective: Callable[[Any], Any], x: Any, backend: Backend) -> Any:
    """The gradient of the objective, by the library of its argument."""
    return backend.value_and_gradient(lambda x, hyper, step: objective(x), x, None, 0)[1]


class _Line:
    """Central differences along a line.

    Args:
        along: the objective as a function of the place on the line.
        epsilon: how finely places can be told apart, relative to the size of x.

    Attributes:
        steps: (K,), the steps.
        differences: (K,), the difference quotients; NaN where the objective is not finite.
        size: the objective's magnitude at 0.
    """

    def __init__(self, along: Callable[[float], float], epsilon: float) -> None:
        self.steps = np.array([step for step in _SCALES if step >= _ROUGH * epsilon])
        ends = np.array([[along(step), along(-step)] for step in self.steps])
        with np.errstate(all="ignore"):
            self.differences = (ends[:, 0] - ends[:, 1]) / (2 * self.steps)
        self.size = abs(along(0.0))

    def best(self) -> tuple[float, float, float, float]:
        """The derivative, its error, the noise of the objective, and the step.

        The scatter of the quotients within a window of neighbouring steps, extrapolated to step
        zero, is their error there: bending adds to it at large steps, noise at small ones. The
        objective's rounding sets a floor, whatever the scatter is by chance.
        """
        finer, coarser = self.differences[1:], self.differences[:-1]
        with np.errstate(all="ignore"):
            values = (4 * finer - coarser) / 3
        candidates = []
        for k in range(len(values) - _WINDOW + 1):
            window = values[k : k + _WINDOW]
            step = float(self.steps[k + _WINDOW // 2])
            if np.isfinite(window).all():
                floor = 4 * np.finfo(float).eps * self.size / step
                candidates.append((float(np.ptp(window)) + floor, float(np.median(window)), step))
        if not candidates:
            return math.nan, math.inf, math.inf, float(self.steps[0])
        error, value, step = min(candidates)
        return value, error, error * step, step


def _judged(slope: float, norm: float, line: _Line) -> HypergradientCheck:
    difference, error, noise, step = line.best()
    apart = abs(slope - difference)
    # The slope may be small by chance, where the direction is nearly orthogonal to the gradient.
    size = max(abs(slope), norm)
    smooth = noise <= _SMOOTH * np.finfo(float).eps * line.size
    verdict: Verdict = "inconclusive"
    if apart <= _MARGIN * error + _FINEST * size:
        if _MARGIN * error <= _CONFIRMS * size or (smooth and size == 0.0):
            verdict = "agrees"
    elif error <= _REFUTES * abs(difference) or smooth:
        verdict = "disagrees"
    return HypergradientCheck(verdict, slope, difference, error, noise, step, norm)


def _alike(gradient: Any, leaves: Sequence[Any], structure: Any) -> list[Any]:
    """The leaves of a gradient, which must be a container like x."""
    bars, found = tree.flatten(gradient)
    shapes = [np.shape(leaf) for leaf in leaves]
    if found != structure or [np.shape(bar) for bar in bars] != shapes:
        raise ArgumentError(
            f"check_hypergradient: gradient is {gradient!r:.60}, and x has leaves of the shapes "
            f"{shapes!s:.60}; give a container like x"
        )
    return bars


def _pairs(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(a, b, strict=True))


def _direction(leaf: Any, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random array like a leaf and of its size: entries of magnitude 0.5 to 1.5, any sign."""
    plain = np.asarray(leaf, float)
    size = float(np.sqrt(np.mean(plain * plain))) if plain.size else 1.0
    magnitude = rng.uniform(0.5, 1.5, plain.shape) * (size if size > 0 else 1.0)
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], plain.shape))
