"""Gradients clipped by their global norm, in front of any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import POSITIVE, Interval
from retrograd.optimizers.program import Program, Transform
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["ClippedByNorm"]


def _clipped(gradient: Any, threshold: Any, root: Any, xp: Any) -> Any:
    norm = root(xp.sum(gradient * gradient))
    long = norm > threshold
    return gradient * xp.where(long, threshold / xp.where(long, norm, 1.0), 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class ClippedByNorm(Wrapper):
    """An optimizer whose gradient is shortened to a norm, if it is longer::

        g <- g * min(1, threshold / |g|),  |g| over all leaves

    Of nested wrappers the outermost transforms the gradient first. Whether the optimizer can be
    run backwards stays as it is.

    Args:
        optimizer: the optimizer that gets the clipped gradient.
        threshold: above 0.
        radix: binary digits after the point on the lattice, by slot; the defaults are the wrapped
            optimizer's.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.ClippedByNorm(rg.Momentum(1.0), threshold=1.0)
        >>> rg.train(loss, np.zeros(2), np.array([3.0, -4.0]), optimizer, steps=1).round(6)
        array([-0.6,  0.8])

    References:
        Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks",
        ICML 2013, algorithm 1.
    """

    threshold: Any

    own_domains: ClassVar[Mapping[str, Interval]] = {"threshold": POSITIVE}

    def extended(self, program: Program) -> Program:
        """The program with the clipping before all other transforms."""
        reads = ("gradient", self.called("threshold"), "root", "xp")
        return replace(program, gradient=(Transform(_clipped, reads), *program.gradient))
