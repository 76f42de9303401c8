"""Maxima: the larger of the two, back again bit for bit, and few bits where little is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wide_integers import draw_slot, whole

from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice import Layout, Losses
from retrograd.lattice.layout import BLOCK

SIZE = 13
LAYOUT = Layout([(SIZE - 3,), (3,)])

words_ = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)


def draw(rng: np.random.Generator, size: int, words: int) -> Any:
    """Integers far enough from the lattice's edges to drift."""
    slot = draw_slot(rng, size, words)
    np.atleast_2d(slot)[0] >>= 1
    return slot


def draw_least(rng: np.random.Generator, slot: Any, words: int) -> Any:
    """Some below the slot, some above, some equal to it."""
    least = draw(rng, slot.shape[-1], words)
    same = rng.random(slot.shape[-1]) < 0.3
    least[..., same] = slot[..., same]
    return least


@settings(max_examples=60)
@given(words_, seeds, st.integers(1, 12))
def test_there_and_back_bit_for_bit(words: int, seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    losses, slot = Losses(LAYOUT, words), draw(rng, SIZE, words)
    states, leasts, drifts = [], [], []
    for _ in range(steps):
        states.append(slot.copy())
        leasts.append(draw_least(rng, slot, words))
        drifts.append(rng.integers(-(2**50), 2**50, SIZE))
        wanted = [max(pair) for pair in zip(whole(slot), whole(leasts[-1]), strict=True)]
        assert losses.raise_to(slot, leasts[-1]) is slot
        assert whole(slot) == wanted
        np.atleast_2d(slot)[0] -= drifts[-1]  # other statements of the step move the slot, too
    assert losses.maxima == steps
    while states:
        np.atleast_2d(slot)[0] += drifts.pop()
        assert losses.lower_from(slot, leasts.pop()) is slot
        np.testing.assert_array_equal(slot, states.pop())
    assert losses.is_empty()
    assert losses.nbytes == losses.maxima == 0


def test_slots_longer_than_a_chunk() -> None:
    rng = np.random.default_rng(0)
    size = 2 * BLOCK + 5
    losses, slot = Losses(Layout([(size,)]), 2), draw_slot(rng, size, 2)
    before, least = slot.copy(), draw_least(rng, slot, 2)
    losses.raise_to(slot, least)
    losses.lower_from(slot, least)
    np.testing.assert_array_equal(slot, before)
    assert losses.is_empty()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_what_is_above_costs_nothing_and_what_is_equal_one_bit(words: int) -> None:
    layout = Layout([(1600,)])
    losses, slot = Losses(layout, words), np.zeros((words, 1600), np.int64)
    slot = slot[0] if words == 1 else slot
    below = slot.copy()
    np.atleast_2d(below)[0] -= 1
    losses.raise_to(slot, below)
    assert losses.spilled_bytes == 4
    losses.raise_to(slot, slot.copy())
    assert losses.spilled_bytes == 4 + 4 + 200
    small = slot.copy()
    np.atleast_2d(small)[-1] += 1000
    losses.raise_to(slot, small)
    assert losses.spilled_bytes == 4 + 4 + 200 + 4 + 200 + 3200


def test_snapshot_and_restore_empty_the_tape() -> None:
    losses, slot = Losses(LAYOUT), np.zeros(SIZE, np.int64)
    losses.raise_to(slot, np.arange(SIZE))
    snapshot = losses.snapshot()
    losses.raise_to(slot, np.full(SIZE, 7))
    losses.restore(snapshot)
    assert losses.is_empty()
    assert (losses.maxima, losses.nbytes) == (1, 0)
    with pytest.raises(ReversalError, match="no maximum left to undo"):
        losses.lower_from(slot, np.full(SIZE, 7))


@given(words_, seeds)
def test_load_goes_on_where_export_was(words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses, slot = Losses(LAYOUT, words), draw(rng, SIZE, words)
    losses.restore({"maxima": np.array(4)})
    states, leasts = [], []
    for _ in range(5):
        states.append(slot.copy())
        leasts.append(draw_least(rng, slot, words))
        losses.raise_to(slot, leasts[-1])
    other = Losses(LAYOUT, words)
    other.load(losses.export())
    while states:
        assert not other.is_empty()
        other.lower_from(slot, leasts.pop())
        np.testing.assert_array_equal(slot, states.pop())
    assert other.is_empty()
    assert other.maxima == 4


def test_keep_can_be_switched() -> None:
    losses, slot = Losses(LAYOUT, keep=False), np.zeros(SIZE, np.int64)
    losses.raise_to(slot, np.full(SIZE, 3))
    assert (losses.nbytes, losses.is_empty(), slot.tolist()) == (0, True, [3] * SIZE)
    with pytest.raises(NotReversibleError, match=r"keep=False .*make them with keep=True"):
        losses.lower_from(slot, np.full(SIZE, 3))
    losses.keep = True
    assert losses.is_empty()
    losses.raise_to(slot, np.full(SIZE, 5))
    assert not losses.is_empty()
    losses.lower_from(slot, np.full(SIZE, 5))
    assert (slot.tolist(), losses.is_empty()) == ([3] * SIZE, True)
    with pytest.raises(ReversalError, match="call lower_from once for each raise_to"):
        losses.lower_from(slot, np.full(SIZE, 3))


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("index", [0, 4, SIZE - 1])
@pytest.mark.parametrize("which", ["slot", "least"])
@pytest.mark.parametrize("words", [1, 3])
def test_what_met_and_has_moved_is_noticed(words: int, which: str, index: int, change: int) -> None:
    losses, slot = Losses(LAYOUT, words), draw(np.random.default_rng(5), SIZE, words)
    least = slot.copy()
    np.atleast_2d(least)[0] += 7
    losses.raise_to(slot, least)
    np.atleast_2d(slot if which == "slot" else least)[0, index] += change
    with pytest.raises(ReversalError, match=r"not as its maximum left it, .*the same least"):
        losses.lower_from(slot, least)


@pytest.mark.parametrize(
    ("slot", "least", "message"),
    [
        (np.zeros(SIZE), np.zeros(SIZE, int), "integers is float64; give a NumPy array of int64"),
        (np.zeros(SIZE, int), [0] * SIZE, "least is list; give a NumPy array of int64"),
        (np.zeros(4, int), np.zeros(SIZE, int), r"integers has shape \(4,\); .* shape \(13,\)"),
        (np.zeros(SIZE, int), np.zeros((2, SIZE), int), r"least has shape \(2, 13\)"),
    ],
)
def test_refuses_other_arguments(slot: Any, least: Any, message: str) -> None:
    losses = Losses(LAYOUT)
    with pytest.raises(ArgumentError, match=message):
        losses.raise_to(slot, least)
    assert losses.is_empty()


def test_refuses_other_numbers_of_words_and_incomplete_arrays() -> None:
    with pytest.raises(ArgumentError, match="words is 4; give 1, 2 or 3"):
        Losses(LAYOUT, 4)
    with pytest.raises(ArgumentError, match="the arrays for losses lack 'maxima'"):
        Losses(LAYOUT).restore({})
    with pytest.raises(ArgumentError, match="the arrays for losses lack 'losses'"):
        Losses(LAYOUT).load({"maxima": np.array(0)})
