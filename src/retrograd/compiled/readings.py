"""The readings of an optimizer's program in a compiled run: on integers, and on floats.

Slots are lists with one entry per part. A program whose functions look at each element alone is
read part by part, so that large leaves keep the places that they have on the devices. Others (a
norm over all weights, a product of matrices) are handed flat vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.backends.jax import root
from retrograd.compiled.integers import Integers, Radix
from retrograd.compiled.parts import Parts
from retrograd.compiled.scales import Scales
from retrograd.compiled.tape import Tape, pop, push
from retrograd.lattice import Layout
from retrograd.optimizers import Add, AddScaled, Decay, Optimizer, Statement
from retrograd.optimizers.program import POSITION, Program, RaiseTo, Transform, reads_gradient

__all__ = ["Readings", "Slots", "Tapes"]

# For each slot its integers by part; for each slot that decays its tapes by part.
Slots = dict[str, list[Integers]]
Tapes = dict[str, Tape]
Rows = Mapping[str, Any]


@dataclass(frozen=True)
class Readings:
    """An optimizer's program, for weights of one layout.

    Args:
        optimizer: whose program it is.
        parts: of the weights.
    """

    optimizer: Optimizer
    parts: Parts

    @property
    def layout(self) -> Layout:
        """The layout of the weights."""
        return self.parts.layout

    @cached_property
    def program(self) -> Program:
        """The program."""
        return self.optimizer.program

    @cached_property
    def lattices(self) -> dict[str, Radix]:
        """The lattice of each slot."""
        words = self.optimizer.slot_words()
        return {
            slot: Radix(digits, words[slot])
            for slot, digits in self.optimizer.slot_radixes().items()
        }

    @cached_property
    def decays(self) -> dict[str, list[Decay]]:
        """The decays of each slot that has some, in order."""
        found: dict[str, list[Decay]] = {}
        for statement in self.program.statements:
            if isinstance(statement, Decay):
                found.setdefault(statement.slot, []).append(statement)
        return found

    # On integers.

    def start(self, weights: Sequence[Any]) -> Slots:
        """The first state: the weights on the lattice, zeros or copies of them elsewhere."""
        slots: Slots = {}
        for slot, lattice in self.lattices.items():
            copied = slot == POSITION or slot in self.program.starts
            slots[slot] = [
                lattice.plus(lattice.zeros(w.shape), w.astype(jnp.float64) * lattice.unit)
                if copied
                else lattice.zeros(w.shape)
                for w in weights
            ]
        return slots

    def values(self, slot: str, integers: list[Integers], scale: Any = None) -> list[Any]:
        """The numbers of a slot, float64, given its scale, (1,) or (L,)."""
        lattice = self.lattices[slot]
        return [
            lattice.value(words, 1.0 if scale is None else self.parts.of_row(scale, i))
            for i, words in enumerate(integers)
        ]

    def take(
        self,
        slots: Slots,
        gradient: list[Any],
        rows: Rows,
        t: Any,
        scales: Mapping[str, Scales],
        tapes: Tapes | None = None,
    ) -> tuple[Slots, Tapes | None]:
        """One step, with the tape if there is one.

        Args:
            slots: the state.
            gradient: the raw gradient.
            rows: the hyperparameters of the step, (K,) float64 each.
            t: the step, int32.
            scales: of the slots that decay.
            tapes: what was kept so far, or None to keep nothing.
        """
        walk = _Walk(self, dict(slots), rows, t, scales, done=False)
        weights = walk.values(POSITION)
        walk.gradient = self.transformed(_wide(gradient), weights, rows, t)
        tapes = None if tapes is None else dict(tapes)
        for statement in self.program.statements:
            if isinstance(statement, Decay):
                walk.decay(statement, tapes)
            else:
                walk.change(statement)
        return walk.slots, tapes

    def undo_move(
        self, slots: Slots, rows: Rows, t: Any, scales: Mapping[str, Scales], tapes: Tapes
    ) -> _Walk:
        """Undo the statements behind the last one that reads the gradient.

        `tapes` is handed through the loops that read it, and changed in place for that.
        """
        walk = _Walk(self, dict(slots), rows, t, scales, done=True)
        self._undo(walk, self._after_gradient, tapes)
        return walk

    def undo_rest(self, walk: _Walk, gradient: list[Any], tapes: Tapes) -> Slots:
        """Undo the other statements, given the raw gradient at the position that was found."""
        weights = walk.values(POSITION)
        walk.gradient = self.transformed(_wide(gradient), weights, walk.rows, walk.t)
        count = len(self.program.statements) - len(self._after_gradient)
        self._undo(walk, self.program.statements[:count], tapes)
        return walk.slots

    def _undo(self, walk: _Walk, statements: Sequence[Statement], tapes: Tapes) -> None:
        for statement in reversed(statements):
            if isinstance(statement, Decay):
                walk.undo_decay(statement, tapes)
            else:
                walk.change(statement, back=True)

    @cached_property
    def _after_gradient(self) -> Sequence[Statement]:
        statements = self.program.statements
        last = max(i for i, s in enumerate(statements) if reads_gradient(s))
        return statements[last + 1 :]

    @property
    def moved(self) -> set[str]:
        """The slots that `move` changes."""
        return {statement.slot for statement in self._after_gradient}

    def transformed(self, gradient: list[Any], weights: list[Any], rows: Rows, t: Any) -> list[Any]:
        """The gradient after the program's pipeline."""
        if not self.program.transforms:
            return gradient
        known = {"gradient": self._joined(gradient), "weights": self._joined(weights)}
        for transform in self.program.transforms:
            known["gradient"] = self._transform(transform, known, rows, t)
        return self._parted(known["gradient"])

    def _transform(self, transform: Transform, known: Mapping[str, Any], rows: Rows, t: Any) -> Any:
        given = {**self._given(t), **{name: self.flat(row) for name, row in rows.items()}, **known}
        return transform(*[given[name] for name in transform.reads])

    # On floats.

    def move(self, slots: Mapping[str, list[Any]], rows: Rows, t: Any) -> dict[str, list[Any]]:
        """The statements behind the last one that reads the gradient, on floats."""
        return self._updated(self._after_gradient, slots, [], rows, t)

    def learn(
        self, slots: Mapping[str, list[Any]], gradient: list[Any], rows: Rows, t: Any
    ) -> dict[str, list[Any]]:
        """The pipeline and the statements before `move`, given the raw gradient."""
        gradient = self.transformed(gradient, slots[POSITION], rows, t)
        count = len(self.program.statements) - len(self._after_gradient)
        return self._updated(self.program.statements[:count], slots, gradient, rows, t)

    def _updated(
        self,
        statements: Sequence[Statement],
        slots: Mapping[str, list[Any]],
        gradient: list[Any],
        rows: Rows,
        t: Any,
    ) -> dict[str, list[Any]]:
        found = dict(slots)
        for statement in statements:
            known = {**found, "gradient": gradient}
            found[statement.slot] = self._changed(statement, known, rows, t)
        return found

    def _changed(
        self, statement: Statement, known: Mapping[str, list[Any]], rows: Rows, t: Any
    ) -> list[Any]:
        """What a statement makes of its slot."""
        old = known[statement.slot]
        if isinstance(statement, Decay):
            return self._scaled(self.factor(statement, rows, t), old)
        if isinstance(statement, AddScaled):
            rise = self._scaled(self.factor(statement, rows, t), known[statement.source])
        else:
            rise = self.increment(statement, known, rows, t)
        change = jnp.maximum if isinstance(statement, RaiseTo) else jnp.add
        return [change(a, b.astype(a.dtype)) for a, b in zip(old, rise, strict=True)]

    def _scaled(self, factor: Any, values: list[Any]) -> list[Any]:
        return [_scaled(self.parts.of_row(factor, i), x) for i, x in enumerate(values)]

    # What both need.

    def factor(self, statement: Decay | AddScaled, rows: Rows, t: Any) -> Any:
        """The factor or coefficient of a statement, (K,)."""
        names = [name for name in statement.reads if name in rows]
        aligned = self.aligned([rows[name] for name in names])
        known = dict(zip(names, aligned, strict=True))
        # JAX divides int32 numbers as float32.
        step = jnp.asarray(t, jnp.float64)
        value = statement.factor(*[known.get(name, step) for name in statement.reads])
        return jnp.atleast_1d(jnp.asarray(value, jnp.float64))

    def increment(
        self, statement: Add | RaiseTo, known: Mapping[str, list[Any]], rows: Rows, t: Any
    ) -> list[Any]:
        """What is added to a slot, or what it is raised to, by part."""
        given = self._given(t)
        if isinstance(statement, Add) and statement.elementwise:
            found = [
                statement.increment(
                    *[self._read(name, i, known, rows, given) for name in statement.reads]
                )
                for i in range(len(self.parts))
            ]
        else:
            flat: dict[str, Any] = dict(given)
            flat |= {name: self.flat(rows[name]) for name in statement.reads if name in rows}
            flat |= {name: self._joined(known[name]) for name in statement.reads if name in known}
            rise = statement.increment(*[flat[name] for name in statement.reads])
            found = self._parted(jnp.broadcast_to(rise, (self.layout.size,)))
        return [
            jnp.broadcast_to(x, shape) for x, shape in zip(found, self.parts.shapes, strict=True)
        ]

    def _read(
        self,
        name: str,
        part: int,
        known: Mapping[str, list[Any]],
        rows: Rows,
        given: Mapping[str, Any],
    ) -> Any:
        if name in rows:
            return self.parts.of_row(rows[name], part)
        return known[name][part] if name in known else given[name]

    def _given(self, t: Any) -> dict[str, Any]:
        return {"step": t, "root": root, "xp": jnp, "layout": self.layout}

    def flat(self, row: Any) -> Any:
        """A (K,) row as it meets a flat vector: a number, or an (N,) vector."""
        if row.shape[0] == 1:
            return row[0]
        if row.shape[0] == len(self.layout):
            sizes = np.array(self.layout.sizes)
            return jnp.repeat(row, sizes, total_repeat_length=self.layout.size)
        return row

    def aligned(self, rows: list[Any]) -> list[Any]:
        """Rows with one common number of columns (or one)."""
        if len({row.shape[0] for row in rows} - {1}) <= 1:
            return rows
        return [jnp.broadcast_to(self.flat(row), (self.layout.size,)) for row in rows]

    def _joined(self, parts: list[Any]) -> Any:
        """A flat vector of all leaves."""
        return jnp.concatenate([leaf.reshape(-1) for leaf in self.parts.split(parts)])

    def _parted(self, flat: Any) -> list[Any]:
        return self.parts.joined(self.layout.split(flat))


