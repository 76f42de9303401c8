"""Coupled weight decay: a penalty's gradient, in front of any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import ANY, Interval
from retrograd.optimizers.program import Program, Transform
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["CoupledDecay"]


def _pulled(gradient: Any, weights: Any, decay: Any) -> Any:
    return gradient + decay * weights


@dataclass(frozen=True, eq=False, repr=False)
class CoupledDecay(Wrapper):
    """An optimizer whose gradient has a multiple of the weights added::

        g <- g + decay * w

    which is the gradient of the loss plus `decay / 2 * |w|**2`; PyTorch calls it `weight_decay`. Of
    nested wrappers the outermost transforms the gradient first. Whether the optimizer can be run
    backwards stays as it is.

    Args:
        optimizer: the optimizer that gets the new gradient.
        decay: any finite number.
        radix: binary digits after the point on the lattice, by slot; the defaults are the wrapped
            optimizer's.

        The decay is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.CoupledDecay(rg.Momentum(1.0), decay=0.5)
        >>> rg.train(loss, np.ones(2), np.array([0.0, -1.0]), optimizer, steps=1)
        array([0.5, 1.5])
    """

    decay: Any

    own_domains: ClassVar[Mapping[str, Interval]] = {"decay": ANY}

    def extended(self, program: Program) -> Program:
        """The program with the decay before all other transforms."""
        reads = ("gradient", "weights", self.called("decay"))
        return replace(program, gradient=(Transform(_pulled, reads), *program.gradient))
