"""The tables of the put-off decays say what the lattice's decays do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograd.compiled.scales import WORD, Scales, rows_for, scales_of
from retrograd.lattice import Decays, Layout, period

LAYOUT = Layout([(2,), (3,), (1,)])
# A few lengths and columns only, so that few programs are compiled.
LENGTHS = (1, 63, 130)

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


ALONE = ((0,), (1,), (2,))  # each leaf is a part of its own
TOGETHER = ((0, 1, 2),)


def tables(factors: Any, per_step: int = 1, members: Any = ALONE) -> Scales:
    return jax.jit(scales_of, static_argnums=(1, 2))(jnp.asarray(factors), per_step, members)


def draw_factors(rng: np.random.Generator, kind: str, columns: int, count: int) -> Any:
    if kind == "constant":
        return np.full((count, columns), rng.uniform(0.55, 0.999))
    if kind == "near one":
        return 1 - 10.0 ** rng.uniform(-9, -1, (count, columns))
    factors = rng.uniform(0.55, 1, (count, columns))
    factors[rng.random((count, columns)) < 0.2] = 1.0
    return factors


def check(factors: Any) -> None:
    """Walk through the decays of the lattice beside the tables."""
    count, columns = factors.shape
    found = tables(factors)
    decays = Decays(LAYOUT, 1, factors.__getitem__, float(factors.min()), columns)
    assert not decays.at_once
    slot = np.random.default_rng(0).integers(-(2**60), 2**60, LAYOUT.size)
    column = (
        np.zeros(LAYOUT.size, int)
        if columns == 1
        else LAYOUT.spread(np.arange(columns), np.empty(LAYOUT.size, int))
    )
    lost = np.zeros(len(LAYOUT), int)
    for j in range(count):
        halvings = np.asarray(found.halvings[j])
        np.testing.assert_array_equal(found.before[j], decays.scale)
        np.testing.assert_array_equal(found.places[j], lost)
        expected = slot >> halvings[column]
        assert decays.decay(slot) == 0.5 ** halvings.min()
        assert bool(found.any_halving[j]) == bool(halvings.any())
        np.testing.assert_array_equal(slot, expected)
        np.testing.assert_array_equal(found.after[j], decays.scale)
        lost += halvings
    np.testing.assert_array_equal(found.bits, lost)


@settings(max_examples=30)
@given(
    seeds,
    st.sampled_from(["constant", "near one", "of each step"]),
    st.sampled_from([1, len(LAYOUT)]),
    st.sampled_from(LENGTHS),
)
def test_halvings_scales_and_bits_are_those_of_the_lattice(
    seed: int, kind: str, columns: int, count: int
) -> None:
    check(draw_factors(np.random.default_rng(seed), kind, columns, count))


@pytest.mark.parametrize("factor", [0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0])
def test_the_usual_factors(factor: float) -> None:
    check(np.full((130, 1), factor))


@pytest.mark.parametrize("stretch", [2, 3, 7, 13, 40, 63, 64])
def test_factors_beside_a_change_of_the_period(stretch: int) -> None:
    """The logarithm by which XLA finds the period is not rounded as that of the lattice is."""
    edge = 4.0 ** (-1 / stretch)
    for factor in (edge * (1 - 1e-9), edge * (1 + 1e-9)):
        count = 2 * stretch + 1
        found = tables(np.full((count, 1), factor))
        first = int(np.argmax(np.asarray(found.any_halving)))
        assert first + 1 == period(factor, 1, LAYOUT)


def test_decays_of_one_step_have_neighbouring_rows() -> None:
    factors = draw_factors(np.random.default_rng(0), "of each step", 1, 63)
    found = tables(factors, 3)
    assert found.per_step == 3
    np.testing.assert_array_equal(found.after, tables(factors).after)


@pytest.mark.parametrize("columns", [1, len(LAYOUT)])
def test_a_part_keeps_as_many_bits_of_each_leaf_as_of_the_one_that_loses_most(columns: int) -> None:
    factors = draw_factors(np.random.default_rng(1), "of each step", columns, 63)
    found, alone = tables(factors, 1, TOGETHER), tables(factors)
    most = np.asarray(alone.halvings).max(1)
    np.testing.assert_array_equal(found.halvings, alone.halvings)
    np.testing.assert_array_equal(found.bits, [most.sum()])
    np.testing.assert_array_equal(found.places[:, 0], np.cumsum(most) - most)


@given(st.integers(0, 10**7))
def test_there_is_room_for_the_bits_and_little_more(bits: int) -> None:
    (rows,) = rows_for(np.array([bits]))
    needed = -(-bits // WORD)
    # The last bits are written to a word and the next one.
    assert rows >= needed + 1
    assert rows <= max(1.125 * (needed + 1), needed + 1) + 1


def test_neighbouring_lengths_share_a_shape() -> None:
    shapes = {rows_for(np.array([bits])) for bits in range(32_000, 33_000)}
    assert len(shapes) <= 2