class _Walk:
    """A walk through the statements of one step, on integers, forwards or back.

    Attributes:
        slots: as they are at this statement.
        gradient: by part, float64, when it is known.
    """

    def __init__(
        self,
        readings: Readings,
        slots: Slots,
        rows: Rows,
        t: Any,
        scales: Mapping[str, Scales],
        *,
        done: bool,
    ) -> None:
        self.readings = readings
        self.slots = slots
        self.rows = rows
        self.t = t
        self.scales = scales
        self.gradient: list[Any] = []
        # The number of the next decay of each slot, and the scale at this statement.
        self._next = {s: (t + int(done)) * scales[s].per_step for s in scales}
        self._scale: dict[str, Any] = {}
        for slot, table in scales.items():
            first = self._next[slot] - int(done)
            self._scale[slot] = (table.after if done else table.before)[first]

    def values(self, slot: str) -> list[Any]:
        """The numbers of a slot at this statement, float64."""
        return self.readings.values(slot, self.slots[slot], self._scale.get(slot))

    def decay(self, statement: Decay, tapes: Tapes | None) -> None:
        """Take the next decay of a slot."""
        slot = statement.slot
        table, j = self.scales[slot], self._next[slot]

        def halve(_: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            lattice = self.readings.lattices[slot]
            integers, kept = carry
            found, written = [], []
            for part, words in enumerate(integers):
                words, bits = lattice.halved(words, self._times(table, j, part))
                found.append(words)
                if kept is not None:
                    place = table.places[j, part] - kept.origin[part]
                    written.append(push(kept.parts[part], bits, place))
            return found, None if kept is None else Tape(written, kept.origin)

        kept = None if tapes is None else tapes[slot]
        self.slots[slot], kept = _if(table.any_halving[j], halve, (self.slots[slot], kept))
        if tapes is not None and kept is not None:
            tapes[slot] = kept
        self._scale[slot] = table.after[j]
        self._next[slot] = j + 1

    def undo_decay(self, statement: Decay, tapes: Tapes) -> None:
        """Undo the last decay of a slot that stands."""
        slot = statement.slot
        table, j = self.scales[slot], self._next[slot] - 1

        def double(i: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            lattice = self.readings.lattices[slot]
            integers, kept = carry
            found = []
            for part, words in enumerate(integers):
                # i is 0. Without it the tape would be read in every step, as nothing else here
                # depends on the loop.
                times = self._times(table, j + i, part)
                place = table.places[j + i, part] - kept.origin[part]
                bits = pop(kept.parts[part], times, place)
                found.append(lattice.doubled(words, times, bits))
            return found, kept

        self.slots[slot], tapes[slot] = _if(
            table.any_halving[j], double, (self.slots[slot], tapes[slot])
        )
        self._scale[slot] = table.before[j]
        self._next[slot] = j

    def _times(self, table: Scales, j: Any, part: int) -> Any:
        """The halvings of decay j, int64, as they meet a part."""
        return self.readings.parts.of_row(table.halvings[j], part).astype(jnp.int64)

    def change(self, statement: Statement, *, back: bool = False) -> None:
        """Carry out an addition or a maximum, or undo an addition."""
        slot = statement.slot
        lattice = self.readings.lattices[slot]
        if isinstance(statement, RaiseTo):
            do = lattice.raised
        else:
            do = lattice.minus if back else lattice.plus
        self.slots[slot] = [
            do(words, x) for words, x in zip(self.slots[slot], self._units(statement), strict=True)
        ]

    def _units(self, statement: Statement) -> list[Any]:
        """What is added or raised to, in units of the slot's first words, by part."""
        readings, slot = self.readings, statement.slot
        unit, scale = readings.lattices[slot].unit, self._scale.get(slot, jnp.ones(1))
        if isinstance(statement, AddScaled):
            factor = readings.factor(statement, self.rows, self.t)
            source = self._known(statement.source)
        else:
            assert isinstance(statement, Add | RaiseTo)
            known = {name: self._known(name) for name in statement.reads if self._is_known(name)}
            factor = jnp.ones(1)
            source = readings.increment(statement, known, self.rows, self.t)
        factor, scale = readings.aligned([factor, scale])
        times = factor / scale * unit
        return [x * readings.parts.of_row(times, i) for i, x in enumerate(source)]

    def _is_known(self, name: str) -> bool:
        return name == "gradient" or name in self.slots

    def _known(self, name: str) -> list[Any]:
        return self.gradient if name == "gradient" else self.values(name)


@jax.custom_vjp
def _scaled(factor: Any, leaf: Any) -> Any:
    """A leaf times a number or an array like it, in the leaf's dtype."""
    return leaf * factor.astype(leaf.dtype)


def _scaled_forward(factor: Any, leaf: Any) -> tuple[Any, Any]:
    return _scaled(factor, leaf), (factor, leaf)


def _scaled_backward(kept: tuple[Any, Any], bar: Any) -> tuple[Any, Any]:
    factor, leaf = kept
    by_factor = bar * leaf if factor.ndim else jnp.sum(bar * leaf)
    return by_factor.astype(factor.dtype), bar * factor.astype(leaf.dtype)


_scaled.defvjp(_scaled_forward, _scaled_backward)


def _if(condition: Any, change: Callable[[Any, Any], Any], carry: Any) -> Any:
    """`change(0, carry)` if a condition holds. A loop works in place, where a branch would copy."""
    return jax.lax.fori_loop(jnp.int32(0), condition.astype(jnp.int32), change, carry)


def _wide(parts: Sequence[Any]) -> list[Any]:
    return [part.astype(jnp.float64) for part in parts]
