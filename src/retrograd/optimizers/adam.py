"""Adam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, POSITIVE, Interval, Optimizer
from retrograd.optimizers.program import Program, Pullback, add, decay

__all__ = ["Adam"]


def _move(
    first: Any, second: Any, rate: Any, beta1: Any, beta2: Any, epsilon: Any, step: int, root: Any
) -> Any:
    length, floor = _corrected(beta1, beta2, epsilon, step)
    return first * (rate * length) / (root(second) + floor)


def _corrected(beta1: Any, beta2: Any, epsilon: Any, step: int) -> tuple[Any, Any]:
    """The corrections for the start at zero, where they are numbers: at the rate and epsilon."""
    root = (1 - beta2 ** (step + 1)) ** 0.5
    return -root / (1 - beta1 ** (step + 1)), epsilon * root


def _linearized_move(
    first: Any, second: Any, rate: Any, beta1: Any, beta2: Any, epsilon: Any, step: int, root: Any
) -> tuple[Any, Any]:
    length, floor = _corrected(beta1, beta2, epsilon, step)
    deviation = root(second)
    below = deviation + floor
    ans = first * (rate * length)
    ans /= below

    def pull(bar: Any) -> tuple[Any, Any, Any]:
        part = bar / below
        # One rate for all takes the sum over the elements, and needs no more.
        by_rate = (part @ first if isinstance(rate, float) else part * first) * length
        by_second = part * ans
        by_second *= -0.5
        part *= rate * length
        if not deviation.min() > 0:
            # Where the second moment is zero, so is the first; the limit is taken to be zero.
            deviation[deviation == 0] = float("inf")
        by_second /= deviation
        return part, by_second, by_rate

    return ans, pull


def square(gradient: Any, beta2: Any) -> Any:
    """What a squared gradient adds to its average."""
    return (1 - beta2) * gradient * gradient


def _linearized_square(gradient: Any, beta2: Any) -> tuple[Any, Any]:
    def pull(bar: Any) -> tuple[Any]:
        by_gradient = gradient * (2 * (1 - beta2))
        by_gradient *= bar
        return (by_gradient,)

    return square(gradient, beta2), pull


@dataclass(frozen=True, eq=False, repr=False)
class Adam(Optimizer):
    """Adaptive moment estimation::

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g**2
        w <- w - rate * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + epsilon),  t = 1, 2, ...

    Args:
        rate: any finite number.
        beta1: decay of the first moment, in [0, 1).
        beta2: decay of the second moment, in [0, 1).
        epsilon: above 0.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights", 47 for "first" and 83 for "second" in two words, hold magnitudes below
            262,144, 4,096 and 4,194,304 (gradients of 2,048). Over hundreds of steps the weights
            follow float64 Adam to 1e-6 of their moves for gradients from 1e-7 to 1e+3. The
            derivative in beta1 is that of first moments known to 2**-49, so of gradients g to about
            2**-49 / ((1 - beta1)**2 * g), relatively: for a beta1 of 0.999 and more, which
            averages over thousands of steps, give "first" more digits.

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
            add(
                "second",
                square,
                elementwise=True,
                pullback=Pullback(_linearized_square, ("gradient",)),
            ),
            add(
                "weights",
                _move,
                elementwise=True,
                pullback=Pullback(_linearized_move, ("first", "second", "rate")),
            ),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {
        "beta1": FRACTION,
        "beta2": FRACTION,
        "epsilon": POSITIVE,
    }
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "first": 47, "second": 83}
    words: ClassVar[Mapping[str, int]] = {"second": 2}
