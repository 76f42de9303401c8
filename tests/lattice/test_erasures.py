"""Whole integers on the tape: they come back, and only into a slot that is as it was left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wide_integers import draw_slot

from retrograd.errors import ReversalError
from retrograd.lattice import Layout
from retrograd.lattice.erasures import Erasures

LAYOUT = Layout([(3,), (), (2, 2)])


@given(st.integers(1, 3), st.sampled_from([1, 3, 8]), st.integers(0, 2**32 - 1))
def test_there_and_back(words: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    erasures, slot = Erasures(LAYOUT), draw_slot(rng, 8, words)
    repeats = {1: 8, 3: LAYOUT.sizes, 8: 1}[size]
    states, masks, erased = [], [], 0
    for _ in range(5):
        masks.append(rng.random(size) < 0.5 if size > 1 else np.ones(1, bool))
        each = np.repeat(masks[-1], repeats)
        states.append(slot.copy())
        erasures.erase(slot, masks[-1], keep=True)
        np.testing.assert_array_equal(slot, np.where(each, 0, states[-1]))
        erased += int(each.sum()) * (8 + 6 * (words - 1))
        assert erasures.stack.nbytes == erased
        slot = draw_slot(rng, 8, words)
    for mask, state in zip(reversed(masks), reversed(states), strict=True):
        slot = np.where(np.repeat(mask, repeats), 0, state)
        erasures.bring_back(slot, mask)
        np.testing.assert_array_equal(slot, state)
    assert erasures.stack.nbytes == 0


def test_without_keeping_nothing_is_kept() -> None:
    erasures, slot = Erasures(LAYOUT), np.arange(8)
    erasures.erase(slot, np.array([False, True, False]), keep=False)
    assert (slot.tolist(), erasures.stack.nbytes) == ([0, 1, 2, 0, 4, 5, 6, 7], 0)


@pytest.mark.parametrize("words", [1, 2, 3])
def test_refuses_a_slot_that_is_not_as_it_was_left(words: int) -> None:
    erasures, slot = Erasures(LAYOUT), draw_slot(np.random.default_rng(0), 8, words)
    erasures.erase(slot, np.array([True]), keep=True)
    np.atleast_2d(slot)[-1, 5] = 1
    with pytest.raises(ReversalError, match="not 0 where its multiplication by 0 is undone"):
        erasures.bring_back(slot, np.array([True]))


def test_refuses_to_bring_back_more_than_was_erased() -> None:
    with pytest.raises(ReversalError, match="holds 0 numbers and 32 are asked for"):
        Erasures(LAYOUT).bring_back(np.zeros(8, np.int64), np.array([True]))
