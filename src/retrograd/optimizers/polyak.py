"""The mean of all weights of a run, on top of any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from retrograd.optimizers.program import AddScaled, Decay, Program
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["Polyak"]


def _kept(step: int) -> float:
    # The mean starts at 0, so what it is multiplied by at first does not matter.
    return (step + (step == 0)) / (step + 1)


def _share(step: int) -> float:
    return 1 / (step + 1)


@dataclass(frozen=True, eq=False, repr=False)
class Polyak(Wrapper):
    """An optimizer that returns the mean of its weights over the run, exactly reversible::

        a <- t / (t + 1) * a + 1 / (t + 1) * w,  after the steps t = 0, 1, ...

    The mean is that of the weights after every step; w_0 is not in it. Around another average, it
    averages that one.

    Args:
        optimizer: the optimizer to take the weights from.
        radix: binary digits after the point on the lattice, by slot. The default for "mean",
            69 in two words, holds magnitudes below 2**36.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.Polyak(rg.Momentum(1.0, 0.5))
        >>> rg.train(loss, np.zeros(2), np.array([-1.0, 1.0]), optimizer, steps=2).round(6)
        array([ 1.75, -1.75])

    References:
        Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    own_slots: ClassVar[tuple[str, ...]] = ("mean",)
    own_radixes: ClassVar[Mapping[str, int]] = {"mean": 69}
    own_words: ClassVar[Mapping[str, int]] = {"mean": 2}

    def extended(self, program: Program) -> Program:
        """The program with the mean brought up to date at its end."""
        slot, reads = self.called("mean"), ("step",)
        averaging = (Decay(slot, _kept, reads), AddScaled(slot, program.result, _share, reads))
        return replace(
            program,
            slots=(*program.slots, slot),
            statements=(*program.statements, *averaging),
            result=slot,
        )
