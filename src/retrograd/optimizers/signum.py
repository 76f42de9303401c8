"""Signum: the sign of the velocity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

__all__ = ["Signum"]


def _move(velocity: Any, rate: Any, xp: Any) -> Any:
    return rate * xp.sign(velocity)


@dataclass(frozen=True, eq=False, repr=False)
class Signum(Optimizer):
    """Sign descent with momentum: every weight moves by the rate, whatever its gradient's size.

        v <- momentum * v - (1 - momentum) * g
        w <- w + rate * sign(v)

    The sign has the derivative 0, so the hypergradient reaches the rate and the initial weights
    directly, and nothing through the gradient: neither the momentum nor what the loss depends on.

    Args:
        rate: any finite number.
        momentum: in [0, 1).
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and, in two words, 69 for "velocity", hold magnitudes below 262,144 and
            2**36. A velocity that has decayed to a few units of its last digit has the sign
            of rounding; one that never was anything but 0 stays 0.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> rg.train(loss, np.zeros(3), np.array([-1.0, 0.0, 9.0]), rg.Signum(0.25), steps=2)
        array([ 0.5,  0. , -0.5])

    References:
        Bernstein, Wang, Azizzadenesheli & Anandkumar, "signSGD: Compressed Optimisation for
        Non-Convex Problems", ICML 2018, algorithm 2.
    """

    rate: Any
    momentum: Any = 0.9

    program: ClassVar[Program] = Program(
        slots=("velocity",),
        statements=(
            decay("velocity", "momentum"),
            add("velocity", "gradient", lambda momentum: momentum - 1),
            add("weights", _move, elementwise=True),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {"momentum": FRACTION}
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "velocity": 69}
    words: ClassVar[Mapping[str, int]] = {"velocity": 2}
