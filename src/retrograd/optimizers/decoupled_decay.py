"""Decoupled weight decay: weights that shrink on their own, for any optimizer with a rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from retrograd.errors import ArgumentError
from retrograd.optimizers.optimizer import NOT_NEGATIVE, Interval
from retrograd.optimizers.program import POSITION, Decay, Program
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["DecoupledDecay", "kept"]


def kept(rate: Any, decay: Any) -> Any:
    """The share of the weights that decoupled decay keeps."""
    return 1 - rate * decay


@dataclass(frozen=True, eq=False, repr=False)
class DecoupledDecay(Wrapper):
    """An optimizer whose weights shrink before they move, past its moments::

        w <- (1 - rate * decay) * w

    with the optimizer's own rate. Around `Adam` it makes `AdamW`. Whether the optimizer can be run
    backwards stays as it is.

    Args:
        optimizer: any that has a "rate".
        decay: at least 0, such that `rate * decay` lies in [0, 1].
        radix: binary digits after the point on the lattice, by slot; the defaults are the wrapped
            optimizer's.

        The decay is one number, `per_step`, `per_leaf`, or a container like the weights.

    Raises:
        ArgumentError: the optimizer has no hyperparameter "rate".

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.DecoupledDecay(rg.Momentum(0.5), decay=0.5)
        >>> rg.train(loss, np.ones(2), np.array([0.0, -1.0]), optimizer, steps=1)
        array([0.75, 1.25])

    References:
        Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019; the decay is
        multiplied by the rate, as in PyTorch's `AdamW`.
    """

    decay: Any

    own_domains: ClassVar[Mapping[str, Interval]] = {"decay": NOT_NEGATIVE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if "rate" not in self.optimizer.program.hyperparameters:
            raise ArgumentError(
                f"DecoupledDecay: {self.optimizer.name} has no hyperparameter 'rate' to multiply "
                "the decay by; wrap an optimizer that has one, or use CoupledDecay"
            )

    def extended(self, program: Program) -> Program:
        """The program with the decay before the position's first move."""
        shrinking = Decay(POSITION, kept, ("rate", self.called("decay")))
        moves = [i for i, s in enumerate(program.statements) if s.slot == POSITION]
        first = moves[0] if moves else len(program.statements)
        before, after = program.statements[:first], program.statements[first:]
        return replace(program, statements=(*before, shrinking, *after))
