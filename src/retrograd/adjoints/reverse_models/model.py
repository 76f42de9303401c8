"""What a reverse model is: something that predicts a state from the states after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.lattice.ordered import bit_length, ordered, zigzag

__all__ = ["Guess", "Predictor", "ReverseModel", "Settle", "Step", "differences"]


@dataclass(frozen=True)
class Step:
    """What a step does to each element of a flat array: a function that never decreases.

    Only values that it takes to what came after are likely.

    Attributes:
        again: `again(values, where)` is the step on values of the elements `where`, an array of
            numbers or a slice.
        after: (N,), the array after the step.
    """

    again: Callable[[NDArray[Any], NDArray[np.int64] | slice], NDArray[Any]]
    after: NDArray[Any]


@dataclass(frozen=True)
class Guess:
    """What is known of one array of a state before it is decoded.

    Attributes:
        values: the prediction, of the array's dtype and shape.
        contexts: (N,) int64, from 0 to below 100, for each number of `ordered(values)`: what kind
            of error is expected. Errors of each kind have statistics of their own.
        step: what the step does to the array, if it is known.
    """

    values: NDArray[Any]
    contexts: NDArray[np.int64] | None = None
    step: Step | None = None


Settle = Callable[[str, Guess], NDArray[Any]]
"""Hand in the guess of a named array and get the array."""


class Predictor(ABC):
    """A reverse model at work on one run.

    What it predicts may depend on everything that `learn` was called with and `unlearn` was not.
    """

    @abstractmethod
    def predict(self, t: int, later: Sequence[Snapshot], settle: Settle) -> None:
        """Guess each array of x_t, calling `settle` once for each, in any order.

        An array that has been settled may help to guess the others.

        Args:
            t: the step.
            later: x_{t+1}, x_{t+2}, and so on: as many as the model asked for, fewer at the end.
            settle: gives the array for its guess. The same arrays and calls in the same order lead
                to the same guesses, bit for bit.
        """

    def learn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        """Take in the pair of x_t and the states after it."""

    def unlearn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        """Undo the last `learn`, given the same pair."""

    def finish(self) -> None:
        """The forward run has ended."""

    @property
    def nbytes(self) -> int:
        """The bytes of what has been learned."""
        return 0

    def is_empty(self) -> bool:
        """Whether all that was learned has been unlearned."""
        return True

    def export(self) -> Snapshot:
        """What has been learned, as named arrays."""
        return {}

    def load(self, arrays: Snapshot) -> None:
        """Put in place what `export` gave."""


class ReverseModel(ABC):
    """Predicts x_t from the states after it; pass it as `Coded(model)`.

    Attributes:
        later: how many states after x_t it looks at.
    """

    later: int = 1

    @abstractmethod
    def predictor(self, dynamics: Dynamics) -> Predictor:
        """The model at work on one run, which is at its first state.

        Raises:
            ArgumentError: the computation is not one that the model can predict.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def differences(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """How many binary digits the distance between two arrays has, counted in neighbouring floats.

    Returns:
        (N,), from 0 (equal) to 64.
    """
    return bit_length(zigzag(ordered(a) - ordered(b)))
