"""Gradient descent, without momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import Optimizer
from retrograd.optimizers.program import Program, add

__all__ = ["SGD"]


@dataclass(frozen=True, eq=False, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent, without momentum::

        w <- w - rate * g

    It cannot be run backwards exactly, because its weights move by the gradient directly: train
    with another adjoint than `Reversible`, or use `Momentum`.

    Args:
        rate: any finite number.
        radix: binary digits after the point on the lattice, by slot. The default, 44 for
            "weights", holds magnitudes below 262,144.

        The rate is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - hyper) ** 2)
        >>> rg.train(loss, np.zeros(2), np.ones(2), rg.SGD(0.25), steps=3, adjoint=rg.Stored())
        array([0.875, 0.875])

    References:
        Robbins & Monro, "A stochastic approximation method", 1951.
    """

    rate: Any

    program: ClassVar[Program] = Program(
        slots=(), statements=(add("weights", "gradient", lambda rate: -rate),)
    )
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44}
