"""The fingerprint: certain for one element, sensitive to all that counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError
from retrograd.lattice import fingerprint

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


def test_equals_the_definition() -> None:
    mask = 2**64 - 1

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    x = [5, -(2**62), 77]
    total = sum(v * (mix((i + 1) * golden & mask) | 1) for i, v in enumerate(x)) & mask
    assert fingerprint(np.array(x)) == mix((golden * 4 & mask) ^ total)


def test_refuses_other_types() -> None:
    with pytest.raises(ArgumentError, match="an array of float64; give int64"):
        fingerprint(np.zeros(3))  # type: ignore[arg-type]
