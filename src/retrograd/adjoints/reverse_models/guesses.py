"""The code of one array of the state, given a guess of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.reverse_models.model import Guess, Step
from retrograd.adjoints.reverse_models.preimages import preimages
from retrograd.lattice.entropy import Pile, Residuals, Symbols
from retrograd.lattice.ordered import bit_length, ordered, unordered

__all__ = ["ArrayCode"]

Integers = NDArray[np.int64]

_AMONG, _ZERO, _ELSEWHERE = range(3)


class ArrayCode:
    """The statistics of one array, and what they make of its values.

    Where the step is known, a symbol says whether a value is among the floats that the step takes
    to what came after, and its number among them is one of equally likely ones. Zeros have a symbol
    of their own, because whatever is added to a much smaller number hides it, and in the first
    state of an optimizer these are zeros. All other values are coded as residuals.
    """

    def __init__(self) -> None:
        self.places = Symbols()
        self.residuals = Residuals()

    def push(self, pile: Pile, array: NDArray[Any], guess: Guess) -> None:
        """Push the values of an array."""
        values, truth = ordered(guess.values), ordered(array)
        if guess.step is None:
            self.residuals.push(pile, truth - values, _contexts(guess, len(truth)))
            return
        first, last = preimages(guess.step.again, guess.step.after, guess.values)
        number = last - first + 1
        x = truth.astype(np.int64)
        symbols = np.full(len(x), _ELSEWHERE)
        symbols[(first <= x) & (x <= last)] = _AMONG
        symbols[(x == 0) & (number != 1)] = _ZERO
        chosen = (symbols == _AMONG) & (number > 1)
        # What is popped first is pushed last.
        other = symbols == _ELSEWHERE
        residuals = truth[other] - values[other]
        self.residuals.push(pile, residuals, np.zeros(len(residuals), np.int64))
        pile.push_uniform((x - first)[chosen], number[chosen])
        self.places.push(pile, symbols, _kinds(guess.step, number))

    def pop(self, pile: Pile, guess: Guess) -> NDArray[Any]:
        """Pop the values of the array that was pushed last with this guess."""
        values, dtype = ordered(guess.values), guess.values.dtype
        if guess.step is None:
            truth = values + self.residuals.pop(pile, _contexts(guess, len(values)), values.dtype)
            return unordered(truth, dtype, guess.values.shape)
        first, last = preimages(guess.step.again, guess.step.after, guess.values)
        number = last - first + 1
        symbols = self.places.pop(pile, _kinds(guess.step, number))
        x = np.where(symbols == _AMONG, first, 0)
        chosen = (symbols == _AMONG) & (number > 1)
        x[chosen] += pile.pop_uniform(number[chosen])
        truth = x.astype(values.dtype)
        other = symbols == _ELSEWHERE
        contexts = np.zeros(np.count_nonzero(other), np.int64)
        truth[other] = values[other] + self.residuals.pop(pile, contexts, values.dtype)
        return unordered(truth, dtype, guess.values.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the statistics."""
        return sum(table.nbytes for table in self.tables.values())

    @property
    def tables(self) -> dict[str, Symbols]:
        """The statistics by name."""
        return {"places": self.places, "residuals": self.residuals.symbols}

    def is_empty(self) -> bool:
        """Whether as much was popped as was pushed."""
        return all(table.is_empty() for table in self.tables.values())


def _contexts(guess: Guess, size: int) -> Integers:
    return np.zeros(size, np.int64) if guess.contexts is None else guess.contexts


def _kinds(step: Step, number: Integers) -> Integers:
    """The contexts in which places are counted: how many candidates, and what became of the value.

    What is zero after the step was zero before it, as a rule.
    """
    return 2 * bit_length(number.astype(np.uint64)) + (ordered(step.after) == 0)
