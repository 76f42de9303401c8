"""The factors and coefficients of an optimizer's statements, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout, period
from retrograd.optimizers import AddScaled, Decay, Program
from retrograd.optimizers.program import itself
from retrograd.training.rows import Row, aligned

__all__ = ["Factors", "factor_of", "factors_of"]

Floats = NDArray[np.float64]
Rows = Callable[[int], Mapping[str, Row]]


def factor_of(
    statement: Decay | AddScaled, rows: Mapping[str, Row], index: int, layout: Layout
) -> Row:
    """The factor or coefficient of a statement at a step.

    Args:
        statement: whose factor.
        rows: the hyperparameters of the step.
        index: the number of the step.
        layout: the layout of the slots.
    """
    if statement.factor is itself:
        return rows[statement.reads[0]]
    names = [name for name in statement.reads if name in rows]
    known = dict(zip(names, aligned([rows[name] for name in names]), strict=True))
    value = statement.factor(*[known.get(name, index) for name in statement.reads])
    return Row(np.atleast_1d(np.asarray(value, float)), layout)


class Factors:
    """All factors of the decays of one slot in a run.

    Args:
        decays: the slot's decays within a step, in order.
        rows: gives the hyperparameters of a step.
        steps: how many steps.
        layout: the layout of the slots.
    """

    def __init__(self, decays: Sequence[Decay], rows: Rows, steps: int, layout: Layout) -> None:
        self.decays = decays
        self.rows = rows
        self.steps = steps
        self.layout = layout

    def number(self, j: int) -> Floats:
        """The factors of decay j of the run: (1,), (L,) or (N,)."""
        t, i = divmod(j, len(self.decays))
        fixed = self._fixed[i]
        return self.at(i, t) if fixed is None else fixed

    def at(self, i: int, t: int) -> Floats:
        """The factors of decay i of step t."""
        return factor_of(self.decays[i], self.rows(t), t, self.layout).values

    def varied(self, i: int) -> range:
        """Steps at which decay i has all the factors that it has."""
        return range(self.steps if self._fixed[i] is None else 1)

    @property
    def columns(self) -> int:
        """How many factors there are at a step, at most."""
        return self._extent[1]

    @property
    def least(self) -> float:
        """The smallest factor."""
        return self._extent[0]

    @property
    def period(self) -> int:
        """After how many decays the scale is multiplied into the integers."""
        return period(self.least, self.columns, self.layout)

    @cached_property
    def _extent(self) -> tuple[float, int]:
        least, columns = 1.0, 1
        for i in range(len(self.decays)):
            for t in self.varied(i):
                factors = self.number(t * len(self.decays) + i)
                least, columns = min(least, float(factors.min())), max(columns, len(factors))
        return least, columns

    @cached_property
    def _fixed(self) -> list[Floats | None]:
        """For each decay the factors that it has at all steps; None if they differ."""
        first, last = self.rows(0), self.rows(self.steps - 1)
        return [
            self.at(i, 0)
            if "step" not in decay.reads
            and all(first[name] is last[name] for name in decay.reads if name in first)
            else None
            for i, decay in enumerate(self.decays)
        ]


def factors_of(program: Program, rows: Rows, steps: int, layout: Layout) -> dict[str, Factors]:
    """The factors of each slot that decays.

    Args:
        program: the optimizer's.
        rows: gives the hyperparameters of a step; the same objects where they do not differ.
        steps: how many steps.
        layout: the layout of the slots.
    """
    by_slot: dict[str, list[Decay]] = {}
    for statement in program.statements:
        if isinstance(statement, Decay):
            by_slot.setdefault(statement.slot, []).append(statement)
    return {slot: Factors(decays, rows, steps, layout) for slot, decays in by_slot.items()}
