"""Predict by a linear model that was learned on a first run and is fixed from then on."""

from __future__ import annotations

from retrograd.adjoints.adjoint import Dynamics
from retrograd.adjoints.reverse_models.model import Predictor, ReverseModel
from retrograd.adjoints.reverse_models.online_linear import Learner
from retrograd.adjoints.reverse_models.regression import Coefficients
from retrograd.counts import check_count

__all__ = ["Linear"]


class Linear(ReverseModel):
    """The linear model of `OnlineLinear`, learned offline.

    The first run that is coded with this object learns, as `OnlineLinear` does, and leaves its
    coefficients here when it is finished. Every run that starts later predicts with those, and
    learns nothing. For runs that are repeated with slightly other inputs, as in hyperparameter
    optimization. Whatever the coefficients are, coding is lossless: they change the bytes kept and
    no result.

    Args:
        lags: how many of the last changes, x_{t+1} - x_{t+2} and so on, are features.
        coefficients: by array, those that another run has left; then none are learned.

    Attributes:
        coefficients: by array, the factors of the features, in the order in which
            `retrograd.adjoints.reverse_models.regression.features` gives them; None before the
            first run.
    """

    def __init__(self, lags: int = 2, coefficients: Coefficients | None = None) -> None:
        self.lags = check_count("lags", lags, caller="Linear")
        self.later = self.lags + 1
        self.coefficients = coefficients

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return _FirstRun(self) if self.coefficients is None else self._fixed()

    def _fixed(self) -> Predictor:
        return Learner(self.lags, self.coefficients)

    def __repr__(self) -> str:
        return f"Linear(lags={self.lags})"


class _FirstRun(Learner):
    """Learns, and leaves the coefficients with the model."""

    def __init__(self, model: Linear) -> None:
        super().__init__(model.lags)
        self.model = model

    def finish(self) -> None:
        self.model.coefficients = self.coefficients()
