"""The statements of an optimizer's program at one step on the lattice, done and undone.

A reading takes its statement along the vectors, stretch by stretch: `do` carries it out, `undo`
takes it back and carries the adjoint over it at once, because taking back an addition needs the
increment, and so does its derivative. `close` hands on what the stretches gave for the
hyperparameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from retrograd.backends import NumpyBackend
from retrograd.lattice.layout import WHOLE, Run
from retrograd.optimizers import Add, AddScaled, Decay, RaiseTo
from retrograd.optimizers.program import GIVEN, GRADIENT, itself
from retrograd.training.rows import Dots, Gathered, aligned

if TYPE_CHECKING:
    from retrograd.training.step import Step

__all__ = ["Back", "Fading", "Found", "Multiple", "Reading", "Rise", "Shrinking"]

Floats = NDArray[np.float64]

# Takes a hyperparameter's name and a part of its adjoint at this step, (K,).
Found = Callable[[str, Floats], None]


class Back(NamedTuple):
    """What the way back over a step changes and gives.

    Attributes:
        bars: the adjoint of each slot and of the "gradient", (N,), changed in place.
        wanted: the hyperparameters whose adjoints are asked for.
        found: takes them.
    """

    bars: Mapping[str, Floats]
    wanted: set[str]
    found: Found


class Reading(Protocol):
    """A statement at one step.

    Attributes:
        columns: what it meets along the vectors, as `Layout.walk` has it.
        whole: whether it takes all elements at once.
    """

    columns: tuple[Floats, ...]
    whole: bool

    def do(self, run: Run) -> None:
        """Carry out the statement on a stretch."""
        ...

    def undo(self, run: Run) -> None:
        """Take it back, and carry the adjoint over it."""
        ...

    def close(self) -> None:
        """After the last stretch on the way back."""
        ...


class Multiple:
    """slot <- slot + Q(factor * source)."""

    whole = False

    def __init__(self, step: Step, statement: AddScaled, back: Back | None = None) -> None:
        self.step, self.statement, self.back = step, statement, back
        state = step.state
        factor = step.factor(statement)
        self.factors = factor.values
        self.units = state.units(statement.slot, factor.values)
        self.columns = (self.units,)
        if statement.source != GRADIENT:
            self.scale = state.scale(statement.source)
            self.columns += (self.scale,)
        if back is not None:
            known = statement.source == GRADIENT and step.directed
            self.columns += (factor.values,)
            self.bar = back.bars[statement.slot]
            self.carried = None if known else back.bars[statement.source]
            self.dots = Dots(factor) if back.wanted.intersection(statement.reads) else None

    def do(self, run: Run) -> None:
        """Carry out the statement on a stretch."""
        slot, layout = self.statement.slot, self.step.state.layout
        units = layout.met(run, self.units)
        self.step.state.add(
            slot, self._source(run), units, self.step.index, run.span.start, self._largest()
        )

    def undo(self, run: Run) -> None:
        """Take it back; the factor and the source both get their cotangents."""
        slot, layout = self.statement.slot, self.step.state.layout
        units, source, largest = layout.met(run, self.units), self._source(run), self._largest()
        self.step.state.subtract(slot, source, units, self.step.index, run.span.start, largest)
        part = self.bar[run.span]
        if self.dots is not None:
            self.dots.add(run, part, source)
        if self.carried is not None:
            self.carried[run.span] += part * layout.met(run, self.factors)

    def close(self) -> None:
        """Hand on the adjoint of the factor."""
        if self.back is not None and self.dots is not None:
            found_factor(self.step, self.statement, self.dots.sums, self.back)

    def _source(self, run: Run) -> NDArray[Any]:
        if self.statement.source == GRADIENT:
            assert self.step.gradient is not None
            return self.step.gradient[run.span]
        state = self.step.state
        return state.part(self.statement.source, run.span, state.layout.met(run, self.scale))

    def _largest(self) -> float:
        """A bound on the magnitudes of what multiples are taken of."""
        if self.statement.source != GRADIENT:
            return self.step.state.largest(self.statement.source)
        gradient = self.step.gradient
        assert gradient is not None
        if len(gradient) > WHOLE:
            # Cheaper where the products are in the cache, stretch by stretch.
            return math.inf
        return max(float(gradient.max()), -float(gradient.min()))


class Rise:
    """slot <- slot + Q(increment), or max(slot, Q(increment)) for one of `RaiseTo`."""

    def __init__(self, step: Step, statement: Add | RaiseTo, back: Back | None = None) -> None:
        self.step, self.statement, self.back = step, statement, back
        state = step.state
        # Slots of up to WHOLE elements are not cut into stretches: the calls would cost more.
        self.whole = not (
            isinstance(statement, Add) and statement.elementwise and state.layout.size > WHOLE
        )
        self.units = state.units(statement.slot, _ONE)
        self.scales = {name: state.scale(name) for name in statement.reads if name in state.slots}
        self.columns = (self.units, *self.scales.values())
        if back is not None:
            self.names = [name for name in statement.reads if step.varies(name, back.wanted)]
            self.gathered = {n: Gathered(step.rows[n]) for n in self.names if n in step.rows}

    def do(self, run: Run) -> None:
        """Carry out the statement on a stretch."""
        statement, state = self.statement, self.step.state
        rise = statement.increment(*[self._read(name, run) for name in statement.reads])
        size = run.span.stop - run.span.start
        rise = np.broadcast_to(np.asarray(rise, float), (size,))
        if isinstance(statement, RaiseTo):
            state.raise_to(statement.slot, rise, self.step.index)
        else:
            units = state.layout.met(run, self.units)
            state.add(statement.slot, rise, units, self.step.index, run.span.start)

    def undo(self, run: Run) -> None:
        """Take it back; everything that the increment read gets its cotangent."""
        assert self.back is not None
        rise, pullback = self._linearized(run)
        bar = self._undone(np.asarray(rise, float), self.back.bars[self.statement.slot], run)
        for name, cotangent in pullback(bar):
            if name in self.gathered:
                self.gathered[name].add(cotangent, run.span)
            else:
                self.back.bars[name][run.span] += cotangent

    def close(self) -> None:
        """Hand on the adjoints of the hyperparameters that the increment read."""
        assert self.back is not None
        for name, total in self.gathered.items():
            self.back.found(name, total.collected())

    def _linearized(self, run: Run) -> tuple[Any, Callable[[Any], Iterable[tuple[str, Any]]]]:
        """The increment, and from its cotangent those of what it reads and `names` names."""
        statement, names = self.statement, self.names
        known = {name: self._read(name, run) for name in statement.reads}
        arguments = [known[name] for name in statement.reads]
        by_hand = statement.pullback if isinstance(statement, Add) else None
        if by_hand is not None and set(names).issubset(by_hand.of):
            rise, pull = by_hand.function(*arguments)

            def pulled(bar: Any) -> Iterable[tuple[str, Any]]:
                found = zip(by_hand.of, pull(bar), strict=True)
                return [(name, cotangent) for name, cotangent in found if name in names]

            return rise, pulled

        def increment(*values: Any) -> Any:
            given = {**known, **dict(zip(names, values, strict=True))}
            return statement.increment(*[given[name] for name in statement.reads])

        rise, pullback = NumpyBackend.vjp(increment, *[known[name] for name in names])
        return rise, lambda bar: zip(names, pullback(bar), strict=True)

    def _undone(self, rise: Floats, bar: Floats, run: Run) -> Floats:
        """Undo an addition or a maximum; the cotangent of the increment."""
        statement, state = self.statement, self.step.state
        if isinstance(statement, Add):
            units = state.layout.met(run, self.units)
            state.subtract(statement.slot, rise, units, self.step.index, run.span.start)
            return bar[run.span]
        state.lower_from(statement.slot, rise, self.step.index)
        part = bar * _share(rise, state.value(statement.slot))
        bar -= part
        return part

    def _read(self, name: str, run: Run) -> Any:
        """What the statement reads, for the elements of a stretch."""
        state = self.step.state
        if name in self.scales and not self.whole:
            return state.part(name, run.span, state.layout.met(run, self.scales[name]))
        value = self.step.read(name)
        if self.whole or name in GIVEN[1:] or not isinstance(value, np.ndarray):
            return value
        return value[run.span]


class Fading:
    """What slot <- factor * slot makes of the adjoint. The slot itself decays as a whole."""

    whole = False

    def __init__(self, step: Step, statement: Decay, back: Back) -> None:
        state, slot = step.state, statement.slot
        self.layout, self.bar = state.layout, back.bars[slot]
        # The factor that was applied is what is differentiated.
        self.shares = state.decays[slot].applied(step.factor(statement).values)
        self.columns = (self.shares,)

    def do(self, run: Run) -> None:
        """Nothing: an adjoint has a way back only."""

    def undo(self, run: Run) -> None:
        """Multiply the adjoint on a stretch."""
        part = self.bar[run.span]
        np.multiply(part, self.layout.met(run, self.shares), out=part)

    def close(self) -> None:
        """Nothing was gathered."""


class Shrinking(Fading):
    """The same, and the adjoint of the factor; the slot has been undone."""

    def __init__(self, step: Step, statement: Decay, back: Back) -> None:
        super().__init__(step, statement, back)
        self.step, self.statement, self.back = step, statement, back
        self.scale = step.state.scale(statement.slot)
        self.columns = (self.shares, self.scale)
        self.dots = Dots(step.factor(statement))

    def undo(self, run: Run) -> None:
        """Multiply the adjoint on a stretch, after the slot's values have met it."""
        scale = self.layout.met(run, self.scale)
        slot = self.step.state.part(self.statement.slot, run.span, scale)
        self.dots.add(run, self.bar[run.span], slot)
        super().undo(run)

    def close(self) -> None:
        """Hand on the adjoint of the factor."""
        found_factor(self.step, self.statement, self.dots.sums, self.back)


def found_factor(step: Step, statement: Decay | AddScaled, bar: Floats, back: Back) -> None:
    """Carry the cotangent of a factor on to the hyperparameters that it was computed from."""
    if statement.factor is itself:
        back.found(statement.reads[0], bar)
        return
    names = [name for name in statement.reads if name in step.rows]

    def factor(*values: Any) -> Any:
        known = {**step.given, **dict(zip(names, values, strict=True))}
        return statement.factor(*[known[name] for name in statement.reads])

    _, pullback = NumpyBackend.vjp(factor, *aligned([step.rows[name] for name in names]))
    for name, part in zip(names, pullback(bar), strict=True):
        if name in back.wanted:
            row = step.rows[name]
            back.found(name, part if len(part) == len(row.values) else row.collect(part))


_ONE = np.ones(1)


def _share(rise: Floats, before: Floats) -> Floats:
    """The part of a maximum's adjoint that goes to the increment: 1 where it won, 1/2 at a tie."""
    return np.where(rise > before, 1.0, np.where(rise == before, 0.5, 0.0))
