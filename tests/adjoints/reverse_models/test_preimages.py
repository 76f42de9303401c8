"""The floats that a step takes to a result, against all floats of 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retrograd.adjoints.reverse_models.preimages import LIMIT, preimages
from retrograd.lattice.ordered import ordered, unordered

HALF = np.float16
INTEGERS = np.arange(-(2**15), 2**15)
FLOATS = unordered(INTEGERS.astype(np.int16), HALF, INTEGERS.shape)


def maps(size: int, seed: int = 0) -> dict[str, Callable[[Any, Any], Any]]:
    """Non-decreasing functions of one number, with increments of their own for each element."""
    k = np.random.default_rng(seed).normal(size=size).astype(HALF)
    return {
        "decay": lambda x, where: x * HALF(0.9) + k[where],
        "slow decay": lambda x, where: x * HALF(0.999) + HALF(0.001) * k[where] ** 2,
        "half": lambda x, where: x * HALF(0.5) + k[where],
        "move": lambda x, where: x + HALF(0.01) * k[where],
        "two": lambda x, where: (x * HALF(0.99)) * HALF(0.9) + k[where],
        "maximum": lambda x, where: np.maximum(x * HALF(0.9), k[where]),
        "constant": lambda x, where: 0 * x + k[where],
        "gaps": lambda x, where: x * HALF(3.0) + k[where],
    }


def by_hand(function: Any, after: Any, element: int) -> Any:
    """All integers whose floats the function takes to a result."""
    where = np.full(len(FLOATS), element)
    with np.errstate(all="ignore"):
        return INTEGERS[function(FLOATS, where) == after]


@pytest.mark.parametrize("name", maps(1))
def test_all_of_them_are_found(name: str) -> None:
    size = 60
    function = maps(size)[name]
    rng = np.random.default_rng(1)
    x = rng.normal(size=size).astype(HALF)
    after = function(x, slice(None))
    for offset in (0, 1, -1, 5, -40):
        near = unordered(ordered(x) + np.int16(offset), HALF, x.shape)
        first, last = preimages(function, after, near)
        for i in range(size):
            right = by_hand(function, after[i], i)
            if last[i] >= first[i]:
                assert (first[i], last[i]) == (right.min(), right.max())
                assert len(right) == last[i] - first[i] + 1
            else:  # only ever because there are too many, or they are too far
                start = int(ordered(near)[i])
                assert max(abs(right.min() - start), abs(right.max() - start)) >= LIMIT


def test_there_may_be_none() -> None:
    function = maps(50)["gaps"]
    x = np.linspace(0.5, 1.0, 50).astype(HALF)
    # Results are 3 units apart here, so the next float is not among them.
    after = np.nextafter(function(x, slice(None)), HALF(np.inf))
    first, last = preimages(function, after, x)
    empty = [len(by_hand(function, after[i], i)) == 0 for i in range(50)]
    assert any(empty)
    assert (last < first).tolist() == empty


def test_nan_and_infinity_end_the_search() -> None:
    after = np.array([np.nan, np.inf, -np.inf, 0.0], np.float32)
    near = np.array([0.0, np.nan, np.inf, np.nan], np.float32)
    first, last = preimages(lambda x, where: x * np.float32(0.9), after, near)
    assert (last < first).all()


def test_the_bits_of_a_decay_are_those_it_loses() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(1.2, 1.9, 20_000).astype(np.float32)  # one binade, before and after
    function = lambda x, where: x * np.float32(0.9)  # noqa: E731
    after = function(x, slice(None))
    first, last = preimages(function, after, after / np.float32(0.9))
    # Nine numbers for ten: one in nine results has two, and a fifth of all x belongs to these.
    one_binade = after > 1.0
    bits = np.log2(last - first + 1)[one_binade]
    assert abs(bits.mean() - 0.2) < 0.01
