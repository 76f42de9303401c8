"""Predict by running the optimizer backwards in floats, as well as that goes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.adjoints.reverse_models.model import Guess, Predictor, ReverseModel, Settle, Step
from retrograd.errors import ArgumentError

__all__ = ["OptimizerInverse"]


class OptimizerInverse(ReverseModel):
    """The optimizer's own step, undone in floats: only what rounding has lost is kept.

    The weights come first: they moved by slots that are known after the step. With their exact
    values the gradient is the forward run's, bit for bit, and so is every increment of the other
    slots. A slot's change `x -> fl(fl(factor * x) + increment)` is monotone, so the x that lead to
    what is known are neighbouring floats, mostly one to three of them; which one it was is all that
    is kept. Where the weights move by the gradient directly (SGD, Nesterov, Lion), the gradient at
    the later weights must serve, and the prediction is as good as the two gradients are alike.

    For `train` only: a map given as a function says nothing about its inverse.
    """

    def predictor(self, dynamics: Dynamics) -> Predictor:
        downdate = getattr(dynamics, "downdate", None)
        if downdate is None:
            raise ArgumentError(
                "Coded(OptimizerInverse()): this computation has no optimizer to invert; use it "
                "with train, or give iterate another model, such as Straight()"
            )
        return _Backwards(downdate)


class _Backwards(Predictor):
    def __init__(self, downdate: Any) -> None:
        self.downdate = downdate

    def predict(self, t: int, later: Sequence[Snapshot], settle: Settle) -> None:
        after = later[0]

        def replace(slots: Snapshot, names: Sequence[str], again: Any) -> None:
            for name in names:
                values = slots[name].astype(after[name].dtype, copy=False)
                step = Step(partial(again, name), after[name])
                slots[name] = settle(name, Guess(values, step=step))

        with np.errstate(all="ignore"):
            self.downdate(after, t, replace)
