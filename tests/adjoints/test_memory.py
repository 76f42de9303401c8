"""Every strategy on its own: what it keeps of a run, and that it gives it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd import Reversible, Stored
from retrograd.adjoints import ADJOINTS
from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice import Layout

LAYOUT = Layout([(2, 2), (3,), ()])
SIZE = LAYOUT.size
RNG = np.random.default_rng(0)

adjoints = pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)


def integers() -> Any:
    return RNG.integers(-(2**40), 2**40, SIZE)


def factors(count: int) -> tuple[Any, Any]:
    return RNG.integers(1, 50, count), RNG.integers(50, 99, count)


def forwards(memory: Any, slots: dict[str, Any], steps: int, columns: int) -> list[Any]:
    """Steps of decays with additions before, between and after; what was done, in order."""
    done: list[Any] = []

    def multiply(t: int, slot: str) -> None:
        n, d = factors(columns)
        done.append((t, slot, n, d, slots[slot].copy()))
        memory.multiply(slot, slots[slot], n, d)

    def shift(t: int, slot: str) -> None:
        increment = integers() >> 10
        done.append((t, slot, increment))
        slots[slot] += increment

    for t in range(steps):
        memory.enter(t, slots)
        for act, slot in [
            (multiply, "u"), (shift, "u"), (multiply, "u"), (shift, "v"), (multiply, "v"),
            (shift, "w"), (shift, "u"),
        ]:  # fmt: skip
            act(t, slot)
    return done


def backwards(memory: Any, slots: dict[str, Any], done: list[Any]) -> None:
    left = {t: sum(act[0] == t for act in done) for t, *_ in done}
    for t, slot, *rest in reversed(done):
        if len(rest) == 1:
            slots[slot] -= rest[0]
        else:
            n, d, before = rest
            memory.unmultiply(t, slot, slots[slot], n, d)
            assert np.array_equal(slots[slot], before)
        left[t] -= 1
        if not left[t]:
            memory.leave(t)


@adjoints
@pytest.mark.parametrize("columns", [1, len(LAYOUT), SIZE])
def test_there_and_back(adjoint: Any, columns: int) -> None:
    slots = {name: integers() for name in "uvw"}
    start = {name: array.copy() for name, array in slots.items()}
    memory = adjoint().memory(LAYOUT, ["u", "v"], sweeps=True)
    done = forwards(memory, slots, 40, columns)
    assert not memory.is_empty()
    kept = memory.nbytes
    backwards(memory, slots, done)
    assert all(np.array_equal(slots[name], start[name]) for name in slots)
    assert memory.is_empty()
    assert memory.nbytes < kept
    assert memory.tape_bits == 0


@adjoints
def test_strategies_run_the_same_steps_whether_or_not_they_keep(adjoint: Any) -> None:
    slot = integers()
    results = []
    for keep in (True, False):
        for kind in (adjoint, Reversible):
            array = slot.copy()
            memory = kind().memory(LAYOUT, ["v"], sweeps=keep)
            for t in range(60):
                memory.enter(t, {"v": array})
                memory.multiply("v", array, np.array([9]), np.array([10]))
                array += 12345
            results.append(array)
            assert keep or memory.tape_bits == 0
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_stored_notices_what_it_would_cover_up() -> None:
    array = integers()
    memory = Stored().memory(LAYOUT, ["v"], sweeps=True)
    memory.enter(0, {"v": array})
    memory.multiply("v", array, np.array([9]), np.array([10]))
    array[3] += 1
    with pytest.raises(ReversalError, match="slot 'v' in step 0"):
        memory.unmultiply(0, "v", array, np.array([9]), np.array([10]))


def test_stored_counts_its_bytes() -> None:
    slots = {name: integers() for name in "uvw"}
    memory = Stored().memory(LAYOUT, ["u"], sweeps=True)
    for t in range(5):
        memory.enter(t, slots)
        memory.multiply("u", slots["u"], np.array([1]), np.array([2]))
    assert memory.nbytes == 8 * 3 * SIZE * 5
    assert memory.tape_bits == 8 * memory.nbytes


@pytest.mark.parametrize("columns", [1, len(LAYOUT), SIZE])
def test_stored_returns_from_zero(columns: int) -> None:
    assert Stored.restores_from_zero
    n, d = factors(columns)
    n[-1], d[-1] = 0, 1
    array = integers()
    before = array.copy()
    memory = Stored().memory(LAYOUT, ["v"], sweeps=True)
    memory.enter(0, {"v": array})
    memory.multiply("v", array, n, d)
    gone = {1: slice(None), len(LAYOUT): LAYOUT.leaves[-1], SIZE: slice(-1, None)}[columns]
    assert not array[gone].any()
    assert columns == 1 or array[: LAYOUT.offsets[-1]].all()
    memory.unmultiply(0, "v", array, n, d)
    assert np.array_equal(array, before)


def test_reversible_does_not_take_zero() -> None:
    assert not Reversible.restores_from_zero
    memory = Reversible().memory(LAYOUT, ["v"], sweeps=True)
    with pytest.raises(ArgumentError):
        memory.multiply("v", integers(), np.array([0]), np.array([1]))


@adjoints
def test_an_obstacle_is_named(adjoint: Any) -> None:
    adjoint().check("Any", None)
    with pytest.raises(NotReversibleError, match=r"Descent.*because of that"):
        adjoint().check("Descent", "because of that")


@adjoints
def test_each_is_documented_and_shows_itself(adjoint: Any) -> None:
    assert adjoint.__doc__
    assert repr(adjoint()) == f"{adjoint.__name__}()"
