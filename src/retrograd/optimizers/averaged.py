"""An exponential average of the weights, on top of any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval
from retrograd.optimizers.program import POSITION, AddScaled, Decay, Program, itself
from retrograd.optimizers.wrapper import Wrapper

__all__ = ["Averaged"]


def _rest(decay: Any) -> Any:
    return 1 - decay


@dataclass(frozen=True, eq=False, repr=False)
class Averaged(Wrapper):
    """An optimizer that returns an exponential average of its weights, exactly reversible::

        a <- decay * a + (1 - decay) * w,  after every step, from a = w_0

    Around another average, it averages that one.

    Args:
        optimizer: the optimizer to take the weights from.
        decay: in [0, 1).
        radix: binary digits after the point on the lattice, by slot. The default for "average",
            69 in two words, holds magnitudes below 2**36.

        The decay is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum(w * hyper)
        >>> optimizer = rg.Averaged(rg.Momentum(1.0, 0.5), decay=0.75)
        >>> rg.train(loss, np.zeros(2), np.array([-1.0, 1.0]), optimizer, steps=2)
        array([ 0.8125, -0.8125])

    References:
        Ruppert, "Efficient estimations from a slowly convergent Robbins-Monro process", 1988, on
        averages; Kingma & Ba, "Adam", ICLR 2015, section 7.2, on exponential ones.
    """

    decay: Any = 0.999

    own_domains: ClassVar[Mapping[str, Interval]] = {"decay": FRACTION}
    own_slots: ClassVar[tuple[str, ...]] = ("average",)
    own_radixes: ClassVar[Mapping[str, int]] = {"average": 69}
    own_words: ClassVar[Mapping[str, int]] = {"average": 2}

    def extended(self, program: Program) -> Program:
        """The program with the average brought up to date at its end."""
        slot, reads = self.called("average"), (self.called("decay"),)
        averaging = (Decay(slot, itself, reads), AddScaled(slot, program.result, _rest, reads))
        return replace(
            program,
            slots=(*program.slots, slot),
            statements=(*program.statements, *averaging),
            starts={**program.starts, slot: POSITION},
            result=slot,
        )
