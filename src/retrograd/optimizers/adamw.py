"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from retrograd.optimizers.adam import Adam
from retrograd.optimizers.decoupled_decay import kept
from retrograd.optimizers.optimizer import NOT_NEGATIVE, Interval
from retrograd.optimizers.program import POSITION, Decay, Program

__all__ = ["AdamW"]


@dataclass(frozen=True, eq=False, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: the weights shrink on their own, past the moments.

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g**2
        w <- (1 - rate * decay) * w
        w <- w - rate * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + epsilon),  t = 1, 2, ...

    The moments come first, so that the program can be run backwards; the weights are the same.

    Args:
        rate: any finite number, such that `rate * decay` lies in [0, 1].
        beta1: decay of the first moment, in [0, 1).
        beta2: decay of the second moment, in [0, 1).
        epsilon: above 0.
        decay: decay of the weights, at least 0.
        radix: binary digits after the point on the lattice, by slot; the defaults are `Adam`'s, of
            which "weights" then holds magnitudes below 65,536.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.AdamW(rate=0.5, decay=0.5)
        >>> rg.train(loss, np.ones(2), np.array([-1.0, 1.0]), optimizer, steps=1).round(6)
        array([1.25, 0.25])

    References:
        Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2, with
        the decay multiplied by the rate, as in PyTorch's `AdamW`.
    """

    decay: Any = 1e-2

    program: ClassVar[Program] = Program(
        slots=Adam.program.slots,
        statements=(
            *Adam.program.statements[:-1],
            Decay(POSITION, kept, ("rate", "decay")),
            Adam.program.statements[-1],
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {**Adam.domains, "decay": NOT_NEGATIVE}
