"""Training on the lattice as compiled dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from retrograd.compiled.dynamics import NO_ROOM, Dynamics, Room
from retrograd.compiled.integers import difference_of_bits, poisoned
from retrograd.compiled.isolated import isolated
from retrograd.compiled.products import arranged
from retrograd.compiled.readings import Readings, Slots, Tapes
from retrograd.compiled.scales import WORD, Scales, scales_of
from retrograd.compiled.tape import Tape, blank
from retrograd.optimizers.program import POSITION

__all__ = ["Bars", "Training", "scales_for"]

Loss = Callable[[list[Any], list[Any], Any], Any]
# The numbers of each slot, by part, in the weights' dtypes.
Values = dict[str, list[Any]]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bars:
    """The adjoints of a training run at one step.

    Attributes:
        slots: of each slot, by part, in the weights' dtypes.
        hyper: of the wanted inputs of the loss.
        tables: of the wanted tables of the optimizer's hyperparameters, in their dtypes; float64
            where all steps share a row.
    """

    slots: Values
    hyper: list[Any]
    tables: dict[str, Any]


def scales_for(
    readings: Readings, tables: Mapping[str, Any], steps: int
) -> tuple[dict[str, Scales], Any]:
    """The tables of the put-off decays of each slot, and the smallest and largest factor.

    Args:
        readings: of the optimizer.
        tables: its hyperparameters, (steps or 1, K) floats each.
        steps: how many steps.
    """
    found: dict[str, Scales] = {}
    extremes = [jnp.ones(2, jnp.float64)]
    for slot, decays in readings.decays.items():
        columns = [_factors(readings, decay, tables, steps) for decay in decays]
        width = max(column.shape[1] for column in columns)
        columns = [jnp.broadcast_to(column, (steps, width)) for column in columns]
        factors = jnp.stack(columns, 1).reshape(-1, width)
        extremes.append(jnp.stack([jnp.min(factors), jnp.max(factors)]))
        found[slot] = scales_of(factors, len(decays), readings.parts.members)
    every = jnp.stack(extremes)
    return found, jnp.stack([jnp.min(every[:, 0]), jnp.max(every[:, 1])])


def _factors(readings: Readings, decay: Any, tables: Mapping[str, Any], steps: int) -> Any:
    """The factors of a decay, (steps, K)."""

    def at(t: Any) -> Any:
        return readings.factor(decay, _rows(tables, t), t)

    return lax.map(at, jnp.arange(steps, dtype=jnp.int32))


def _rows(tables: Mapping[str, Any], t: Any) -> dict[str, Any]:
    """The hyperparameters of step t, (K,) float64 each."""
    rows = {
        name: table[0] if table.shape[0] == 1 else lax.dynamic_index_in_dim(table, t, 0, False)
        for name, table in tables.items()
    }
    return {name: row.astype(jnp.float64) for name, row in rows.items()}


# What the derivative of the gradient computes again rather than reads: it costs less than memory.
_CHEAP = """
    abs add add_any and broadcast_in_dim clamp convert_element_type copy div eq expand_dims ge gt
    integer_pow iota is_finite le lt max min mul ne neg not or pad reshape select_n sign slice
    square squeeze stop_gradient sub transpose
