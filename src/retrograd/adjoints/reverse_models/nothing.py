"""Predict that nothing changes."""

from __future__ import annotations

from collections.abc import Sequence

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.adjoints.reverse_models.model import (
    Guess,
    Predictor,
    ReverseModel,
    Settle,
    differences,
)

__all__ = ["Nothing"]


class Nothing(ReverseModel):
    """x_t is as x_{t+1}: the model of those who know nothing of the computation.

    The coder learns how large the changes are. It tells elements apart by the change that came
    after, from x_{t+1} to x_{t+2}.
    """

    later = 2

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return _Unchanged()


class _Unchanged(Predictor):
    def predict(self, t: int, later: Sequence[Snapshot], settle: Settle) -> None:
        for name, after in later[0].items():
            settle(name, Guess(after, differences(after, later[-1][name])))
