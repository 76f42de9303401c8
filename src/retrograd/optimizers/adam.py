"""Adam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, POSITIVE, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["Adam"]


def _move(
    first: Any, second: Any, rate: Any, beta1: Any, beta2: Any, epsilon: Any, step: int, root: Any
) -> Any:
    first = first / (1 - beta1 ** (step + 1))
    second = second / (1 - beta2 ** (step + 1))
    return -rate * first / (root(second) + epsilon)


def square(gradient: Any, beta2: Any) -> Any:
    """What a squared gradient adds to its average."""
    return (1 - beta2) * gradient * gradient


@dataclass(frozen=True, eq=False, repr=False)
class Adam(Optimizer):
    """Adaptive moment estimation:

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g**2
        w <- w - rate * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + epsilon),  t = 1, 2, ...

    Args:
        rate: any finite number.
        beta1: decay of the first moment, in [0, 1).
        beta2: decay of the second moment, in [0, 1).
        epsilon: above 0.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights", 70 for "first" in two words and 96 for "second" in three, hold magnitudes
            below 262,144, 4,194,304 and 268,435,456 (gradients of 16,384). Over hundreds of steps
            the weights follow float64 Adam to 1e-6 for gradients of 1e-7 and more; smaller ones
            too, where epsilon hides them.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - hyper) ** 2)
        >>> w = rg.train(loss, np.zeros(2), np.ones(2), rg.Adam(rate=0.1), steps=100)
        >>> bool(np.abs(w - 1).max() < 0.1)
        True

    References:
        Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """

    rate: Any = 1e-3
    beta1: Any = 0.9
    beta2: Any = 0.999
    epsilon: Any = 1e-8

    program: ClassVar[Program] = Program(
        slots=("first", "second"),
        statements=(
            decay("first", "beta1"),
            add("first", "gradient", lambda beta1: 1 - beta1),
            decay("second", "beta2"),
            add("second", square, elementwise=True),
            add("weights", _move, elementwise=True),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {
        "beta1": FRACTION,
        "beta2": FRACTION,
        "epsilon": POSITIVE,
    }
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "first": 48, "second": 72}
    words: ClassVar[Mapping[str, int]] = {"second": 2}
