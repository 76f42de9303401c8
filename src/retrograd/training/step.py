"""The readings of an optimizer's program on the lattice, for one step: forwards and back.

The way back undoes each statement and carries the adjoint over it at once, because undoing an
addition needs the increment, and so does its derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrograd.backends import NumpyBackend
from retrograd.lattice.layout import WHOLE
from retrograd.optimizers import Add, AddScaled, Decay, Program, RaiseTo
from retrograd.optimizers.program import GIVEN, itself
from retrograd.training.factors import factor_of
from retrograd.training.rows import Dots, Gathered, Row, aligned
from retrograd.training.state import State

__all__ = ["Step"]

Floats = NDArray[np.float64]

# What a step in reverse asks of the run: the gradient at the position where the step began, given
# the direction in which its derivative will be wanted, where that is known already.
AskGradient = Callable[[Floats | None], NDArray[Any]]
# Takes a hyperparameter's name and a part of its adjoint at this step, (K,).
Found = Callable[[str, Floats], None]


class _Stretch(NamedTuple):
    """A stretch of an increment that is computed in parts.

    Attributes:
        span: its place in the flat vector.
        units: 1 in units of the slot that it is added to, a number or (n,).
        scales: for each slot that it reads in parts, the scale there.
    """

    span: slice
    units: float | Floats
    scales: Mapping[str, float | Floats]


class Step:
    """One step of a run: the state, and what its statements read besides the slots.

    Args:
        index: the number of the step, from 0.
        program: the optimizer's.
        state: the slots; changed in place.
        rows: the hyperparameters of this step.
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
        # As the statements see it, in the dtype that it came in.
        self.gradient: NDArray[Any] | None = None
        self._pull_transforms: Callable[[Floats], dict[str, Any]] | None = None
        # Whether the direction of the gradient's derivative was known before the gradient was.
        self._directed = False

    def forward(self, gradient: NDArray[Any]) -> None:
        """Take the step, given the raw gradient at its start, (N,) floats."""
        if self.program.transforms:
            gradient = _wide(gradient)
        for transform in self.program.transforms:
            gradient = transform(
                *[gradient if name == "gradient" else self._read(name) for name in transform.reads]
            )
        self._take(gradient)

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
        assert self.gradient is not None
        self._take(self.gradient)
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
        readers = self.program.readers
        for statement in reversed(self.program.statements):
            if statement in readers and self.gradient is None:
                self._transform(ask(self._direction(adjoint)), wanted)
            if isinstance(statement, Decay):
                self._undo_decay(statement, adjoint, wanted, found)
            elif isinstance(statement, AddScaled):
                self._undo_multiple(statement, adjoint, wanted, found)
            else:
                self._undo_increment(statement, adjoint, wanted, found)
        if self._pull_transforms is not None:
            parts = self._pull_transforms(adjoint["gradient"])
            adjoint["gradient"].fill(0.0)
            for name, bar in parts.items():
                self._deliver(name, bar, adjoint, found)

    def _take(self, gradient: NDArray[Any]) -> None:
        self.gradient = gradient
        for statement in self.program.statements:
            slot = statement.slot
            if isinstance(statement, Decay):
                self.state.decay(slot)
            elif isinstance(statement, AddScaled):
                largest = self._largest(statement.source)
                for run, source, units in self._multiples(statement, self._factor(statement)):
                    self.state.add(slot, source, units, self.index, run.span.start, largest)
            elif isinstance(statement, Add):
                for stretch in self._stretches(statement):
                    rise = self._increment(statement, stretch)
                    self.state.add(slot, rise, stretch.units, self.index, stretch.span.start)
            else:
                for stretch in self._stretches(statement):
                    self.state.raise_to(slot, self._increment(statement, stretch), self.index)

    def _transform(self, raw: NDArray[Any], wanted: set[str]) -> None:
        """The gradient that the statements see, and the way back from its adjoint."""
        transforms = self.program.transforms
        if not transforms:
            self.gradient = raw
            return
        reads = dict.fromkeys(name for transform in transforms for name in transform.reads)
        names = ["gradient", *[name for name in reads if self._varies(name, wanted)]]
        names = list(dict.fromkeys(names))

        def transformed(*values: Any) -> Any:
            known = dict(zip(names, values, strict=True))
            for transform in transforms:
                known["gradient"] = transform(
                    *[known[n] if n in known else self._read(n) for n in transform.reads]
                )
            return known["gradient"]

        raw = _wide(raw)
        arguments = [raw if name == "gradient" else self._read(name) for name in names]
        self.gradient, pullback = NumpyBackend.vjp(transformed, *arguments)
        self._pull_transforms = lambda bar: dict(zip(names, pullback(bar), strict=True))

    def _direction(self, bars: Mapping[str, Floats]) -> Floats | None:
        """The adjoint of the gradient, if it is known before the gradient is."""
        readers = self.program.readers
        self._directed = (
            len(readers) == 1 and isinstance(readers[0], AddScaled) and not self.program.gradient
        )
        if self._directed:
            assert isinstance(readers[0], AddScaled)
            bar = bars[readers[0].slot]
            return self._factor(readers[0]).times(bar, np.empty_like(bar))
        return None

    def _undo_decay(
        self, statement: Decay, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Divide the slot again; the factor that was applied is what is differentiated."""
        slot, state, bar = statement.slot, self.state, bars[statement.slot]
        factor = self._factor(statement)
        dots = Dots(factor) if wanted.intersection(statement.reads) else None
        state.undo_decay(slot)
        applied = state.decays[slot].applied(factor.values)
        if dots is None:
            Row(applied, state.layout).times(bar, bar)
            return
        for run, share, scale in state.layout.walk(applied, state.scale(slot)):
            part = bar[run.span]
            dots.add(run, part, state.part(slot, run.span, scale))
            part *= share
        self._found_factor(statement, dots.sums, wanted, found)

    def _undo_multiple(
        self, statement: AddScaled, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Subtract coefficient * source again; both get their cotangents."""
        bar, factor = bars[statement.slot], self._factor(statement)
        largest = self._largest(statement.source)
        dots = Dots(factor) if wanted.intersection(statement.reads) else None
        known = statement.source == "gradient" and self._directed
        carried = None if known else bars[statement.source]
        for run, source, units, value in self._multiples(statement, factor, factor.values):
            first = run.span.start
            self.state.subtract(statement.slot, source, units, self.index, first, largest)
            part = bar[run.span]
            if dots is not None:
                dots.add(run, part, source)
            if carried is not None:
                carried[run.span] += part * value
        if dots is not None:
            self._found_factor(statement, dots.sums, wanted, found)

    def _multiples(
        self, statement: AddScaled, factor: Row, *columns: Floats
    ) -> Iterator[tuple[Any, ...]]:
        """Runs, each with the source, the factor in units of the slot, and what columns say."""
        state, name = self.state, statement.source
        units = state.units(statement.slot, factor.values)
        if name == "gradient":
            assert self.gradient is not None
            for run, *numbers in state.layout.walk(units, *columns):
                yield run, self.gradient[run.span], *numbers
            return
        for run, scale, *numbers in state.layout.walk(state.scale(name), units, *columns):
            yield run, state.part(name, run.span, scale), *numbers

    def _undo_increment(
        self, statement: Add | RaiseTo, bars: Mapping[str, Floats], wanted: set[str], found: Found
    ) -> None:
        """Undo an addition or a maximum; everything that the increment read gets its cotangent."""
        slot = statement.slot
        names = [name for name in statement.reads if self._varies(name, wanted)]
        gathered = {name: Gathered(self.rows[name]) for name in names if name in self.rows}
        for stretch in self._stretches(statement):
            rise, pullback = self._linearized(statement, stretch, names)
            bar = self._undone(statement, np.asarray(rise, float), bars[slot], stretch)
            for name, cotangent in pullback(bar):
                if name in gathered:
                    gathered[name].add(cotangent, stretch.span)
                else:
                    bars[name][stretch.span] += cotangent
        for name, total in gathered.items():
            found(name, total.collected())

    def _linearized(
        self, statement: Add | RaiseTo, stretch: _Stretch, names: Sequence[str]
    ) -> tuple[Any, Callable[[Any], Iterable[tuple[str, Any]]]]:
        """An increment, and from its cotangent those of what it reads and `names` names."""
        known = {name: self._read_part(name, stretch) for name in statement.reads}
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

    def _undone(
        self, statement: Add | RaiseTo, rise: Floats, bar: Floats, stretch: _Stretch
    ) -> Floats:
        """Undo an addition or a maximum; the cotangent of the increment."""
        slot, span = statement.slot, stretch.span
        if isinstance(statement, Add):
            self.state.subtract(slot, rise, stretch.units, self.index, span.start)
            return bar[span]
        self.state.lower_from(slot, rise, self.index)
        part = bar * _share(rise, self.state.value(slot))
        bar -= part
        return part

    def _stretches(self, statement: Add | RaiseTo) -> Iterator[_Stretch]:
        """The parts that an increment is computed in: in the cache, where elements stand alone."""
        state, size = self.state, self.state.layout.size
        units = state.units(statement.slot, _ONE)
        if not (isinstance(statement, Add) and statement.elementwise and size > _SMALL):
            yield _Stretch(slice(0, size), Row(units, state.layout).spread, _NONE)
            return
        slots = [name for name in statement.reads if name in state.slots]
        for run, unit, *scales in state.layout.walk(units, *map(state.scale, slots)):
            yield _Stretch(run.span, unit, dict(zip(slots, scales, strict=True)))

    def _increment(self, statement: Add | RaiseTo, stretch: _Stretch) -> Floats:
        rise = statement.increment(*[self._read_part(name, stretch) for name in statement.reads])
        return np.broadcast_to(np.asarray(rise, float), (stretch.span.stop - stretch.span.start,))

    def _read_part(self, name: str, stretch: _Stretch) -> Any:
        """What a statement reads, for the elements of a stretch."""
        if name in stretch.scales:
            return self.state.part(name, stretch.span, stretch.scales[name])
        value = self._read(name)
        if name in self.given or not isinstance(value, np.ndarray):
            return value
        return value[stretch.span]

    def _varies(self, name: str, wanted: set[str]) -> bool:
        """Whether the derivative with respect to what is read matters."""
        return name in wanted if name in self.rows else name == "gradient" or name not in GIVEN

    def _deliver(self, name: str, bar: Any, bars: Mapping[str, Floats], found: Found) -> None:
        if name in self.rows:
            found(name, self.rows[name].collect(bar))
        else:
            bars[name][:] += bar

    def _found_factor(
        self, statement: Decay | AddScaled, bar: Floats, wanted: set[str], found: Found
    ) -> None:
        """Carry the cotangent of a factor on to the hyperparameters that it was computed from."""
        if statement.factor is itself:
            found(statement.reads[0], bar)
            return
        names = [name for name in statement.reads if name in self.rows]

        def factor(*values: Any) -> Any:
            known = {**self.given, **dict(zip(names, values, strict=True))}
            return statement.factor(*[known[name] for name in statement.reads])

        _, pullback = NumpyBackend.vjp(factor, *aligned([self.rows[name] for name in names]))
        for name, part in zip(names, pullback(bar), strict=True):
            if name in wanted:
                row = self.rows[name]
                found(name, part if len(part) == len(row.values) else row.collect(part))

    def _factor(self, statement: Decay | AddScaled) -> Row:
        return factor_of(statement, self.rows, self.index, self.state.layout)

    def _largest(self, name: str) -> float:
        """A bound on the magnitudes of what multiples are taken of."""
        if name != "gradient":
            return self.state.largest(name)
        assert self.gradient is not None
        if len(self.gradient) > _SMALL:
            # Cheaper where the products are in the cache, stretch by stretch.
            return math.inf
        return max(float(self.gradient.max()), -float(self.gradient.min()))

    def _read(self, name: str) -> Any:
        if name == "gradient":
            assert self.gradient is not None
            self.gradient = _wide(self.gradient)
            return self.gradient
        if name in self.given:
            return self.given[name]
        if name in self.rows:
            return self.rows[name].spread
        return self.state.value(name)


_ONE = np.ones(1)
_NONE: Mapping[str, float] = {}
# Slots of up to this many elements are not cut into blocks: the calls would cost more.
_SMALL = WHOLE


def _share(rise: Floats, before: Floats) -> Floats:
    """The part of a maximum's adjoint that goes to the increment: 1 where it won, 1/2 at a tie."""
    return np.where(rise > before, 1.0, np.where(rise == before, 0.5, 0.0))


def _wide(flat: NDArray[Any]) -> Floats:
    return flat.astype(float, copy=False)


def _unasked(direction: Floats | None) -> Floats:
    raise AssertionError("the gradient was known")
