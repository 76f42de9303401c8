"""Every strategy goes back over the states of the forward run, and notices others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from retrograd.adjoints.schedule import forward_steps
from retrograd.compiled.dynamics import Dynamics
from retrograd.compiled.strategies import (
    CheckpointedStrategy,
    ReversibleStrategy,
    StoredStrategy,
    StraightLineStrategy,
    Strategy,
    TruncatedStrategy,
    schedule_table,
)

STEPS = 401


@pytest.fixture(autouse=True, scope="module")
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class Counter(Dynamics):
    """x_{t+1} = 5 x_t div 8 + t: three bits go to the tape, and bars note what `pull` is shown."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def first(self) -> Any:
        return jnp.array([1_000_003, -77])

    def advance(self, state: Any, t: Any, after: Any = ()) -> tuple[Any, Any]:
        return (5 * state >> 3) + t, jnp.float32(t)

    def record(self, state: Any, tape: Any, t: Any) -> tuple[Any, Any, Any]:
        tape = lax.dynamic_update_index_in_dim(tape, 5 * state & 7, t, 0)
        return *self.advance(state, t)[:1], tape, jnp.float32(t)

    def blank_tape(self, start: Any) -> Any:
        return jnp.zeros((self.steps, 2), jnp.int64)

    def values(self, state: Any, t: Any) -> Any:
        return state.astype(jnp.float64)

    def pull(self, values: Any, t: Any, bars: Any, after: Any = None) -> Any:
        seen, count = bars
        if after is not None:
            # What is said to come after these values must do so.
            right = self.advance(values.astype(jnp.int64), t)[0] == after
            values = jnp.where(right, values, jnp.nan)
        return seen.at[t].set(jnp.append(values, count.astype(jnp.float64))), count + 1

    def retreat(
        self, state: Any, still: Any, tape: Any, t: Any, bars: Any
    ) -> tuple[Any, Any, Any, Any]:
        before = ((state - t) * 8 + tape[t]) // 5
        here = self.values(before, t)
        return before, here, tape, self.pull(here, t, bars, still)

    def norm(self, bars: Any) -> Any:
        return bars[1].astype(jnp.float64)

    def result(self, state: Any) -> list[Any]:
        return [state]

    def start_of_bars(self, cotangents: Any) -> Any:
        return jnp.full((self.steps, 3), -1.0), jnp.int32(0)

    def cut(self, bars: Any) -> Any:
        return bars[0], -bars[1]

    def found(self, bars: Any) -> list[Any]:
        return list(bars)

    def differing(self, state: Any, other: Any) -> Any:
        return jnp.sum(state != other, dtype=jnp.int32)


def states(steps: int = STEPS) -> Any:
    """(steps + 1, 2), by NumPy."""
    found = [np.array([1_000_003, -77])]
    for t in range(steps):
        found.append((5 * found[-1] >> 3) + t)
    return np.array(found)


def swept(strategy: Strategy, spoil: Any = lambda run: run, steps: int = STEPS) -> Any:
    """The forward run and the sweep, in two programs as in a real run."""
    dynamics = Counter(steps)
    run = jax.jit(lambda: strategy.forward(dynamics))()
    sweep = jax.jit(lambda run: strategy.back(dynamics, run, dynamics.start_of_bars(None)))
    return run, sweep(spoil(run))


EXACT = [
    StoredStrategy(),
    CheckpointedStrategy(1),
    CheckpointedStrategy(4),
    CheckpointedStrategy(STEPS),
    ReversibleStrategy(),
    ReversibleStrategy(5),
    ReversibleStrategy(STEPS + 10),
]


def named(strategy: Strategy) -> str:
    numbers = [str(getattr(strategy, n, "")) for n in ("slots", "checkpoints", "last")]
    return type(strategy).__name__ + "".join(numbers)


@pytest.mark.parametrize("strategy", EXACT, ids=named)
def test_the_sweep_sees_every_state_once_from_the_last(strategy: Strategy) -> None:
    assert strategy.exact
    run, sweep = swept(strategy)
    expected = states()
    np.testing.assert_array_equal(run.state, expected[-1])
    seen, count = sweep.bars
    np.testing.assert_array_equal(seen[:, :2], expected[:-1])
    np.testing.assert_array_equal(seen[:, 2], np.arange(STEPS)[::-1])
    assert (int(count), int(sweep.wrong), int(sweep.differing)) == (STEPS, -1, 0)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    "kind", [StoredStrategy, lambda: CheckpointedStrategy(1), ReversibleStrategy]
)
def test_short_runs(kind: Any, steps: int) -> None:
    _, sweep = swept(kind(), steps=steps)
    np.testing.assert_array_equal(sweep.bars[0][:, :2], states(steps)[:-1])
    assert (int(sweep.wrong), int(sweep.differing)) == (-1, 0)


