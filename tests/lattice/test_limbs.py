"""Carries and borrows between words: as Python's own integers have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wide_integers import draw_slot, whole

from retrograd.lattice import limbs
from retrograd.lattice.limbs import LIMB


@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_add_and_subtract(words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = draw_slot(rng, 20, words), draw_slot(rng, 20, words)
    pairs = list(zip(whole(a), whole(b), strict=True))
    total = limbs.add(a, b, np.empty_like(a))
    assert whole(total) == [x + y for x, y in pairs]
    assert whole(limbs.subtract(a, b, np.empty_like(a))) == [x - y for x, y in pairs]
    np.testing.assert_array_equal(limbs.subtract(total, b, total), a)


@pytest.mark.parametrize("words", [2, 3])
def test_carry_keeps_the_integer_and_puts_limbs_in_range(words: int) -> None:
    rng = np.random.default_rng(words)
    loose = rng.integers(-(2**60), 2**60, (words, 200)) >> rng.integers(0, 60, (words, 200))
    before = whole(loose)
    limbs.carry(loose)
    assert whole(loose) == before
    assert loose[1:].min() >= 0
    assert loose[1:].max() < 2**LIMB
