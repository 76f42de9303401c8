"""RMSprop, with and without momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, POSITIVE, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["RMSprop"]


def _square(gradient: Any, smoothing: Any) -> Any:
    return (1 - smoothing) * gradient * gradient


def _push(gradient: Any, second: Any, epsilon: Any, root: Any) -> Any:
    return -gradient / (root(second) + epsilon)


def _move(gradient: Any, second: Any, rate: Any, epsilon: Any, root: Any) -> Any:
    return -rate * gradient / (root(second) + epsilon)


_SECOND = (decay("second", "smoothing"), add("second", _square, elementwise=True))
_WITH_MOMENTUM = Program(
    slots=("second", "velocity"),
    statements=(
        *_SECOND,
        decay("velocity", "momentum"),
        add("velocity", _push, elementwise=True),
        add("weights", "velocity", "rate"),
    ),
)
_WITHOUT = Program(
    slots=("second",), statements=(*_SECOND, add("weights", _move, elementwise=True))
)


@dataclass(frozen=True, eq=False, repr=False)
class RMSprop(Optimizer):
    """Gradients divided by the root of their mean square, with momentum::

        s <- smoothing * s + (1 - smoothing) * g**2
        v <- momentum * v - g / (sqrt(s) + epsilon)
        w <- w + rate * v

    or, for a momentum of None, without: `w <- w - rate * g / (sqrt(s) + epsilon)`.

    Only with momentum can it be run backwards exactly: without, its weights move by the gradient
    directly, and it trains with another adjoint than `Reversible`.

    Args:
        rate: any finite number.
        smoothing: decay of the mean square, in [0, 1).
        momentum: in [0, 1), or None for none (the default).
        epsilon: above 0.
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights", 45 for "velocity" and, in two words, 83 for "second", hold magnitudes
            below 262,144, 16,384 and 4,194,304 (gradients of 2,048).

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.RMSprop(0.1, momentum=0.9).program.obstacle() is None
        True
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.RMSprop(0.5, smoothing=0.75, momentum=0.5)
        >>> rg.train(loss, np.zeros(2), np.array([-1.0, 3.0]), optimizer, steps=1).round(6)
        array([ 1., -1.])

    References:
        Tieleman & Hinton, "Lecture 6.5: RMSProp", Coursera, 2012; momentum and epsilon as in
        PyTorch's `RMSprop`.
    """

    rate: Any = 1e-2
    smoothing: Any = 0.99
    momentum: Any = None
    epsilon: Any = 1e-8

    domains: ClassVar[Mapping[str, Interval]] = {
        "smoothing": FRACTION,
        "momentum": FRACTION,
        "epsilon": POSITIVE,
    }
    words: ClassVar[Mapping[str, int]] = {"second": 2}

    @property
    def program(self) -> Program:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The program, which depends on whether there is momentum."""
        return _WITHOUT if self.momentum is None else _WITH_MOMENTUM

    @property
    def radixes(self) -> Mapping[str, int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The binary digits after the point of each slot of the program."""
        velocity = {} if self.momentum is None else {"velocity": 45}
        return {"weights": 44, "second": 83, **velocity}
