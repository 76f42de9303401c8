"""Shifts: what the four lines of the exchange give by division, in Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wide_integers import draw_slot, whole

from retrograd.lattice import Layout
from retrograd.lattice.exchange import Scratch, exchange
from retrograd.lattice.shifts import exponents, pull, push

words_ = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)


@given(words_, seeds, st.booleans())
def test_push_is_the_exchange_in_integers_and_pull_undoes_it(
    words: int, seed: int, each: bool
) -> None:
    rng = np.random.default_rng(seed)
    c, digits = np.atleast_2d(draw_slot(rng, 30, words)), rng.integers(0, 2**32, 30)
    k = rng.integers(0, 17, 30) if each else np.array(int(rng.integers(0, 17)))
    before, kept, bits = c.copy(), digits.copy(), np.empty(30, np.int64)
    push(c, digits, k, bits)
    powers = [2**j for j in np.broadcast_to(k, 30).tolist()]
    assert whole(c) == [x // d for x, d in zip(whole(before), powers, strict=True)]
    assert digits.tolist() == [
        b * d + x % d for b, x, d in zip(kept.tolist(), whole(before), powers, strict=True)
    ]
    pull(c, digits, k, bits)
    np.testing.assert_array_equal(c, before)
    np.testing.assert_array_equal(digits, kept)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("powers", [[4], [2, 1, 16], [1, 1, 1]])
@pytest.mark.parametrize("block", [4, 1000, 32768])
def test_the_exchange_takes_them_for_spans_of_any_length(
    words: int, powers: list[int], block: int
) -> None:
    layout = Layout([(3,), (600, 2), (5,)], block=block)
    rng, d = np.random.default_rng(words), np.array(powers)
    slot, digits = draw_slot(rng, layout.size, words), np.zeros(layout.size, np.int64)
    scratch, before, ones = Scratch(layout, words), slot.copy(), np.ones_like(d)
    exchange(slot, digits, d, ones, layout, scratch)
    each = np.repeat(d, layout.sizes if len(d) > 1 else layout.size).tolist()
    assert whole(slot) == [x // k for x, k in zip(whole(before), each, strict=True)]
    exchange(slot, digits, ones, d, layout, scratch)
    np.testing.assert_array_equal(slot, before)
    assert not digits.any()


@pytest.mark.parametrize(
    ("ones", "powers", "wanted"),
    [
        ([1], [1], [0]),
        ([1], [2**16], [16]),
        ([1, 1, 1], [8, 1, 2**16], [3, 0, 16]),
        ([1], [6], None),
        ([2], [4], None),
        ([1, 1], [4, 5], None),
        ([1, 3], [4, 4], None),
    ],
)
def test_exponents(ones: list[int], powers: list[int], wanted: list[int] | None) -> None:
    found = exponents(np.array(ones), np.array(powers))
    assert (found if found is None else found.tolist()) == wanted
