"""Numbers as integers: every bit pattern comes back, and the order is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError
from retrograd.lattice.ordered import bit_length, ordered, unordered, unzigzag, zigzag

DTYPES = [
    "float16", "float32", "float64", "complex64", "complex128",
    "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64",
]  # fmt: skip


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_all_half_precision_floats_are_in_order() -> None:
    integers = np.arange(-(2**15), 2**15).astype(np.int16)
    floats = unordered(integers, np.float16, integers.shape)
    assert np.array_equal(ordered(floats), integers)
    assert len(np.unique(floats.view(np.uint16))) == 2**16
    numbers = floats[~np.isnan(floats)].astype(float)
    assert (np.diff(numbers) >= 0).all()
    assert np.count_nonzero(np.diff(numbers) == 0) == 1  # -0.0 and 0.0


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.binary(min_size=0, max_size=96))
def test_every_bit_pattern_comes_back(dtype: str, data: bytes) -> None:
    size = np.dtype(dtype).itemsize
    array = np.frombuffer(data[: len(data) // size * size], dtype)
    assert same_bits(unordered(ordered(array), array.dtype, array.shape), array)


def test_booleans_and_shapes_and_orders_of_axes_come_back() -> None:
    for array in (np.array([[True, False]]), np.array(2.5), np.zeros((0, 3))):
        assert same_bits(unordered(ordered(array), array.dtype, array.shape), array)
    turned = np.arange(6.0).reshape(2, 3).T
    assert np.array_equal(unordered(ordered(turned), float, (3, 2)), turned)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_order_is_kept(x: float, y: float) -> None:
    a, b = ordered(np.array([x, y]))
    assert (x < y) <= (a < b)
    assert (a < b) <= (x <= y)


def test_the_integers_do_not_share_memory_with_the_array() -> None:
    array = np.arange(3)
    ordered(array)[:] = 7
    assert array.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble", "U3", "object", "datetime64[s]"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    with pytest.raises(ArgumentError, match="cannot be coded; give floats of 16, 32 or 64"):
        ordered(np.zeros(2, dtype))


def test_integers_of_another_width_are_refused() -> None:
    with pytest.raises(ArgumentError, match="int64 for float32; give those of `ordered`"):
        unordered(np.zeros(2, np.int64), np.float32, (2,))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@given(st.data())
def test_zigzag_is_a_bijection_that_keeps_small_numbers_small(dtype: Any, data: Any) -> None:
    limits = np.iinfo(dtype)
    value = data.draw(st.integers(int(limits.min), int(limits.max)))
    folded = zigzag(np.array([value], dtype))
    assert int(folded[0]) == (2 * value if value >= 0 else -2 * value - 1)
    assert unzigzag(folded).tolist() == [value]


@given(st.integers(0, 2**64 - 1))
def test_bit_length_is_pythons(value: int) -> None:
    assert bit_length(np.array([value], np.uint64)).tolist() == [value.bit_length()]


def test_bit_length_near_powers_of_two() -> None:
    values = [2**k + d for k in range(2, 64) for d in (-1, 0, 1)]
    found = bit_length(np.array(values, np.uint64)).tolist()
    assert found == [value.bit_length() for value in values]
