"""Predict by a straight line through the two states that come after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.adjoints.reverse_models.model import (
    Guess,
    Predictor,
    ReverseModel,
    Settle,
    differences,
)

__all__ = ["Straight", "extrapolated"]


class Straight(ReverseModel):
    """x_t is 2 x_{t+1} - x_{t+2}: what moves goes on moving.

    For states that change smoothly. Arrays that are not of floats are expected not to change.
    """

    later = 2

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return _Line()


class _Line(Predictor):
    def predict(self, t: int, later: Sequence[Snapshot], settle: Settle) -> None:
        for name, after in later[0].items():
            beyond = later[-1][name]
            settle(name, Guess(extrapolated(after, beyond), differences(after, beyond)))


def extrapolated(after: NDArray[Any], beyond: NDArray[Any]) -> NDArray[Any]:
    """2 x_{t+1} - x_{t+2} for floats, x_{t+1} for other arrays."""
    if after.dtype.kind not in "fc":
        return after
    with np.errstate(all="ignore"):
        return after + (after - beyond)
