"""Predict by a linear model that learns while the run goes on, and unlearns in the sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.adjoints.reverse_models.model import (
    Guess,
    Predictor,
    ReverseModel,
    Settle,
    differences,
)
from retrograd.adjoints.reverse_models.regression import (
    Coefficients,
    Regression,
    features,
    predicted,
)
from retrograd.counts import check_count

__all__ = ["Learner", "OnlineLinear"]


class OnlineLinear(ReverseModel):
    """The change from x_{t+1} back to x_t is linear in what is known, with learned coefficients.

    Before x_t is coded, the pair of x_t and the states after it enters the sums of a least-squares
    problem, and the prediction uses the solution of those sums. The sweep predicts by the same
    sums, and takes the pair out of them when it knows x_t. The sums are integers, so that this is
    exact. Each array of the state has its own coefficients, the same for all of its elements.

    Args:
        lags: how many of the last changes, x_{t+1} - x_{t+2} and so on, are features, at least 1;
            x_{t+1} itself and the other arrays of the same shape are features too.
    """

    def __init__(self, lags: int = 2) -> None:
        self.lags = check_count("lags", lags, caller="OnlineLinear")
        self.later = self.lags + 1

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return Learner(self.lags)

    def __repr__(self) -> str:
        return f"OnlineLinear(lags={self.lags})"


class Learner(Predictor):
    """One regression for each array of floats.

    Args:
        lags: as in `OnlineLinear`.
        fixed: coefficients that are not learned, by array.
    """

    def __init__(self, lags: int, fixed: Coefficients | None = None) -> None:
        self.lags = lags
        self.fixed = fixed
        self.regressions: dict[str, Regression] = {}

    def learn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        self._add(now, later, 1)

    def unlearn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        self._add(now, later, -1)

    def coefficients(self) -> Coefficients:
        """The coefficients in use, by array."""
        if self.fixed is not None:
            return self.fixed
        return {name: sums.coefficients() for name, sums in self.regressions.items()}

    def predict(self, t: int, later: Sequence[Snapshot], settle: Settle) -> None:
        coefficients = self.coefficients()
        for name, after in later[0].items():
            values = after
            if after.dtype.kind == "f" and name in coefficients:
                given = features(name, later, self.lags)
                values = predicted(after, given, coefficients[name])
            settle(name, Guess(values, differences(after, later[min(1, len(later) - 1)][name])))

    def _add(self, now: Snapshot, later: Sequence[Snapshot], sign: int) -> None:
        if self.fixed is not None:
            return
        for name, array in now.items():
            if array.dtype.kind == "f" and array.size:
                given = features(name, later, self.lags)
                with np.errstate(all="ignore"):  # infinities, which the sums leave out
                    change = array.astype(np.float64) - later[0][name]
                self.regressions.setdefault(name, Regression()).add(given, change, sign)

    @property
    def nbytes(self) -> int:
        return sum(sums.nbytes for sums in self.regressions.values())

    def is_empty(self) -> bool:
        return all(sums.is_empty() for sums in self.regressions.values())

    def export(self) -> Snapshot:
        return {name: sums.export() for name, sums in self.regressions.items()}

    def load(self, arrays: Snapshot) -> None:
        self.regressions = {name: Regression() for name in arrays}
        for name, saved in arrays.items():
            self.regressions[name].load(saved)
