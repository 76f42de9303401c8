"""Adamax: Adam by the largest gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, POSITIVE, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay, raise_to

__all__ = ["Adamax"]


def _size(gradient: Any, epsilon: Any, xp: Any) -> Any:
    return xp.abs(gradient) + epsilon


def _move(first: Any, norm: Any, rate: Any, beta1: Any, step: int) -> Any:
    return -rate / (1 - beta1 ** (step + 1)) * first / norm


@dataclass(frozen=True, eq=False, repr=False)
class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root of the mean square::

        m <- beta1 * m + (1 - beta1) * g
        u <- max(beta2 * u, |g| + epsilon)
        w <- w - rate / (1 - beta1**t) * m / u,  t = 1, 2, ...

    The maximum forgets the smaller one of two numbers, which goes to the tape: where the gradient
    is larger than before, that costs as many bits as the old value has.

    Args:
        rate: any finite number.
        beta1: decay of the first moment, in [0, 1).
        beta2: decay of the largest gradient, in [0, 1).
        epsilon: above 0.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and, in two words, 69 for "first" and "norm", hold magnitudes below 262,144
            and 2**36.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> rg.train(loss, np.zeros(2), np.array([-1.0, 5.0]), rg.Adamax(0.5), steps=2).round(6)
        array([ 1., -1.])

    References:
        Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 2; with
        epsilon where PyTorch and optax have it.
    """

    rate: Any = 2e-3
    beta1: Any = 0.9
    beta2: Any = 0.999
    epsilon: Any = 1e-8

    program: ClassVar[Program] = Program(
        slots=("first", "norm"),
        statements=(
            decay("first", "beta1"),
            add("first", "gradient", lambda beta1: 1 - beta1),
            decay("norm", "beta2"),
            raise_to("norm", _size),
            add("weights", _move, elementwise=True),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {
        "beta1": FRACTION,
        "beta2": FRACTION,
        "epsilon": POSITIVE,
    }
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "first": 69, "norm": 69}
    words: ClassVar[Mapping[str, int]] = {"first": 2, "norm": 2}
