"""The adjoint strategies as compiled loops: what a forward run keeps, and the way back over it.

Each strategy is a pair of pure functions of a `Dynamics`. Every loop is one loop of the compiled
program, so that its size does not depend on the number of steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from retrograd.adjoints.schedule import Advance, Drop, Pull, Restore, Save, binomial
from retrograd.compiled.dynamics import Dynamics
from retrograd.compiled.fingerprints import fingerprint

__all__ = [
    "CheckpointedStrategy",
    "Forward",
    "ReversibleStrategy",
    "StoredStrategy",
    "StraightLineStrategy",
    "Strategy",
    "Sweep",
    "TruncatedStrategy",
]

Take = Callable[[Any, Any, Any], tuple[Any, Any, Any]]

# Between the first state and the last one so many are fingerprinted at most, and no two that are
# fewer steps apart: a fingerprint takes about as long as a step of a small problem.
_BETWEEN = 16
_APART = 100


class Forward(NamedTuple):
    """What a forward run leaves.

    Attributes:
        state: the last one.
        kept: what the way back needs besides.
        marks: (M + 1,) int64, fingerprints of states at equal distances, and of the last one, or
            None. That of the last is there for a certificate alone.
        losses: (T,), the loss at each step, if they were asked for.
    """

    state: Any
    kept: Any
    marks: Any
    losses: Any


class Sweep(NamedTuple):
    """What a sweep leaves.

    Attributes:
        bars: the adjoints at step 0.
        wrong: int32, the last step whose state was found to be another one, or -1.
        differing: int32, how many elements of the first state were not recovered.
        norms: (T + 1,) float64, of the adjoint by step, if they were asked for.
    """

    bars: Any
    wrong: Any
    differing: Any
    norms: Any


class Strategy(ABC):
    """A strategy. It is a key of the cache of compiled runs.

    Attributes:
        exact: whether the gradient is.
        compared_from: the number of the first fingerprint that the way back compares, or None.
        watched: whether losses and norms are noted, and all fingerprints for a certificate.
    """

    exact = True
    retreats = False
    compared_from: int | None = None

    def __init__(self, *, watched: bool = False) -> None:
        self.watched = watched

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from another one."""
        return (type(self), *sorted(vars(self).items()))

    @abstractmethod
    def forward(self, dynamics: Dynamics) -> Forward:
        """All steps."""

    @abstractmethod
    def back(self, dynamics: Dynamics, run: Forward, bars: Any) -> Sweep:
        """The way back, given the adjoints at the last step."""

    def interval(self, steps: int) -> int:
        """How many steps lie between fingerprints."""
        return max(-(-steps // _BETWEEN), _APART)

    def no_losses(self, dynamics: Dynamics) -> Any:
        """Room for the losses."""
        if not self.watched:
            return None
        kind = jax.eval_shape(lambda: dynamics.advance(dynamics.first(), jnp.int32(0))[1])
        return None if kind is None else jnp.zeros(dynamics.steps, kind.dtype)

    def no_norms(self, steps: int) -> Any:
        """Room for the norms."""
        return jnp.zeros(steps + 1, jnp.float64) if self.watched else None

    def normed(self, dynamics: Dynamics, norms: Any, bars: Any, t: Any) -> Any:
        """The norms with that of the adjoint at step t, if they are asked for."""
        return norms.at[t].set(dynamics.norm(bars)) if self.watched else None

    def run(self, dynamics: Dynamics, take: Take, state: Any, kept: Any) -> Forward:
        """All steps forwards, with a fingerprint of what stands at the start of each stretch.

        Args:
            dynamics: whose.
            take: `take(state, kept, t)`: the next state, what is kept, and the loss.
            state: the first one.
            kept: what is kept at the start.
        """
        steps, interval = dynamics.steps, self.interval(dynamics.steps)

        def step(t: Any, carry: Any) -> Any:
            state, kept, losses = carry
            state, kept, loss = take(state, kept, t)
            return state, kept, _noted(losses, loss, t)

        # A loop in a loop: a condition in each step would make the compiler copy the state.
        def stretch(i: Any, carry: Any) -> Any:
            marks, inner = carry
            marks = marks.at[i].set(fingerprint(inner[0]))
            low = i * interval
            return marks, _steps(low, jnp.minimum(low + interval, steps), step, inner)

        count = -(-steps // interval)
        inner = (state, kept, self.no_losses(dynamics))
        if not self._marks(count):
            state, kept, losses = _steps(0, steps, step, inner)
            return Forward(state, kept, None, losses)
        marks, inner = _steps(0, count, stretch, (jnp.zeros(count + 1, jnp.int64), inner))
        state, kept, losses = inner
        if self.watched:
            marks = marks.at[count].set(fingerprint(state))
        return Forward(state, kept, marks, losses)

    def _marks(self, count: int) -> bool:
        """Whether any of so many fingerprints is asked for."""
        return self.watched or (self.compared_from is not None and self.compared_from < count)

    def back_over(
        self, dynamics: Dynamics, marks: Any, step: Callable[[Any, Any], Any], carry: Any
    ) -> tuple[Any, Any]:
        """All steps back, comparing fingerprints at the start of each stretch that has one.

        Args:
            dynamics: whose.
            marks: of the forward run.
            step: `step(t, carry)`, where the carry begins with the state at hand.
            carry: at the last step.

        Returns:
            The carry at step 0, and the last step whose state is another one, or -1.
        """
        steps, interval = dynamics.steps, self.interval(dynamics.steps)

        def stretch(i: Any, carry: Any) -> Any:
            wrong, inner = carry
            low = i * interval
            inner = _back(low, jnp.minimum(low + interval, steps), step, inner)
            return missed(wrong, marks[i], inner[0], low), inner

        if marks is None:
            return _back(0, steps, step, carry), jnp.int32(-1)
        wrong, carry = _back(0, -(-steps // interval), stretch, (jnp.int32(-1), carry))
        return carry, wrong


def missed(wrong: Any, mark: Any, state: Any, t: Any) -> Any:
    """The last step whose state is another one than in the forward run."""
    return jnp.where(mark != fingerprint(state), jnp.maximum(wrong, t), wrong)


def _noted(noted: Any, value: Any, t: Any) -> Any:
    return None if noted is None else noted.at[t].set(value)


def _steps(low: Any, high: Any, body: Any, start: Any) -> Any:
    return lax.fori_loop(jnp.int32(low), jnp.int32(high), body, start)


def _back(low: Any, high: Any, body: Any, start: Any) -> Any:
    """`body(t, carry)` for t from high - 1 down to low."""
    return _steps(low, high, lambda i, carry: body(low + high - 1 - i, carry), start)


class StoredStrategy(Strategy):
    """The values of every state, stacked."""

    def forward(self, dynamics: Dynamics) -> Forward:
        steps, first = dynamics.steps, self._first(dynamics.steps)
        state = dynamics.first()
        shapes = jax.eval_shape(lambda: dynamics.values(state, jnp.int32(0)))
        kept = _stack(shapes, steps - first)

        def take(state: Any, kept: Any, t: Any) -> Any:
            # Steps before the first that is kept write to its place, and are written over.
            kept = _put(kept, dynamics.values(state, t), jnp.maximum(t - first, 0))
            state, loss = dynamics.advance(state, t, after=kept)
            return state, kept, loss

        return self.run(dynamics, take, state, kept)

    def back(self, dynamics: Dynamics, run: Forward, bars: Any) -> Sweep:
        steps, first = dynamics.steps, self._first(dynamics.steps)

        def step(t: Any, carry: Any) -> Any:
            after, bars, norms = carry
            here = _get(run.kept, t - first)
            bars = dynamics.pull(here, t, bars, after)
            return here, bars, self.normed(dynamics, norms, bars, t)

        norms = self.normed(dynamics, self.no_norms(steps), bars, steps)
        last = dynamics.values(run.state, jnp.int32(steps))
        _, bars, norms = _back(first, steps, step, (last, bars, norms))
        bars = dynamics.cut(bars) if first else bars
        return Sweep(bars, jnp.int32(-1), jnp.int32(0), norms)

    def _first(self, steps: int) -> int:
        """The first step whose values are kept."""
        return 0


class TruncatedStrategy(StoredStrategy):
    """The last steps alone; the adjoint of what is before them is taken to be zero.

    Args:
        last: how many steps.
    """

    def __init__(self, last: int, *, watched: bool = False) -> None:
        super().__init__(watched=watched)
        self.last = last
        self.exact = False

    def _first(self, steps: int) -> int:
        return max(steps - self.last, 0)


class StraightLineStrategy(Strategy):
    """The first and the last state, and a straight line between them."""

    exact = False

    def forward(self, dynamics: Dynamics) -> Forward:
        state = dynamics.first()
        return self.run(dynamics, _advance(dynamics), state, dynamics.values(state, jnp.int32(0)))

    def back(self, dynamics: Dynamics, run: Forward, bars: Any) -> Sweep:
        steps = dynamics.steps
        last = dynamics.values(run.state, jnp.int32(steps))

        def step(t: Any, carry: Any) -> Any:
            bars, norms = carry
            bars = dynamics.pull(_between(run.kept, last, t.astype(jnp.float64) / steps), t, bars)
            return bars, self.normed(dynamics, norms, bars, t)

        norms = self.normed(dynamics, self.no_norms(steps), bars, steps)
        bars, norms = _back(0, steps, step, (bars, norms))
        return Sweep(bars, jnp.int32(-1), jnp.int32(0), norms)


class ReversibleStrategy(Strategy):
    """The tape of the whole run, or a few states and the tape of one segment at a time.

    Args:
        checkpoints: how many states; 0 keeps the whole tape.
        room: the bits per element and step of a tape whose length is not known before the run.
    """

    retreats = True

    def __init__(self, checkpoints: int = 0, room: float = 0.25, *, watched: bool = False) -> None:
        super().__init__(watched=watched)
        self.checkpoints = checkpoints
        self.room = room
        # Where the way back ends, the whole first state is compared; so is the end of a segment.
        self.compared_from = None if checkpoints else 1

    def forward(self, dynamics: Dynamics) -> Forward:
        if self.checkpoints:
            return self._forward_in_segments(dynamics)

        def take(state: Any, tape: Any, t: Any) -> Any:
            return dynamics.record(state, tape, t)

        return self.run(dynamics, take, dynamics.first(), dynamics.blank_tape(0))

    def back(self, dynamics: Dynamics, run: Forward, bars: Any) -> Sweep:
        norms = self.normed(dynamics, self.no_norms(dynamics.steps), bars, dynamics.steps)
        if self.checkpoints:
            return self._back_in_segments(dynamics, run, bars, norms)
        still = dynamics.still(run.state, jnp.int32(dynamics.steps))
        carry = (run.state, still, run.kept, bars, norms)
        carry, wrong = self.back_over(dynamics, run.marks, self._retreat(dynamics), carry)
        state, _, _, bars, norms = carry
        return Sweep(bars, wrong, dynamics.differing(state, dynamics.first()), norms)

    def _retreat(self, dynamics: Dynamics) -> Callable[[Any, Any], Any]:
        # The tape goes through the loops unchanged: otherwise the compiler would copy it.
        def step(t: Any, carry: Any) -> Any:
            state, still, tape, bars, norms = carry
            state, still, tape, bars = dynamics.retreat(state, still, tape, t, bars)
            return state, still, tape, bars, self.normed(dynamics, norms, bars, t)

        return step

    def starts(self, steps: int) -> tuple[int, ...]:
        """The steps at which a tape begins."""
        count = min(max(self.checkpoints, 1), steps)
        return tuple(i * steps // count for i in range(count))

    def _forward_in_segments(self, dynamics: Dynamics) -> Forward:
        starts = jnp.array(self.starts(dynamics.steps), jnp.int32)
        state = dynamics.first()

        def take(state: Any, kept: Any, t: Any) -> Any:
            segment = jnp.searchsorted(starts, t, side="right") - 1
            at_start = starts[segment] == t
            kept = lax.cond(at_start, lambda: _put(kept, state, segment), lambda: kept)
            state, loss = dynamics.advance(state, t, after=kept)
            return state, kept, loss

        return self.run(dynamics, take, state, _stack(state, len(starts)))

    def _back_in_segments(self, dynamics: Dynamics, run: Forward, bars: Any, norms: Any) -> Sweep:
        bounds = jnp.array([*self.starts(dynamics.steps), dynamics.steps], jnp.int32)

        def segment(i: Any, carry: Any) -> Any:
            state, bars, norms, wrong = carry
            low, high = bounds[i], bounds[i + 1]

            def record(t: Any, carry: Any) -> Any:
                state, tape = carry
                return dynamics.record(state, tape, t)[:2]

            again, tape = _steps(low, high, record, (_get(run.kept, i), dynamics.blank_tape(low)))
            came = dynamics.differing(again, state) == 0
            wrong = jnp.where(came, wrong, jnp.maximum(wrong, high))
            inner = (again, dynamics.still(again, high), tape, bars, norms)
            state, _, _, bars, norms = _back(low, high, self._retreat(dynamics), inner)
            return state, bars, norms, wrong

        carry = (run.state, bars, norms, jnp.int32(-1))
        state, bars, norms, wrong = _back(0, len(bounds) - 1, segment, carry)
        return Sweep(bars, wrong, dynamics.differing(state, dynamics.first()), norms)


class CheckpointedStrategy(Strategy):
    """A few states, and the binomial schedule as a table that a compiled loop goes through.

    Args:
        slots: how many states may be kept.
    """

    compared_from = 0

    def __init__(self, slots: int, *, watched: bool = False) -> None:
        super().__init__(watched=watched)
        self.slots = slots

    def forward(self, dynamics: Dynamics) -> Forward:
        _, saved = schedule_table(dynamics.steps, self.slots)
        state = dynamics.first()
        # Where a state of the first way forwards is saved; the place behind the last is for none.
        places = np.full(dynamics.steps, self.slots, np.int32)
        places[list(saved)] = list(saved.values())
        where = jnp.array(places)

        def take(state: Any, kept: Any, t: Any) -> Any:
            kept = self._saved(kept, state, where[t])
            state, loss = dynamics.advance(state, t, after=kept)
            return state, kept, loss

        return self.run(dynamics, take, state, _stack(state, self.slots))

    def back(self, dynamics: Dynamics, run: Forward, bars: Any) -> Sweep:
        table, _ = schedule_table(dynamics.steps, self.slots)
        rows = jnp.array(table, jnp.int32)
        interval = self.interval(dynamics.steps)

        def advance(t: Any, state: Any) -> Any:
            return dynamics.advance(state, t)[0]

        def row(i: Any, carry: Any) -> Any:
            kept, bars, norms, wrong = carry
            load, start, stop, save, pulled = rows[i]
            state = _steps(start, stop, advance, _get(kept, load))

            def pull(_: Any, carry: Any) -> Any:
                bars, norms, wrong = carry
                wrong = lax.cond(
                    stop % interval == 0,
                    lambda: missed(wrong, run.marks[stop // interval], state, stop),
                    lambda: wrong,
                )
                bars = dynamics.pull(dynamics.values(state, stop), stop, bars)
                return bars, self.normed(dynamics, norms, bars, stop), wrong

            bars, norms, wrong = _steps(0, pulled, pull, (bars, norms, wrong))
            return self._saved(kept, state, save), bars, norms, wrong

        norms = self.normed(dynamics, self.no_norms(dynamics.steps), bars, dynamics.steps)
        carry = (run.kept, bars, norms, jnp.int32(-1))
        _, bars, norms, wrong = _steps(0, len(table), row, carry)
        return Sweep(bars, wrong, jnp.int32(0), norms)

    def _saved(self, kept: Any, state: Any, place: Any) -> Any:
        """The saved states, with one more where the place is one of them."""
        return lax.cond(place < self.slots, lambda: _put(kept, state, place), lambda: kept)


def schedule_table(steps: int, slots: int) -> tuple[np.ndarray[Any, Any], dict[int, int]]:
    """The binomial schedule for a loop.

    Returns:
        (R, 5) integers, one row per way from a saved state to the next save or pull: the place of
        the state that is loaded, its step, the step that is advanced to, the place that is saved
        to there (`slots` for none), and whether that step is pulled; and for each step that the
        first way forwards saves, the place.

    Example:
        >>> table, saved = schedule_table(steps=3, slots=2)
        >>> saved, table.tolist()
        ({0: 0, 1: 1}, [[1, 1, 2, 2, 1], [1, 1, 1, 2, 1], [0, 0, 0, 2, 1]])
    """
    place: dict[int, int] = {}
    free = list(range(slots))[::-1]
    saved: dict[int, int] = {}
    rows: list[tuple[int, int, int, int, int]] = []
    here, base, returned = 0, 0, False
    # One step more: its pull is that of the last state, which the first way forwards reaches.
    for action in binomial(steps + 1, slots):
        if isinstance(action, Save):
            place[action.step] = free.pop()
            if returned:
                rows.append((place[base], base, action.step, place[action.step], 0))
            else:
                saved[action.step] = place[action.step]
            base = action.step
        elif isinstance(action, Advance):
            here = action.stop
        elif isinstance(action, Restore):
            here = base = action.step
        elif isinstance(action, Drop):
            free.append(place.pop(action.step))
        elif isinstance(action, Pull) and returned:
            rows.append((place[base], base, here, slots, 1))
        elif isinstance(action, Pull):
            returned = True
    return np.array(rows, np.int32), saved


def _advance(dynamics: Dynamics) -> Take:
    """Steps of which nothing new is kept."""

    def take(state: Any, kept: Any, t: Any) -> Any:
        state, loss = dynamics.advance(state, t)
        return state, kept, loss

    return take


def _between(first: Any, last: Any, share: Any) -> Any:
    """The point of a straight line."""
    return jax.tree.map(lambda a, b: a + (b - a) * share.astype(a.dtype), first, last)


def _stack(state: Any, count: int) -> Any:
    """Room for states."""
    leaves, structure = jax.tree.flatten(state)
    # Each is filled with a number of its own: one that several share would be copied.
    room = [jnp.full((count, *x.shape), i, x.dtype) for i, x in enumerate(leaves)]
    return jax.tree.unflatten(structure, room)


def _put(stack: Any, state: Any, place: Any) -> Any:
    return jax.tree.map(
        lambda rows, x: lax.dynamic_update_index_in_dim(rows, x, place, 0), stack, state
    )


def _get(stack: Any, place: Any) -> Any:
    return jax.tree.map(lambda rows: lax.dynamic_index_in_dim(rows, place, 0, False), stack)