"""


def _is_kept(primitive: Any, *_: Any, **__: Any) -> bool:
    """Whether a result of the gradient is handed to its derivative."""
    return primitive.name not in _CHEAP.split()


class Training(Dynamics):
    """One training run, while JAX traces it with 64-bit types.

    Args:
        readings: of the optimizer.
        loss: `loss(leaves of w, inputs, t)`.
        wide: whether the loss is traced with 64-bit types, as in the caller's program.
        weights: the first weights, by leaf.
        inputs: what else enters the loss.
        tables: the optimizer's hyperparameters, (steps or 1, K) floats each.
        steps: how many steps.
        wanted: the numbers of what adjoints are wanted of: weights, inputs and tables in a row.
        room: for tapes.
        by_rules: whether derivatives of the loss are by rules that are not JAX's, or complex.
    """

    def __init__(
        self,
        readings: Readings,
        loss: Loss,
        wide: bool,
        weights: Sequence[Any],
        inputs: Sequence[Any],
        tables: Mapping[str, Any],
        steps: int,
        wanted: Sequence[int] = (),
        room: Room = NO_ROOM,
        *,
        by_rules: bool = False,
    ) -> None:
        self.readings = readings
        self.loss = loss
        self.wide = wide
        self.weights = weights
        self.inputs = inputs
        self.tables = tables
        self.steps = steps
        self.wanted = wanted
        first, order = len(weights) + len(inputs), list(tables)
        self.active = [i - len(weights) for i in wanted if len(weights) <= i < first]
        self.names = [order[i - first] for i in wanted if i >= first]
        self.room = room
        self.by_rules = by_rules
        self.parts = readings.parts
        self.dtypes = [weights[own[0]].dtype for own in self.parts.members]
        self.scales, self.extremes = scales_for(readings, tables, steps)

    def first(self) -> Slots:
        return self.readings.start(self.parts.joined(self.weights))

    def advance(self, state: Slots, t: Any, after: Any = ()) -> tuple[Slots, Any]:
        value, gradient = self._gradient(state, t, after)
        state, _ = self.readings.take(state, gradient, _rows(self.tables, t), t, self.scales)
        return state, value

    def record(self, state: Slots, tape: Tapes, t: Any) -> tuple[Slots, Tapes, Any]:
        value, gradient = self._gradient(state, t)
        rows = _rows(self.tables, t)
        state, tapes = self.readings.take(state, gradient, rows, t, self.scales, tape)
        assert tapes is not None
        return state, tapes, value

    def still(self, state: Slots, t: Any) -> Values:
        rest = {slot: state[slot] for slot in state if slot not in self.readings.moved}
        return self.values(rest, t)

    def retreat(
        self, state: Slots, still: Values, tape: Tapes, t: Any, bars: Bars
    ) -> tuple[Slots, Values, Tapes, Bars]:
        readings, rows, tape = self.readings, _rows(self.tables, t), dict(tape)
        walk = readings.undo_move(state, rows, t, self.scales, tape)
        # What `move` does not change was made floats of in the step before. To do so again takes
        # as long as an undone addition.
        between = {**still, **{slot: self._cast(walk.values(slot)) for slot in readings.moved}}
        bars = self._over_move(between, t, bars)
        # What reads the adjoints and values that are then changed ends in the tables.
        gradient, push = self._linearized(between[POSITION], t, after=bars.tables)
        state = readings.undo_rest(walk, gradient, tape)
        here = self.values(state, t)
        bars = self._over_learning(here, gradient, push, t, bars)
        return state, {slot: here[slot] for slot in still}, tape, bars

    def values(self, state: Slots, t: Any) -> Values:
        found: Values = {}
        for slot, integers in state.items():
            scales = self.scales.get(slot)
            scale = None if scales is None else self._scale_at(scales, t)
            found[slot] = self._cast(self.readings.values(slot, integers, scale))
        return found

    def pull(self, values: Values, t: Any, bars: Bars, after: Any = None) -> Bars:
        gradient, push = self._linearized(values[POSITION], t)
        between = self.readings.learn(values, gradient, _rows(self.tables, t), t)
        if after is not None:
            # What `move` does not change stands there already.
            between = {**after, **{slot: between[slot] for slot in self.readings.moved}}
        bars = self._over_move(between, t, bars)
        return self._over_learning(values, gradient, push, t, bars)

    def blank_tape(self, start: Any) -> Tapes:
        shapes = self.parts.shapes
        return {
            slot: Tape(
                [blank(count, shape) for count, shape in zip(rows, shapes, strict=True)],
                self.scales[slot].place_at(start),
            )
            for slot, rows in self.room.rows
        }

    def bits(self, starts: Sequence[int]) -> dict[str, Any]:
        bounds = (*starts, self.steps)
        return {
            slot: jnp.max(
                jnp.stack([scales.place_at(b) - scales.place_at(a) for a, b in pairwise(bounds)]), 0
            )
            for slot, scales in self.scales.items()
        }

    def differing(self, state: Slots, other: Slots) -> Any:
        count = jnp.int32(0)
        for slot, integers in state.items():
            for a, b in zip(integers, other[slot], strict=True):
                count = count + difference_of_bits(a, b)
        return count

    def faults(self, state: Slots) -> dict[str, Any]:
        """Which slots and parts have left the range, (S, P); the extreme factors; a full tape."""
        lost = [jnp.stack([poisoned(words) for words in parts]) for parts in state.values()]
        return {
            "lost": jnp.stack(lost),
            "factors": self.extremes.astype(jnp.float32),
            "full": self._tape_is_full(),
        }

    def observed(self, state: Slots, t: Any) -> tuple[Slots, dict[str, Any]]:
        value, gradient = self._gradient(state, t)
        state, _ = self.readings.take(state, gradient, _rows(self.tables, t), t, self.scales)
        finite = jnp.stack([jnp.all(jnp.isfinite(part)) for part in gradient])
        lost = self.faults(state)["lost"]
        return state, {"loss": value.astype(jnp.float64), "finite": finite, "lost": lost}

    def _tape_is_full(self) -> Any:
        full, needed = jnp.bool_(False), self.bits(self.room.starts)
        for slot, rows in self.room.rows:
            room = jnp.array([WORD * (count - 1) for count in rows], jnp.int32)
            full = full | jnp.any(needed[slot] > room)
        return full

    def norm(self, bars: Bars) -> Any:
        slots = {POSITION, self.readings.program.result}
        leaves = [leaf for slot in sorted(slots) for leaf in bars.slots[slot]]
        return jnp.sqrt(sum(jnp.sum(x * x, dtype=jnp.float64) for x in leaves))

    def result(self, state: Slots) -> list[Any]:
        """What training returns, by leaf."""
        return self.parts.split(self.values(state, self.steps)[self.readings.program.result])

    def start_of_bars(self, cotangents: Sequence[Any]) -> Bars:
        """The adjoints at the last step."""
        given = self.parts.joined(cotangents)
        slots = {slot: [jnp.zeros_like(x) for x in given] for slot in self.readings.lattices}
        slots[self.readings.program.result] = given
        hyper = [jnp.zeros_like(self.inputs[i]) for i in self.active]
        return Bars(slots, hyper, {name: self._blank_table(name) for name in self.names})

    def _blank_table(self, name: str) -> Any:
        """Zeros for the adjoint of a table; many small parts add up in a row that all share."""
        table = self.tables[name]
        return jnp.zeros_like(table, jnp.float64 if table.shape[0] == 1 else None)

    def cut(self, bars: Bars) -> Bars:
        return replace(bars, slots=jax.tree.map(jnp.zeros_like, bars.slots))

    def found(self, bars: Bars) -> list[Any]:
        weights = bars.slots[POSITION]
        for slot in self.readings.program.starts:
            weights = [a + b for a, b in zip(weights, bars.slots[slot], strict=True)]
        leaves = self.parts.split(weights)
        of_weights = [leaves[i] for i in self.wanted if i < len(leaves)]
        return [*of_weights, *bars.hyper, *(bars.tables[name] for name in self.names)]

    def _scale_at(self, scales: Scales, t: Any) -> Any:
        """The scale that step t finds; that of the last step's end where there is none."""
        last = jnp.maximum(t * scales.per_step - 1, 0)
        return jnp.where(t > 0, scales.after[last], 1.0)

    def _cast(self, leaves: Sequence[Any]) -> list[Any]:
        return [leaf.astype(dtype) for leaf, dtype in zip(leaves, self.dtypes, strict=True)]

    # The forward run and the sweep evaluate the gradient by the same code, the intermediate results
    # that only the sweep needs included: otherwise its last bits might differ.

    def _gradient(self, state: Slots, t: Any, after: Any = ()) -> tuple[Any, list[Any]]:
        """The loss, and its gradient by part."""
        scales = self.scales.get(POSITION)
        scale = None if scales is None else self._scale_at(scales, t)
        weights = self._cast(self.readings.values(POSITION, state[POSITION], scale))
        value, gradient, _ = self._derivatives(weights, t, whole=False, after=after)
        # A loss that is no number stops the run, though its gradient may be finite.
        least = min(range(len(gradient)), key=lambda part: gradient[part].size)
        gradient[least] = jnp.where(jnp.isfinite(value), gradient[least], jnp.nan)
        return value, gradient

    def _linearized(
        self, weights: list[Any], t: Any, after: Any = ()
    ) -> tuple[list[Any], Callable[[list[Any]], tuple[list[Any], list[Any]]]]:
        """The gradient, and its derivative: forward over reverse mode."""
        _, gradient, push = self._derivatives(weights, t, whole=True, after=after)

        def along(direction: list[Any]) -> tuple[list[Any], list[Any]]:
            with jax.enable_x64(self.wide):
                *_, pushed, mixed = push(direction)
            return pushed, mixed

        return gradient, along

    def _derivatives(
        self, weights: list[Any], t: Any, *, whole: bool, after: Any = ()
    ) -> tuple[Any, ...]:
        """The loss, its gradient by part, and the derivative of both along parts."""
        with jax.enable_x64(self.wide):
            (value, gradient), push = isolated(
                self._linearize, (weights, list(self.inputs), t), whole=whole, after=after
            )
        return value, gradient, push

    def _linearize(self, weights: list[Any], inputs: list[Any], t: Any) -> tuple[Any, Any]:
        """The loss and its gradient; and their derivative, with that of the wanted inputs."""

        def loss(weights: list[Any], wanted: list[Any]) -> Any:
            every = list(inputs)
            for i, x in zip(self.active, wanted, strict=True):
                every[i] = x
            return self.loss(weights, every, t)

        def gradients(parts: list[Any]) -> tuple[Any, list[Any], list[Any]]:
            wanted = [inputs[i] for i in self.active]
            value, (gradient, mixed) = jax.value_and_grad(loss, (0, 1))(
                self.parts.split(parts), wanted
            )
            return value, self.parts.joined(gradient), mixed

        if self.by_rules:
            return self._pulled(loss, weights, [inputs[i] for i in self.active])
        kept = jax.checkpoint(arranged(gradients), policy=_is_kept, prevent_cse=False)
        (value, gradient, _), push = jax.linearize(kept, weights)
        return (value, gradient), push

    def _pulled(
        self, loss: Callable[..., Any], weights: list[Any], wanted: list[Any]
    ) -> tuple[Any, Any]:
        """The same by reverse over reverse mode.

        By such rules the Hessian need not be symmetric, as with a gradient that is clipped or
        reversed on its way, and forward mode may not know them.
        """

        def gradient_of(parts: list[Any], wanted: list[Any]) -> tuple[list[Any], Any]:
            value, gradient = jax.value_and_grad(loss)(self.parts.split(parts), wanted)
            return self.parts.joined(gradient), value

        gradient, pull, value = jax.vjp(gradient_of, weights, wanted, has_aux=True)
        return (value, gradient), pull

    def _over_move(self, between: Values, t: Any, bars: Bars) -> Bars:
        """The adjoints carried over the statements behind the last one that reads the gradient."""
        fixed, wanted = self._given(t)

        def move(between: Any, wanted: dict[str, Any]) -> Any:
            return self.readings.move(between, {**fixed, **wanted}, t)

        _, pullback = jax.vjp(move, between, wanted)
        slots, rises = pullback(bars.slots)
        return Bars(slots, bars.hyper, self._risen(bars.tables, rises, t))

    def _over_learning(
        self,
        values: Values,
        gradient: list[Any],
        push: Callable[[list[Any]], tuple[list[Any], list[Any]]],
        t: Any,
        bars: Bars,
    ) -> Bars:
        """The adjoints carried over the other statements, and over the gradient."""
        fixed, wanted = self._given(t)

        def learn(values: Any, gradient: list[Any], wanted: dict[str, Any]) -> Any:
            return self.readings.learn(values, gradient, {**fixed, **wanted}, t)

        _, pullback = jax.vjp(learn, values, gradient, wanted)
        slots, direction, rises = pullback(bars.slots)
        # Optimizers subtract the gradient, so the direction is mostly another array times -1. The
        # compiler joins the two factors, and takes the other array.
        along, mixed = push([x * -1 for x in direction])
        slots[POSITION] = [a - b for a, b in zip(slots[POSITION], along, strict=True)]
        hyper = [a - b for a, b in zip(bars.hyper, mixed, strict=True)]
        return Bars(slots, hyper, self._risen(bars.tables, rises, t))

    def _given(self, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The hyperparameters of step t: those whose adjoints are not wanted, and the others."""
        rows = _rows(self.tables, t)
        wanted = {name: rows.pop(name) for name in self.names}
        return rows, wanted

    def _risen(self, tables: dict[str, Any], rises: dict[str, Any], t: Any) -> dict[str, Any]:
        """The adjoints of the tables, with a part that comes from step t."""
        return {
            name: table.at[0 if table.shape[0] == 1 else t].add(rises[name].astype(table.dtype))
            for name, table in tables.items()
        }
