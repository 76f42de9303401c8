"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["Lion"]


def _move(first: Any, gradient: Any, rate: Any, beta1: Any, xp: Any) -> Any:
    return -rate * xp.sign(beta1 * first + (1 - beta1) * gradient)


@dataclass(frozen=True, eq=False, repr=False)
class Lion(Optimizer):
    """The sign of an average of momentum and gradient; the momentum forgets at another rate::

        w <- w - rate * sign(beta1 * m + (1 - beta1) * g)
        m <- beta2 * m + (1 - beta2) * g

    It cannot be run backwards exactly, because its weights move by the gradient directly: train
    with another adjoint than `Reversible`, or use `Signum`. For its weight decay wrap it in
    `DecoupledDecay`. The sign has the derivative 0, so the hypergradient reaches the rate and the
    initial weights directly, and nothing through the gradient.

    Args:
        rate: any finite number.
        beta1: the share of the momentum in a move, in [0, 1).
        beta2: decay of the momentum, in [0, 1).
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and, in two words, 69 for "first", hold magnitudes below 262,144 and
            2**36.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> start, slopes = np.zeros(3), np.array([-1.0, 0.0, 9.0])
        >>> rg.train(loss, start, slopes, rg.Lion(0.25), steps=2, adjoint=rg.Stored())
        array([ 0.5,  0. , -0.5])

    References:
        Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023, algorithm 2.
    """

    rate: Any = 1e-4
    beta1: Any = 0.9
    beta2: Any = 0.99

    program: ClassVar[Program] = Program(
        slots=("first",),
        statements=(
            add("weights", _move, elementwise=True),
            decay("first", "beta2"),
            add("first", "gradient", lambda beta2: 1 - beta2),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {"beta1": FRACTION, "beta2": FRACTION}
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "first": 69}
    words: ClassVar[Mapping[str, int]] = {"first": 2}
