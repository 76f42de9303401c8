"""A fingerprint tells two states apart that differ in one element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrograd.compiled.fingerprints import fingerprint

DTYPES = ["int64", "int32", "uint32", "float64", "float32", "float16"]
SHAPES: list[tuple[int, ...]] = [(), (7,), (3, 4)]

seeds = st.integers(0, 2**32 - 1)
_fingerprint = jax.jit(fingerprint)


@pytest.fixture(autouse=True, scope="module")
def _wide() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def draw_state(rng: np.random.Generator) -> dict[str, Any]:
    return {
        f"{dtype} {shape}": _with_bits(rng.bytes(int(np.prod(shape, dtype=int)) * 8), dtype, shape)
        for dtype in DTYPES
        for shape in SHAPES
    }


def _with_bits(raw: bytes, dtype: str, shape: tuple[int, ...]) -> Any:
    count = int(np.prod(shape, dtype=int))
    return np.frombuffer(raw, dtype)[:count].reshape(shape).copy()


def of(state: Any) -> int:
    return int(_fingerprint(jax.tree.map(jnp.asarray, state)))


@settings(max_examples=60)
@given(seeds, st.sampled_from(DTYPES), st.sampled_from(SHAPES), st.integers(0, 63))
def test_one_flipped_bit_is_noticed(
    seed: int, dtype: str, shape: tuple[int, ...], bit: int
) -> None:
    rng = np.random.default_rng(seed)
    state = draw_state(rng)
    before = of(state)
    assert of(state) == before
    leaf = state[f"{dtype} {shape}"]
    flat = leaf.reshape(-1).view(f"u{leaf.itemsize}")
    flat[rng.integers(flat.size)] ^= np.array(1 << bit % (8 * leaf.itemsize), flat.dtype)
    assert of(state) != before


@settings(max_examples=30)
@given(seeds)
def test_one_changed_integer_is_noticed_however_it_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = rng.integers(-(2**62), 2**62, 12)
    other = state.copy()
    other[rng.integers(12)] = rng.integers(-(2**62), 2**62) >> rng.integers(0, 62)
    assert (of(state) == of(other)) == np.array_equal(state, other)


def test_places_count() -> None:
    a, b = np.arange(3), np.arange(3)[::-1].copy()
    states = [a, b, [a, b], [b, a], [a[:1], a[1:]], [a[:2], a[2:]]]
    assert len({of(state) for state in states}) == len(states)


@pytest.mark.parametrize("part", ["real", "imag"])
def test_both_parts_of_complex_numbers_count(part: str) -> None:
    state = np.array([1 + 2j, 3 - 1j])
    other = state.copy()
    getattr(other, part)[1] += 1e-15
    assert of(state) != of(other)


def test_signs_of_zero_and_payloads_of_nan_count() -> None:
    first, second = np.array([0.0]), np.array([-0.0])
    assert of(first) != of(second)
    nan = np.array([np.nan])
    assert of(nan) == of(nan.copy())
    assert of(nan) != of((nan.view(np.int64) + 1).view(np.float64))
