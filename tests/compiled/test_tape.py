"""The tape is a stack of bits at places that are known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograd.compiled.scales import WORD
from retrograd.compiled.tape import blank, pop, push

SHAPE = (3, 2)
ROWS = 12
MOST = 12  # pushes of up to 32 bits each, which fit into the rows

counts_ = st.lists(st.integers(0, WORD), max_size=MOST - 1)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def draw_bits(rng: np.random.Generator, count: int) -> Any:
    return rng.integers(0, 2**count, SHAPE).astype(np.uint32)


_push, _pop = jax.jit(push), jax.jit(pop)


def pushed(tape: Any, bits: list[Any], places: list[int]) -> Any:
    for word, place in zip(bits, places, strict=True):
        tape = _push(tape, jnp.asarray(word), jnp.int32(place))
    return tape


def check(tape: Any, bits: list[Any], counts: list[int], places: list[int]) -> None:
    for word, count, place in reversed(list(zip(bits, counts, places, strict=True))):
        found = _pop(tape, jnp.int32(count), jnp.int32(place))
        assert found.dtype == jnp.uint32
        np.testing.assert_array_equal(found, word)


@settings(max_examples=50)
@given(seeds, counts_)
def test_what_was_pushed_comes_back(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    bits = [draw_bits(rng, count) for count in counts]
    places = [0, *accumulate(counts)][:-1]
    check(pushed(blank(ROWS, SHAPE), bits, places), bits, counts, places)


@settings(max_examples=50)
@given(seeds, counts_, st.integers(0, MOST))
def test_what_is_pushed_after_pops_replaces_what_was_there(
    seed: int, counts: list[int], kept: int
) -> None:
    rng = np.random.default_rng(seed)
    places = [0, *accumulate(counts)][:-1]
    old = [draw_bits(rng, count) for count in counts]
    new = old[:kept] + [draw_bits(rng, count) for count in counts[kept:]]
    tape = pushed(blank(ROWS, SHAPE), old, places)
    tape = pushed(tape, new[kept:], places[kept:])
    check(tape, new, counts, places)


def test_bits_lie_without_gaps() -> None:
    counts = [5, 20, 32, 1, 31, 7]
    places = [0, *accumulate(counts)][:-1]
    ones = [np.full((), 2**count - 1, np.uint32) for count in counts]
    tape = np.asarray(pushed(blank(4, ()), ones, places))
    assert tape.tolist() == [2**32 - 1, 2**32 - 1, 2**32 - 1, 0]
    assert sum(counts) == 3 * WORD
