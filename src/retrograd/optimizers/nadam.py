"""Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.adam import square
from retrograd.optimizers.optimizer import FRACTION, NOT_NEGATIVE, POSITIVE, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["NAdam"]


def _momentum(beta1: Any, momentum_decay: Any, step: int) -> Any:
    """The momentum of a step: it grows from half of beta1 to beta1."""
    return beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))


def _gain(gradient: Any, beta1: Any, momentum_decay: Any, step: int) -> Any:
    return 0 * gradient + (1 - _momentum(beta1, momentum_decay, step))


def _move(
    first: Any,
    second: Any,
    bias: Any,
    gradient: Any,
    rate: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
    momentum_decay: Any,
    step: int,
    root: Any,
) -> Any:
    now, following = (_momentum(beta1, momentum_decay, t) for t in (step, step + 1))
    first = following * first / (1 - following * (1 - bias))
    ahead = first + (1 - now) * gradient / bias
    return -rate * ahead / (root(second / (1 - beta2 ** (step + 1))) + epsilon)


@dataclass(frozen=True, eq=False, repr=False)
class NAdam(Optimizer):
    """Adam that looks ahead by the momentum of the next step, which grows from step to step::

        p(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2),  t = 1, 2, ...
        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g**2
        b <- p(t) * b + 1 - p(t)
        w <- w - rate * (p(t + 1) * m / (1 - p(t + 1) * (1 - b)) + (1 - p(t)) * g / b)
                 / (sqrt(s / (1 - beta2**t)) + epsilon)

    where b is 1 minus the product of the momenta so far. It cannot be run backwards exactly,
    because its weights move by the gradient directly: train with another adjoint than
    `Reversible`, or use `Adam`.

    Args:
        rate: any finite number.
        beta1: decay of the first moment, in [0, 1).
        beta2: decay of the second moment, in [0, 1).
        epsilon: above 0.
        momentum_decay: how fast the momentum grows, at least 0.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights", 49 for "bias" and, in two words, 69 for "first" and 83 for "second", hold
            magnitudes below 262,144 (weights), 2**36 (first moments) and 4,194,304 (second
            moments: gradients of 2,048).

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - hyper) ** 2)
        >>> adjoint = rg.Stored()
        >>> w = rg.train(loss, np.zeros(2), np.ones(2), rg.NAdam(0.1), 100, adjoint=adjoint)
        >>> bool(np.abs(w - 1).max() < 0.1)
        True

    References:
        Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop 2016; the momenta as in
        PyTorch's `NAdam`.
    """

    rate: Any = 2e-3
    beta1: Any = 0.9
    beta2: Any = 0.999
    epsilon: Any = 1e-8
    momentum_decay: Any = 4e-3

    program: ClassVar[Program] = Program(
        slots=("first", "second", "bias"),
        statements=(
            decay("first", "beta1"),
            add("first", "gradient", lambda beta1: 1 - beta1),
            decay("second", "beta2"),
            add("second", square, elementwise=True),
            decay("bias", _momentum),
            add("bias", _gain, elementwise=True),
            add("weights", _move, elementwise=True),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {
        "beta1": FRACTION,
        "beta2": FRACTION,
        "epsilon": POSITIVE,
        "momentum_decay": NOT_NEGATIVE,
    }
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "first": 69, "second": 83, "bias": 49}
    words: ClassVar[Mapping[str, int]] = {"first": 2, "second": 2}
