"""Gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["Momentum"]


@dataclass(frozen=True, eq=False, repr=False)
class Momentum(Optimizer):
    """Stochastic gradient descent with momentum (the heavy ball)::

        v <- momentum * v - (1 - dampening) * g
        w <- w + rate * v

    With `dampening=momentum`, the velocity is an average of gradients, as in the paper below.

    Args:
        rate: any finite number.
        momentum: in [0, 1).
        dampening: any finite number; 0 by default.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and 49 for "velocity", hold magnitudes below 262,144 and 1,024.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - hyper) ** 2)
        >>> def final_loss(rate):
        ...     w = rg.train(loss, np.zeros(2), np.ones(2), rg.Momentum(rate, 0.5), steps=20)
        ...     return np.sum((w - 1) ** 2)
        >>> bool(rg.grad(final_loss)(0.01) < 0)  # a higher rate would have trained further
        True

    References:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964;
        Maclaurin, Duvenaud & Adams, "Gradient-based Hyperparameter Optimization through
        Reversible Learning", ICML 2015, algorithm 1.
    """

    rate: Any
    momentum: Any = 0.9
    dampening: Any = 0.0

    program: ClassVar[Program] = Program(
        slots=("velocity",),
        statements=(
            decay("velocity", "momentum"),
            add("velocity", "gradient", lambda dampening: dampening - 1),
            add("weights", "velocity", "rate"),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {"momentum": FRACTION}
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "velocity": 49}
