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
from retrograd.optimizers import Add, Decay, Optimizer
from retrograd.training.columns import Row, aligned, collect, spread
from retrograd.training.state import State

__all__ = ["Step"]

Floats = NDArray[np.float64]


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
        self.statements = optimizer.program.statements
        self.state = state
        self.memory = memory
        self.rows = rows
        self.backend = backend

    def forward(self, gradient: Floats) -> None:
        """Take the step, given the gradient at its start, (N,)."""
        self.memory.enter(self.index, self.state.slots)
        for statement in self.statements:
            slot = statement.slot
            if isinstance(statement, Decay):
                n, d = rational(statement.factor(*self._factor_rows(statement)))
                self.memory.multiply(slot, self.state.slots[slot], n, d)
                self.state.touched(slot)
            else:
                arguments = [self._read(name, gradient) for name in statement.reads]
                self.state.add(slot, statement.increment(*arguments), self.index)

    def backward(
        self,
        adjoint: dict[str, Floats],
        ask_gradient: Callable[[], Floats],
        wanted: set[str],
        found: Callable[[str, Floats], None],
    ) -> Floats:
        """Undo the step, and carry the adjoint over it.

        Args:
            adjoint: the adjoint of each slot, (N,); on return that at the start of the step, but
                for what comes through the gradient.
            ask_gradient: the gradient at the position where the step began; asked when the
                position has been undone.
            wanted: the hyperparameters whose adjoints are asked for.
            found: takes a hyperparameter's name and a part of its adjoint at this step, (K,).

        Returns:
            The adjoint of the gradient, (N,).
        """
        gradient: Floats | None = None
        gradient_bar: Any = 0.0
        for statement in reversed(self.statements):
            if isinstance(statement, Decay):
                self._undo_decay(statement, adjoint, wanted, found)
                continue
            if "gradient" in statement.reads and gradient is None:
                gradient = ask_gradient()
            bars = self._undo_add(statement, adjoint[statement.slot], gradient, wanted)
            for name, bar in bars.items():
                if name == "gradient":
                    gradient_bar = gradient_bar + bar
                elif name in adjoint:
                    adjoint[name] = adjoint[name] + bar
                else:
                    found(name, self.rows[name].collect(bar))
        self.memory.leave(self.index)
        return gradient_bar

    def _undo_add(
        self, statement: Add, bar: Floats, gradient: Floats | None, wanted: set[str]
    ) -> dict[str, Any]:
        """Subtract the increment again; the cotangents of what it read."""
        fixed = {
            name: self._read(name, gradient)
            for name in statement.reads
            if name in ("step", "root") or (name in self.rows and name not in wanted)
        }
        names = [name for name in statement.reads if name not in fixed]

        def increment(*values: Any) -> Any:
            given = {**fixed, **dict(zip(names, values, strict=True))}
            return statement.increment(*[given[name] for name in statement.reads])

        values = [self._read(name, gradient) for name in names]
        rise, pullback = self.backend.vjp(increment, *values)
        self.state.subtract(statement.slot, rise, self.index)
        return dict(zip(names, pullback(bar), strict=True))

    def _undo_decay(
        self,
        statement: Decay,
        adjoint: dict[str, Floats],
        wanted: set[str],
        found: Callable[[str, Floats], None],
    ) -> None:
        """Divide the slot again; the rational that was applied is what is differentiated."""
        slot, state = statement.slot, self.state
        factor = statement.factor(*self._factor_rows(statement))
        n, d = rational(factor)
        self.memory.unmultiply(self.index, slot, state.slots[slot], n, d)
        state.touched(slot)
        bar = adjoint[slot]
        if wanted.intersection(statement.reads):
            factor_bar = collect(bar * state.value(slot), len(factor), state.layout)
            _, pullback = self.backend.vjp(statement.factor, *self._factor_rows(statement))
            for name, part in zip(statement.reads, pullback(factor_bar), strict=True):
                if name in wanted:
                    columns = len(self.rows[name].values)
                    found(name, part if len(part) == columns else self.rows[name].collect(part))
        adjoint[slot] = bar * spread(n / d, state.layout)

    def _factor_rows(self, statement: Decay) -> list[Floats]:
        return aligned([self.rows[name] for name in statement.reads])

    def _read(self, name: str, gradient: Floats | None) -> Any:
        if name == "gradient":
            return gradient
        if name == "step":
            return self.index
        if name == "root":
            return self.backend.root
        if name in self.rows:
            return self.rows[name].spread
        return self.state.value(name)
