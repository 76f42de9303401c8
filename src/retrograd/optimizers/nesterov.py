"""Nesterov's accelerated gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["Nesterov"]


@dataclass(frozen=True, eq=False, repr=False)
class Nesterov(Optimizer):
    """Nesterov's accelerated gradient, with the gradient taken at the weights::

        v <- momentum * v - g
        w <- w + rate * (momentum * v - g)

    It cannot be run backwards exactly, because its weights move by the gradient directly: train
    with another adjoint than `Reversible`, or use `Momentum`.

    Args:
        rate: any finite number.
        momentum: in [0, 1).
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and 49 for "velocity", hold magnitudes below 262,144 and 1,024.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - hyper) ** 2)
        >>> optimizer = rg.Nesterov(0.125, 0.5)
        >>> rg.train(loss, np.zeros(2), np.ones(2), optimizer, steps=1, adjoint=rg.Stored())
        array([0.375, 0.375])

    References:
        Nesterov, "A method of solving a convex programming problem with convergence rate
        O(1/k^2)", 1983; in this form Sutskever, Martens, Dahl & Hinton, "On the importance of
        initialization and momentum in deep learning", ICML 2013, and PyTorch's `SGD`.
    """

    rate: Any
    momentum: Any = 0.9

    program: ClassVar[Program] = Program(
        slots=("velocity",),
        statements=(
            decay("velocity", "momentum"),
            add("velocity", "gradient", lambda: -1.0),
            add("weights", "velocity", lambda rate, momentum: rate * momentum),
            add("weights", "gradient", lambda rate: -rate),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {"momentum": FRACTION}
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "velocity": 49}