@pytest.mark.parametrize("last", [1, 5, STEPS + 3])
def test_a_truncated_sweep_sees_the_last_steps_alone(last: int) -> None:
    strategy = TruncatedStrategy(last)
    assert not strategy.exact
    _, sweep = swept(strategy)
    seen, count = sweep.bars
    first = max(STEPS - last, 0)
    np.testing.assert_array_equal(seen[first:, :2], states()[first:-1])
    assert (np.asarray(seen[:first]) == -1).all()
    # The state before them is cut off, which is noted as a sign.
    assert int(count) == (first - STEPS if first else STEPS)


def test_a_straight_line_joins_the_first_state_and_the_last() -> None:
    strategy = StraightLineStrategy()
    assert not strategy.exact
    _, sweep = swept(strategy)
    first, last = states()[[0, -1]].astype(float)
    share = np.arange(STEPS)[:, None] / STEPS
    np.testing.assert_allclose(sweep.bars[0][:, :2], first + share * (last - first), rtol=1e-12)


@pytest.mark.parametrize("strategy", [CheckpointedStrategy(4), ReversibleStrategy()], ids=named)
def test_another_fingerprint_is_noticed_at_its_step(strategy: Strategy) -> None:
    interval = strategy.interval(STEPS)
    _, sweep = swept(strategy, lambda run: run._replace(marks=run.marks.at[2].add(1)))
    assert int(sweep.wrong) == 2 * interval < STEPS


def test_a_spoiled_tape_does_not_lead_back() -> None:
    strategy = ReversibleStrategy()
    interval = strategy.interval(STEPS)
    _, sweep = swept(
        strategy, lambda run: run._replace(kept=run.kept.at[2 * interval + 9, 1].add(5))
    )
    assert (int(sweep.wrong), int(sweep.differing)) == (2 * interval, 1)


def test_a_spoiled_start_of_a_segment_is_noticed() -> None:
    strategy = ReversibleStrategy(5)
    _, sweep = swept(strategy, lambda run: run._replace(kept=run.kept.at[4, 1].add(2**40)))
    assert int(sweep.wrong) >= 4 * STEPS // 5
    _, sweep = swept(strategy, lambda run: run._replace(kept=run.kept.at[0, 1].add(2**40)))
    assert int(sweep.differing) == 1


def test_a_spoiled_checkpoint_is_noticed() -> None:
    _, sweep = swept(
        CheckpointedStrategy(4), lambda run: run._replace(kept=run.kept.at[0, 1].add(2**40))
    )
    assert int(sweep.wrong) >= 0


@pytest.mark.parametrize("kind", [StoredStrategy, CheckpointedStrategy, ReversibleStrategy])
def test_losses_and_norms_are_noted_on_request(kind: Any) -> None:
    given = {"slots": 3} if kind is CheckpointedStrategy else {}
    run, sweep = swept(kind(watched=True, **given))
    np.testing.assert_array_equal(run.losses, np.arange(STEPS))
    np.testing.assert_array_equal(sweep.norms, np.arange(STEPS + 1)[::-1])
    quiet, sweep = swept(kind(**given))
    assert quiet.losses is None
    assert sweep.norms is None


@settings(max_examples=150)
@given(st.integers(1, 60), st.integers(1, 60))
def test_the_table_loads_what_is_there_and_takes_the_fewest_steps(steps: int, slots: int) -> None:
    slots = min(slots, steps)
    table, saved = schedule_table(steps, slots)
    held = {place: step for step, place in saved.items()}
    assert len(held) == len(saved) <= slots
    assert held[0] == 0
    pulled = []
    for load, start, stop, save, pull in table.tolist():
        assert held[load] == start <= stop < steps
        if pull:
            pulled.append(stop)
            held = {place: step for place, step in held.items() if step < stop}
        else:
            assert save < slots
            assert save not in held
            held[save] = stop
    assert pulled == list(range(steps))[::-1]
    again = int((table[:, 2] - table[:, 1]).sum())
    # The forward run takes every step once; the optimum counts it as well.
    assert steps + again == forward_steps(steps + 1, slots)


def test_strategies_are_told_apart_by_all_that_they_were_made_with() -> None:
    made = [
        *EXACT,
        StoredStrategy(watched=True),
        TruncatedStrategy(3),
        TruncatedStrategy(4),
        StraightLineStrategy(),
        ReversibleStrategy(room=0.5),
    ]
    assert len({strategy.key for strategy in made}) == len(made)
    assert StoredStrategy().key == StoredStrategy().key
