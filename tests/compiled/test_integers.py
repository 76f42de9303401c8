"""The integers of compiled runs are those of the lattice, word for word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograd.compiled.integers import POISON, Integers, Radix, difference_of_bits, poisoned
from retrograd.lattice import FixedPoint, limbs
from retrograd.lattice.fixed_point import BOUND
from retrograd.lattice.limbs import LIMB

SIZE = 24

seeds = st.integers(0, 2**32 - 1)
words_ = st.integers(1, 3)
few = settings(max_examples=25)


@pytest.fixture(autouse=True, scope="module")
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def lattices(rng: np.random.Generator, words: int) -> tuple[FixedPoint, Radix]:
    digits = int(rng.integers(0, 62 + LIMB * (words - 1)))
    return FixedPoint(digits, words), Radix(digits, words)


def draw_slot(rng: np.random.Generator, words: int) -> Any:
    """(words, N) integers of all magnitudes and both signs, that leave room for a sum."""
    top = rng.integers(-(2**61), 2**61, SIZE) >> rng.integers(0, 61, SIZE)
    rest = rng.integers(0, 2**LIMB, (words - 1, SIZE))
    rest[:, rng.random(SIZE) < 0.2] = 2**LIMB - 1
    return np.vstack([top, rest])


def draw_numbers(rng: np.random.Generator, reach: float) -> Any:
    """Floats of all magnitudes below a reach, and halves of what is rounded to."""
    x = rng.uniform(-1, 1, SIZE) * 2.0 ** -rng.integers(0, 120, SIZE).astype(float)
    x[rng.random(SIZE) < 0.2] = 0.0
    return x * reach


def compiled(slot: Any) -> Integers:
    return tuple(jnp.asarray(word) for word in np.atleast_2d(slot))


def rows(slot: Integers) -> Any:
    return np.stack([np.asarray(word) for word in slot])


def whole(slot: Any) -> list[int]:
    """The integers that (words, N) stand for, as Python's own."""
    totals = [0] * SIZE
    for row in np.atleast_2d(slot).tolist():
        totals = [(total << LIMB) + word for total, word in zip(totals, row, strict=True)]
    return totals


@few
@given(seeds, words_)
def test_numbers_are_rounded_as_by_the_lattice(seed: int, words: int) -> None:
    rng = np.random.default_rng(seed)
    lattice, radix = lattices(rng, words)
    x = draw_numbers(rng, lattice.range)
    x[0] = 0.5 * lattice.resolution  # a tie
    found = radix.plus(radix.zeros((SIZE,)), jnp.asarray(x * radix.unit))
    np.testing.assert_array_equal(rows(found), np.atleast_2d(lattice.quantize(x)))


@few
@given(seeds, words_)
def test_sums_are_those_of_the_lattice_and_come_back(seed: int, words: int) -> None:
    rng = np.random.default_rng(seed)
    lattice, radix = lattices(rng, words)
    slot = draw_slot(rng, words)
    x = draw_numbers(rng, lattice.range / 2)
    expected = slot[0].copy() if words == 1 else slot.copy()
    lattice.add(expected, lattice.quantize(x))
    scaled = jnp.asarray(x * radix.unit)
    found = radix.plus(compiled(slot), scaled)
    np.testing.assert_array_equal(rows(found), np.atleast_2d(expected))
    np.testing.assert_array_equal(rows(radix.minus(found, scaled)), slot)


@few
@given(seeds, words_)
def test_values_are_those_of_the_lattice(seed: int, words: int) -> None:
    rng = np.random.default_rng(seed)
    lattice, radix = lattices(rng, words)
    slot = draw_slot(rng, words)
    scale = float(rng.uniform(0.1, 1))
    given = slot[0] if words == 1 else slot
    found = radix.value(compiled(slot), jnp.float64(scale))
    np.testing.assert_array_equal(np.asarray(found), lattice.value(given, scale=scale))


@few
@given(seeds, words_)
def test_the_larger_one_is_that_of_whole_integers(seed: int, words: int) -> None:
    rng = np.random.default_rng(seed)
    lattice, radix = lattices(rng, words)
    slot = np.atleast_2d(lattice.quantize(draw_numbers(rng, lattice.range)))
    x = lattice.value(slot[0] if words == 1 else slot)
    x = np.where(rng.random(SIZE) < 0.5, x, draw_numbers(rng, lattice.range))  # many are near
    found = radix.raised(compiled(slot), jnp.asarray(x * radix.unit))
    expected = map(max, whole(slot), whole(lattice.quantize(x)))
    assert whole(rows(found)) == list(expected)


@few
@given(seeds, words_, st.integers(0, 32))
def test_halvings_round_down_and_come_back(seed: int, words: int, times: int) -> None:
    slot = draw_slot(np.random.default_rng(seed), words)
    radix = Radix(0, words)
    found, bits = radix.halved(compiled(slot), jnp.int64(times))
    assert bits.dtype == jnp.uint32
    quotients = [divmod(value, 2**times) for value in whole(slot)]
    assert list(zip(whole(rows(found)), bits.tolist(), strict=True)) == quotients
    assert (rows(found)[1:] >= 0).all()
    np.testing.assert_array_equal(rows(radix.doubled(found, jnp.int64(times), bits)), slot)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf, 2.0**62, -(2.0**62), 1e300])
def test_what_is_no_number_of_the_lattice_is_poison_for_good(words: int, x: float) -> None:
    radix = Radix(0, words)
    slot = radix.plus(radix.zeros((2,)), jnp.array([x, 1.0]))
    assert slot[0].tolist() == [POISON, 1]
    for times in (1, 32):
        slot, _ = radix.halved(slot, jnp.int64(times))
        assert slot[0][0] == POISON
        for rise in (-1.0, 1.0, 2.0**61, -(2.0**61)):
            slot = radix.plus(slot, jnp.array([rise, 0.0]))
            assert slot[0][0] == POISON
        slot = radix.raised(slot, jnp.array([5.0, 5.0]))
        assert slot[0].tolist() == [POISON, 5]
    assert bool(poisoned(slot))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_outside_the_range_is_poison(sign: int) -> None:
    radix = Radix(0, 1)
    near = (jnp.array([sign * (BOUND - 1024), 0]),)
    assert not poisoned(near)
    still = radix.plus(near, jnp.array([sign * 512.0, 0.0]))
    assert not poisoned(still)
    outside = radix.plus(still, jnp.array([sign * 512.0, 0.0]))
    assert outside[0].tolist() == [POISON, 0]
    assert poisoned(outside)


@pytest.mark.parametrize("words", [1, 2, 3])
def test_differing_elements_are_counted_once(words: int) -> None:
    slot = draw_slot(np.random.default_rng(0), words)
    assert int(difference_of_bits(compiled(slot), compiled(slot))) == 0
    other = slot.copy()
    other[:, 3] ^= 1
    other[-1, 5] ^= 1
    assert int(difference_of_bits(compiled(slot), compiled(other))) == 2


def test_limbs_are_carried_as_by_the_lattice() -> None:
    radix = Radix(LIMB, 2)
    slot = (jnp.array([0, -1]), jnp.array([2**LIMB - 1, 0]))
    found = radix.plus(slot, jnp.array([2.0**-LIMB, -(2.0**-LIMB)]))
    expected = limbs.add(rows(slot), np.array([[0, 0], [1, -1]]), np.empty((2, 2), np.int64))
    np.testing.assert_array_equal(rows(found), expected)
    assert rows(found).tolist() == [[1, -2], [0, 2**LIMB - 1]]
