"""The fingerprint: certain for one element, sensitive to all that counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError
from retrograd.lattice import checksum, fingerprint
from retrograd.lattice.layout import BLOCK

numbers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30)


def test_every_single_bit_flip_is_detected() -> None:
    x = np.random.default_rng(0).integers(-(2**62), 2**62, 40)
    y = np.random.default_rng(1).integers(-(2**62), 2**62, 3)
    before = fingerprint(x, y)
    bits = [1 << bit for bit in range(63)] + [-(1 << 63)]
    for index in range(x.size):
        for bit in bits:
            x[index] ^= bit
            assert fingerprint(x, y) != before
            x[index] ^= bit
    assert fingerprint(x, y) == before


@given(numbers, st.data())
def test_any_change_of_one_element_is_detected(x: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(x) - 1))
    other = data.draw(st.integers(-(2**63), 2**63 - 1).filter(lambda v: v != x[index]))
    changed = [*x[:index], other, *x[index + 1 :]]
    assert fingerprint(np.array(x)) != fingerprint(np.array(changed))


def test_changes_of_two_elements_are_detected() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-(2**40), 2**40, 1000)
    before = fingerprint(x)
    for _ in range(2000):
        changed = x.copy()
        changed[rng.choice(x.size, 2, replace=False)] += rng.choice([-1, 1], 2)
        assert fingerprint(changed) != before


def test_order_number_and_lengths_of_arrays_count() -> None:
    a, b, zero = np.array([1, 2]), np.array([3]), np.array([0])
    prints = [
        fingerprint(),
        fingerprint(a),
        fingerprint(a, b),
        fingerprint(b, a),
        fingerprint(np.concatenate([a, b])),
        fingerprint(np.concatenate([a, zero])),
        fingerprint(a, zero),
        fingerprint(zero),
        fingerprint(zero, zero),
        fingerprint(zero[:0]),
        fingerprint(a[::-1]),
    ]
    assert len(set(prints)) == len(prints)


def test_only_the_contents_count() -> None:
    x = np.arange(24)
    assert fingerprint(x) == fingerprint(x.reshape(4, 6)) == fingerprint(np.repeat(x, 2)[::2])
    assert 0 <= fingerprint(x) < 2**64


def mix(z: int) -> int:
    mask = 2**64 - 1
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@pytest.mark.parametrize("size", [0, 1, 3, BLOCK, BLOCK + 2])
def test_equals_the_definition(size: int) -> None:
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15
    x = np.random.default_rng(size).integers(-(2**62), 2**62, size)
    multipliers = [mix((i + 1) * golden & mask) | 1 for i in range(min(size, BLOCK))]
    wanted = golden * (size + 1) & mask
    for start in range(0, max(size, 1), BLOCK):
        chunk = x[start : start + BLOCK].tolist()
        wanted = mix(wanted ^ (sum(v * m for v, m in zip(chunk, multipliers, strict=False)) & mask))
    assert fingerprint(x) == wanted


def test_wide_slots_and_long_ones() -> None:
    x = np.random.default_rng(3).integers(-(2**62), 2**62, (3, BLOCK))
    before = fingerprint(x)
    for word in range(3):
        for index in (0, 7, BLOCK - 1):
            x[word, index] ^= 1
            assert fingerprint(x) != before
            x[word, index] ^= 1
    assert fingerprint(x) == before == fingerprint(x.reshape(-1))
    assert fingerprint(x[[1, 0, 2]]) != before


DTYPES = ["f8", "f4", "f2", "i8", "i4", "u2", "u1", "?", "c8", ">f8"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_checksum_detects_every_single_bit_flip(dtype: str) -> None:
    array = np.random.default_rng(4).integers(0, 2, 11).astype(dtype)
    before = checksum(array)
    flipped = array.view(np.uint8)
    for bit in range(8 * flipped.size):
        flipped[bit // 8] ^= np.uint8(1 << bit % 8)
        assert checksum(array) != before
        flipped[bit // 8] ^= np.uint8(1 << bit % 8)
    assert checksum(array) == before


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_checksum_detects_a_unit_in_the_last_place_anywhere(dtype: str) -> None:
    array = np.random.default_rng(5).normal(size=2 * BLOCK + 3).astype(dtype)
    before = checksum(array)
    for index in [*range(0, array.size, 5003), array.size - 1]:
        kept = array[index]
        array[index] = np.nextafter(kept, np.array(9, dtype))
        assert checksum(array) != before
        array[index] = kept
    assert checksum(array) == before


@given(st.lists(st.floats(width=32), min_size=1, max_size=9), st.data())
def test_checksum_detects_any_change_of_one_element(x: list[float], data: st.DataObject) -> None:
    a = np.array(x, np.float32)
    b = a.copy()
    index = data.draw(st.integers(0, len(x) - 1))
    b[index] = data.draw(st.floats(width=32))
    assert (checksum(a) == checksum(b)) == (a.tobytes() == b.tobytes())


def test_checksum_reads_any_layout_of_memory() -> None:
    x = np.random.default_rng(6).normal(size=(4, 6))
    assert checksum(x) == checksum(np.asfortranarray(x)) == checksum(np.repeat(x, 2, 1)[:, ::2])
    assert checksum(x) != checksum(x.T)
    assert checksum(np.array(0.5)) == checksum(np.array([0.5]))
    assert checksum(np.array(0.0)) != checksum(np.array(-0.0))
    assert checksum(np.arange(7)) == fingerprint_of_bytes(np.arange(7))


def fingerprint_of_bytes(x: np.ndarray) -> int:
    """The definition for one chunk, the length counted in bytes."""
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15
    total = sum(v * (mix((i + 1) * golden & mask) | 1) for i, v in enumerate(x.tolist()))
    return mix((golden * (x.nbytes + 1) & mask) ^ (total & mask))


def test_checksum_tells_lengths_apart() -> None:
    sizes = [checksum(np.zeros(size, dtype)) for dtype in ("u1", "f8") for size in (1, 2, 3, 5)]
    assert len({*sizes, checksum(np.zeros(0))}) == len(sizes) + 1


def test_checksum_refuses_objects() -> None:
    with pytest.raises(ArgumentError, match="an array of object; give an array of numbers"):
        checksum(np.array([None]))


def test_refuses_other_types() -> None:
    with pytest.raises(ArgumentError, match="an array of float64; give int64"):
        fingerprint(np.zeros(3))  # type: ignore[arg-type]
