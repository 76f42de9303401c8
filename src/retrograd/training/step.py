"""The readings of an optimizer's program on the lattice, for one step: forwards and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.backends import NumpyBackend
from retrograd.lattice.layout import Run
from retrograd.optimizers import Add, AddScaled, Decay, Program, RaiseTo
from retrograd.optimizers.program import GIVEN, GRADIENT, Walk, reads_gradient, reads_of
from retrograd.training.factors import factor_of
from retrograd.training.readings import Back, Fading, Found, Multiple, Reading, Rise, Shrinking
from retrograd.training.rows import Row
from retrograd.training.state import State

__all__ = ["Step"]

Floats = NDArray[np.float64]

# What a step in reverse asks of the run: the gradient at the position where the step began, given
# the direction in which its derivative will be wanted, where that is known already.
AskGradient = Callable[[Floats | None], NDArray[Any]]


class Step:
    """One step of a run: the state, and what its statements read besides the slots.

    Args:
        index: the number of the step, from 0.
        program: the optimizer's.
        state: the slots; changed in place.
        rows: the hyperparameters of this step.

    Attributes:
        given: what the run gives to the statements, by name.
        gradient: as the statements see it, in the dtype that it came in; None before it is known.
        directed: whether the direction of its derivative was known before the gradient was.
    """

    def __init__(self, index: int, program: Program, state: State, rows: Mapping[str, Row]) -> None:
        self.index = index
        self.program = program
        self.state = state
        self.rows = rows
        self.given = {
            "step": index,
            "root": NumpyBackend.root,
            "xp": NumpyBackend.xp,
            "layout": state.layout,
        }
        self.gradient: NDArray[Any] | None = None
        self.directed = False
        self._pull_transforms: Callable[[Floats], dict[str, Any]] | None = None

    def forward(self, gradient: NDArray[Any]) -> None:
        """Take the step, given the raw gradient at its start, (N,) floats."""
        if self.program.transforms:
            gradient = _wide(gradient)
        for transform in self.program.transforms:
            gradient = transform(
                *[gradient if name == GRADIENT else self.read(name) for name in transform.reads]
            )
        self.gradient = gradient
        self._take()

    def pull(
        self,
        gradient: NDArray[Any],
        adjoint: Mapping[str, Floats],
        taken: Callable[[], None],
        wanted: set[str],
        found: Found,
    ) -> None:
        """Take the step and go back over it, as `backward` does, with the gradient known.

        Args:
            gradient: the raw gradient at the start of the step, (N,) floats.
            adjoint: as in `backward`.
            taken: called between the two, to look at the state.
            wanted: as in `backward`.
            found: as in `backward`.
        """
        self._transform(gradient, wanted)
        self._take()
        taken()
        self.backward(adjoint, _unasked, wanted, found)

    def backward(
        self, adjoint: Mapping[str, Floats], ask: AskGradient, wanted: set[str], found: Found
    ) -> None:
        """Undo the step, and carry the adjoint over it.

        Args:
            adjoint: the adjoint of each slot and of the "gradient" (zero on entry), (N,), changed
                in place: on return that at the start of the step, but for what comes through
                the raw gradient.
            ask: gives the raw gradient; called when the position has been undone.
            wanted: the hyperparameters whose adjoints are asked for.
            found: takes them.
        """
        back = Back(adjoint, wanted, found)
        for group in reversed(self.program.walks):
            others, decays = group.others[::-1], group.decays[::-1]
            reading = [i for i, other in enumerate(others) if reads_gradient(other)]
            if reading:
                # All else comes first, because the position has to be undone before the gradient is
                # asked for; and if it is known, too, so that sums are taken in the same order.
                before, others = others[: reading[0]], others[reading[0] :]
                rest = {name for other in others for name in (other.slot, *reads_of(other))}
                self._undo(before, [decay for decay in decays if decay.slot not in rest], back)
                decays = tuple(decay for decay in decays if decay.slot in rest)
                if self.gradient is None:
                    self._transform(ask(self._direction(adjoint)), wanted)
            self._undo(others, decays, back)
        if self._pull_transforms is not None:
            parts = self._pull_transforms(adjoint[GRADIENT])
            adjoint[GRADIENT].fill(0.0)
            for name, bar in parts.items():
                self._deliver(name, bar, back)

    def factor(self, statement: Decay | AddScaled) -> Row:
        """The factor of a decay or a multiple at this step."""
        return factor_of(statement, self.rows, self.index, self.state.layout)

    def read(self, name: str) -> Any:
        """What a statement reads, for all elements."""
        if name == GRADIENT:
            assert self.gradient is not None
            self.gradient = _wide(self.gradient)
            return self.gradient
        if name in self.given:
            return self.given[name]
        if name in self.rows:
            return self.rows[name].spread
        return self.state.value(name)

    def varies(self, name: str, wanted: set[str]) -> bool:
        """Whether the derivative with respect to what is read matters."""
        return name in wanted if name in self.rows else name == GRADIENT or name not in GIVEN

    def _take(self) -> None:
        for group in self.program.walks:
            self._do(group)

    def _do(self, group: Walk) -> None:
        for statement in group.decays:
            self.state.decay(statement.slot)
        readings = [self._reading(statement) for statement in group.others]
        for run in self._stretches(readings):
            for reading in readings:
                reading.do(run)

    def _undo(
        self,
        others: Sequence[Add | AddScaled | RaiseTo],
        decays: Sequence[Decay],
        back: Back,
    ) -> None:
        """Undo statements of one walk, in the order that they come in, and then the decays."""
        asked = [statement for statement in decays if back.wanted.intersection(statement.reads)]
        fading = [Fading(self, statement, back) for statement in decays if statement not in asked]
        readings = [*(self._reading(statement, back) for statement in others), *fading]
        self._go_back(readings)
        for statement in decays:
            self.state.undo_decay(statement.slot)
        self._go_back([Shrinking(self, statement, back) for statement in asked])

    def _go_back(self, readings: Sequence[Reading]) -> None:
        for run in self._stretches(readings):
            for reading in readings:
                reading.undo(run)
        for reading in readings:
            reading.close()

    def _reading(self, statement: Add | AddScaled | RaiseTo, back: Back | None = None) -> Reading:
        if isinstance(statement, AddScaled):
            return Multiple(self, statement, back)
        return Rise(self, statement, back)

    def _stretches(self, readings: Sequence[Reading]) -> Sequence[Run]:
        """The parts of the vectors in which statements are carried out together."""
        if not readings:
            return ()
        layout = self.state.layout
        if any(reading.whole for reading in readings):
            return (layout.whole,)
        return layout.stretches(*chain.from_iterable(reading.columns for reading in readings))

    def _transform(self, raw: NDArray[Any], wanted: set[str]) -> None:
        """The gradient that the statements see, and the way back from its adjoint."""
        transforms = self.program.transforms
        if not transforms:
            self.gradient = raw
            return
        reads = dict.fromkeys(name for transform in transforms for name in transform.reads)
        names = [GRADIENT, *[name for name in reads if self.varies(name, wanted)]]
        names = list(dict.fromkeys(names))

        def transformed(*values: Any) -> Any:
            known = dict(zip(names, values, strict=True))
            for transform in transforms:
                known[GRADIENT] = transform(
                    *[known[n] if n in known else self.read(n) for n in transform.reads]
                )
            return known[GRADIENT]

        raw = _wide(raw)
        arguments = [raw if name == GRADIENT else self.read(name) for name in names]
        self.gradient, pullback = NumpyBackend.vjp(transformed, *arguments)
        self._pull_transforms = lambda bar: dict(zip(names, pullback(bar), strict=True))

    def _direction(self, bars: Mapping[str, Floats]) -> Floats | None:
        """The adjoint of the gradient, if it is known before the gradient is."""
        readers = self.program.readers
        self.directed = (
            len(readers) == 1 and isinstance(readers[0], AddScaled) and not self.program.gradient
        )
        if self.directed:
            assert isinstance(readers[0], AddScaled)
            bar = bars[readers[0].slot]
            return self.factor(readers[0]).times(bar, np.empty_like(bar))
        return None

    def _deliver(self, name: str, bar: Any, back: Back) -> None:
        if name in self.rows:
            back.found(name, self.rows[name].collect(bar))
        else:
            back.bars[name][:] += bar


def _wide(flat: NDArray[Any]) -> Floats:
    return flat.astype(float, copy=False)


def _unasked(direction: Floats | None) -> Floats:
    raise AssertionError("the gradient was known")
