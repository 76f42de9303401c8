"""Gradients clipped element by element, in front of any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import POSITIVE, Interval
from retrograd.optimizers.program import Program, Transform
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["ClippedByValue"]


def _clipped(gradient: Any, threshold: Any, xp: Any) -> Any:
    return xp.where(xp.abs(gradient) > threshold, threshold * xp.sign(gradient), gradient)


@dataclass(frozen=True, eq=False, repr=False)
class ClippedByValue(Wrapper):
    """An optimizer whose gradient is clipped element by element::

        g <- max(-threshold, min(threshold, g))

    Of nested wrappers the outermost transforms the gradient first. Whether the optimizer can be
    run backwards stays as it is.

    Args:
        optimizer: the optimizer that gets the clipped gradient.
        threshold: above 0.
        radix: binary digits after the point on the lattice, by slot; the defaults are the wrapped
            optimizer's.

        The threshold is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.ClippedByValue(rg.Momentum(1.0), threshold=0.5)
        >>> rg.train(loss, np.zeros(2), np.array([0.25, -4.0]), optimizer, steps=1)
        array([-0.25,  0.5 ])
    """

    threshold: Any

    own_domains: ClassVar[Mapping[str, Interval]] = {"threshold": POSITIVE}

    def extended(self, program: Program) -> Program:
        """The program with the clipping before all other transforms."""
        reads = ("gradient", self.called("threshold"), "xp")
        return replace(program, gradient=(Transform(_clipped, reads), *program.gradient))
