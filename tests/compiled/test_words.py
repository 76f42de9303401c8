"""Arrays of 64 bits keep them on their way through programs that have no such types."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograd.compiled.words import Words, narrowed, widened

SIZE = 6
patterns = st.lists(st.integers(0, 2**64 - 1), min_size=SIZE, max_size=SIZE)


def through_32_bits(tree: Any) -> Any:
    """What comes out of a program without 64-bit types."""
    with jax.enable_x64(True):
        words = narrowed(tree)
    with jax.enable_x64(False):
        words = jax.jit(lambda given: given)(words)
    with jax.enable_x64(True):
        return widened(words)


@settings(max_examples=40)
@given(patterns, st.sampled_from([np.int64, np.float64]))
def test_every_pattern_of_bits_comes_back(bits: list[int], dtype: Any) -> None:
    given = np.array(bits, np.uint64).view(dtype).reshape(2, -1)
    with jax.enable_x64(True):
        array = jnp.asarray(given)
    found = through_32_bits(array)
    assert found.dtype == dtype
    np.testing.assert_array_equal(np.asarray(found).view(np.uint64), given.view(np.uint64))


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "float16", "bool", "complex64"])
def test_narrower_types_stay_as_they_are(dtype: str) -> None:
    array = jnp.arange(4).astype(dtype)
    assert narrowed(array) is array
    found = through_32_bits([array])
    assert found[0].dtype == array.dtype
    np.testing.assert_array_equal(found[0], array)


def test_the_structure_stays_and_scalars_too() -> None:
    with jax.enable_x64(True):
        tree = {"a": (jnp.float64(-0.0), None), "b": [jnp.int64(-(2**63))]}
    found = through_32_bits(tree)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    assert np.signbit(found["a"][0])
    assert int(found["b"][0]) == -(2**63)


def test_each_number_is_two_words() -> None:
    with jax.enable_x64(True):
        words = narrowed(jnp.array([1, -1, 2**32]))
    assert isinstance(words, Words)
    assert words.bits.tolist() == [[1, 0], [2**32 - 1, 2**32 - 1], [0, 1]]
