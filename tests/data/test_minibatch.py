"""Batches are functions of step and seed, and uniform without replacement."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.data import minibatch
from retrograd.errors import ArgumentError


@st.composite
def arguments(draw: st.DrawFn) -> tuple[int, int, int, int]:
    count = draw(st.integers(1, 20_000))
    batch = draw(st.integers(1, count))
    return count, batch, draw(st.integers(0, 2**63)), draw(st.integers(0, 2**64 - 1))


@given(arguments())
def test_batch_is_distinct_in_range_and_the_same_again(given: tuple[int, int, int, int]) -> None:
    count, batch, step, seed = given
    drawn = minibatch(count, batch, step, seed)
    assert drawn.dtype == np.int64
    assert drawn.shape == (batch,)
    assert len(np.unique(drawn)) == batch
    assert 0 <= drawn.min() <= drawn.max() < count
    np.testing.assert_array_equal(drawn, minibatch(count, batch, step, seed))


def test_asking_in_another_order_changes_nothing() -> None:
    forward = [minibatch(100, 7, step, 5) for step in range(50)]
    backward = [minibatch(100, 7, step, 5) for step in reversed(range(50))]
    np.testing.assert_array_equal(forward, backward[::-1])


def test_global_random_state_is_neither_read_nor_changed() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = minibatch(1000, 10, 2, 3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(2)
    np.testing.assert_array_equal(minibatch(1000, 10, 2, 3), first)


def test_known_batch() -> None:
    """Fails where a release of NumPy draws differently: then old runs cannot be repeated."""
    assert sorted(minibatch(6000, 5, 3, 1)) == [185, 665, 1053, 5193, 5996]


def test_takes_numpy_integers() -> None:
    drawn = minibatch(np.int32(50), np.uint8(5), np.int64(4), np.uint64(3))
    np.testing.assert_array_equal(drawn, minibatch(50, 5, 4, 3))


def test_far_steps_and_seeds_differ() -> None:
    """Neither step nor seed is cut to fewer than 64 bits."""
    places = [0, 1, 2**31, 2**32, 2**62, 2**63]
    by_step = {tuple(minibatch(10**6, 4, step, 0)) for step in places}
    by_seed = {tuple(minibatch(10**6, 4, 0, seed)) for seed in [*places, 2**64 - 1]}
    assert len(by_step) == len(places)
    assert len(by_seed) == len(places) + 1


def chi_square(counts: np.ndarray, expected: float, variance: float, freedom: int) -> float:
    """How many standard deviations the counts are from uniform, in total."""
    statistic = np.sum((counts - expected) ** 2) / variance
    return abs(statistic - freedom) / math.sqrt(2 * freedom)


def test_every_subset_is_equally_likely() -> None:
    draws = 10_000
    seen = Counter(tuple(sorted(minibatch(6, 3, step, 11).tolist())) for step in range(draws))
    counts = np.array([seen[subset] for subset in combinations(range(6), 3)])
    assert counts.sum() == draws
    assert chi_square(counts, draws / 20, draws / 20, 19) < 4


@pytest.mark.parametrize("count", [6_000, 10_000])
def test_every_example_is_equally_likely(count: int) -> None:
    """At the sizes of the experiment: inclusions are Bernoulli(batch / count) in each step."""
    batch, draws = 200, 2_000
    drawn = np.concatenate([minibatch(count, batch, step, 12) for step in range(draws)])
    p = batch / count
    variance = draws * p * (1 - p) * count / (count - 1)
    assert chi_square(np.bincount(drawn, minlength=count), draws * p, variance, count - 1) < 4


@pytest.mark.parametrize("neighbour", ["step", "seed"])
def test_neighbouring_batches_are_independent(neighbour: str) -> None:
    """The overlap of two batches is hypergeometric: mean b b / n, and the variance to match."""
    count, batch, pairs = 1_000, 100, 2_000
    at = (lambda i: (i, 0)) if neighbour == "step" else (lambda i: (0, i))
    batches = [set(minibatch(count, batch, *at(i)).tolist()) for i in range(pairs + 1)]
    overlaps = [len(a & b) for a, b in pairwise(batches)]
    p = batch / count
    variance = batch * p * (1 - p) * (count - batch) / (count - 1)
    assert abs(np.mean(overlaps) - batch * p) < 4 * math.sqrt(variance / pairs)
    assert abs(np.var(overlaps) / variance - 1) < 4 * math.sqrt(2 / pairs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 11, 0, 0), "batch must be from 1 to count = 10, got 11; draw fewer"),
        ((10, 0, 0, 0), "batch must be from 1 to count = 10, got 0"),
        ((10, -1, 0, 0), "batch must be from 1 to count = 10, got -1"),
        ((0, 0, 0, 0), "count must be at least 1, got 0; give data that is not empty"),
        ((10, 1, -1, 0), "step must be from 0 to .*, got -1"),
        ((10, 1, 2**64, 0), "step must be from 0 to .*, got 18446744073709551616"),
        ((10, 1, 0, -5), "seed must be from 0 to .*, got -5"),
        ((10, 1, 0, 2**64), "seed must be from 0 to"),
        ((10, 2.0, 0, 0), r"batch must be an integer, got 2\.0 \(float\)"),
        ((10, 1, 0, "7"), r"seed must be an integer, got '7' \(str\)"),
    ],
)
def test_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        minibatch(*arguments)
