"""The three readings of an optimizer's program, for one step: forwards, backwards, adjoint.

The last two go together: undoing an addition needs the increment, and so does its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Memory
from retrograd.lattice import rational
from retrograd.optimizers import Add, AddScaled, Decay, Optimizer
from retrograd.optimizers.program import itself
from retrograd.training.columns import Row, aligned
from retrograd.training.state import State

__all__ = ["Step"]

Floats = NDArray[np.float64]

# What a step in reverse asks of the run: the gradient at the position where the step began, given
# the direction in which its derivative will be wanted, where that is known already.
AskGradient = Callable[[Floats | None], Floats]
# Takes a hyperparameter's name and a part of its adjoint at this step, (K,).
Found = Callable[[str, Floats], None]


class Step:
    """One step of a run: the state, and what its statements read besides the slots.

    Args:
        index: the number of the step, from 0.
        optimizer: whose program is read.
        state: the slots; changed in place.
        memory: what the adjoint strategy keeps.
        rows: the hyperparameters of this step.
        backend: the array library.
    """

    def __init__(
        self,
        index: int,
        optimizer: Optimizer,
        state: State,
        memory: Memory,
        rows: Mapping[str, Row],
        backend: Any,
    ) -> None:
        self.index = index
        self.program = optimizer.program
        self.state = state
        self.memory = memory
        self.rows = rows
        self.backend = backend
        self.gradient: Floats | None = None

    def forward(self, gradient: Floats) -> None:
        """Take the step, given the gradient at its start, (N,)."""
        self.gradient = gradient
        self.memory.enter(self.index, self.state.slots)
        for statement in self.program.statements:
            slot = statement.slot
            if isinstance(statement, Decay):
                n, d = _rational(self._factor(statement).values)
                self.memory.multiply(slot, self.state.slots[slot], n, d)
                self.state.touched(slot)
            elif isinstance(statement, AddScaled):
                self.state.add(slot, self._multiple(statement), self.index)
            else:
                arguments = [self._read(name) for name in statement.reads]
                self.state.add(slot, statement.increment(*arguments), self.index)

    def backward(
        self, adjoint: Mapping[str, Floats], ask: AskGradient, wanted: set[str], found: Found
    ) -> None:
        """Undo the step, and carry the adjoint over it.

        Args:
            adjoint: the adjoint of each slot and of the "gradient" (zero on entry), (N,), changed
                in place: on return that at the start of the step, but for what comes through
                the gradient.
            ask: gives the gradient; called when the position has been undone.
            wanted: the hyperparameters whose adjoints are asked for.
            found: takes them.
        """
        readers = self.program.readers
        for statement in reversed(self.program.statements):
            if statement in readers and self.gradient is None:
                self.gradient = ask(self._direction(adjoint))
            if isinstance(statement, Decay):
                self._undo_decay(statement, adjoint, wanted, found)
            elif isinstance(statement, AddScaled):
                self._undo_multiple(statement, adjoint, wanted, found)
            else:
                self._undo_add(statement, adjoint, wanted, found)
        self.memory.leave(self.index)

    def _direction(self, bars: Mapping[str, Floats]) -> Floats | None:
        """The adjoint of the gradient, if it is known before the gradient is."""
        readers = self.program.readers
        if len(readers) == 1 and isinstance(readers[0], AddScaled):
            return self._factor(readers[0]).times(bars[readers[0].slot], self.state.direction)
        return None

    def _undo_decay(
        self, statement: Decay, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Divide the slot again; the rational that was applied is what is differentiated."""
        slot, state, bar = statement.slot, self.state, bars[statement.slot]
        factor = self._factor(statement)
        n, d = _rational(factor.values)
        self.memory.unmultiply(self.index, slot, state.slots[slot], n, d)
        state.touched(slot)
        if wanted.intersection(statement.reads):
            self._found_factor(statement, factor.dot(bar, state.value(slot)), wanted, found)
        Row(n / d, state.layout).times(bar, bar)

    def _undo_multiple(
        self, statement: AddScaled, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Subtract coefficient * source again; both get their cotangents."""
        bar, factor = bars[statement.slot], self._factor(statement)
        self.state.subtract(statement.slot, self._multiple(statement), self.index)
        if wanted.intersection(statement.reads):
            cotangent = factor.dot(bar, self._read(statement.source))
            self._found_factor(statement, cotangent, wanted, found)
        bars[statement.source][:] += factor.times(bar, self.state.scratch)

    def _undo_add(
        self, statement: Add, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Subtract the increment again; everything that it read gets its cotangent."""
        fixed = {
            name: self._read(name)
            for name in statement.reads
            if name in ("step", "root") or (name in self.rows and name not in wanted)
        }
        names = [name for name in statement.reads if name not in fixed]

        def increment(*values: Any) -> Any:
            given = {**fixed, **dict(zip(names, values, strict=True))}
            return statement.increment(*[given[name] for name in statement.reads])

        rise, pullback = self.backend.vjp(increment, *[self._read(name) for name in names])
        self.state.subtract(statement.slot, rise, self.index)
        for name, cotangent in zip(names, pullback(bars[statement.slot]), strict=True):
            if name in self.rows:
                found(name, self.rows[name].collect(cotangent))
            else:
                bars[name][:] += cotangent

    def _found_factor(
        self, statement: Decay | AddScaled, bar: Floats, wanted: set[str], found: Found
    ) -> None:
        """Carry the cotangent of a factor on to the hyperparameters that it was computed from."""
        if statement.factor is itself:
            found(statement.reads[0], bar)
            return
        values = aligned([self.rows[name] for name in statement.reads])
        _, pullback = self.backend.vjp(statement.factor, *values)
        for name, part in zip(statement.reads, pullback(bar), strict=True):
            if name in wanted:
                row = self.rows[name]
                found(name, part if len(part) == len(row.values) else row.collect(part))

    def _factor(self, statement: Decay | AddScaled) -> Row:
        values = aligned([self.rows[name] for name in statement.reads])
        return Row(statement.factor(*values), self.state.layout)

    def _multiple(self, statement: AddScaled) -> Floats:
        """coefficient * source, (N,), in memory that the next call takes again."""
        return self._factor(statement).times(self._read(statement.source), self.state.scratch)

    def _read(self, name: str) -> Any:
        if name == "gradient":
            return self.gradient
        if name == "step":
            return self.index
        if name == "root":
            return self.backend.root
        if name in self.rows:
            return self.rows[name].spread
        return self.state.value(name)


def _rational(factors: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """n/d for each factor; 0/1 for a factor of 0, which the lattice itself does not take."""
    zero = factors == 0
    if not zero.any():
        return rational(factors)
    n, d = rational(np.where(zero, 0.5, factors))
    return np.where(zero, 0, n), np.where(zero, 1, d)
