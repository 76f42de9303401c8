"""The entropy coder: what is pushed comes back, at the cost of its information, or an error."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError, ReversalError
from retrograd.lattice.entropy import Pile, Residuals, Symbols

ints = st.integers


@given(st.lists(st.tuples(ints(0, 5), ints(0, 9)), max_size=40), ints(1, 4))
def test_symbols_come_back_in_order_and_the_counts_too(pairs: Any, rounds: int) -> None:
    pile, code = Pile(), Symbols()
    contexts, symbols = np.array(pairs, np.int64).reshape(-1, 2).T
    kept = [(symbols + k) % 10 for k in range(rounds)]
    for each in kept:
        code.push(pile, each, contexts)
    for each in reversed(kept):
        assert code.pop(pile, contexts).tolist() == each.tolist()
    assert pile.is_empty()
    assert code.is_empty()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@given(data=st.data())
def test_residuals_of_any_size_come_back(dtype: Any, data: Any) -> None:
    limits = np.iinfo(dtype)
    whole = ints(int(limits.min), int(limits.max))
    values = data.draw(st.lists(whole | ints(-9, 9), max_size=30))
    residuals = np.array(values, dtype)
    contexts = np.arange(len(values)) % 3
    pile, code = Pile(), Residuals()
    code.push(pile, residuals, contexts)
    found = code.pop(pile, contexts, dtype)
    assert found.dtype == dtype
    assert found.tolist() == values
    assert pile.is_empty()
    assert code.symbols.is_empty()


@given(st.lists(st.tuples(ints(0, 64), ints(0, 2**64 - 1)), max_size=30))
def test_digits_come_back(pairs: Any) -> None:
    widths = np.array([width for width, _ in pairs], np.int64)
    naturals = np.array([value % (1 << width) for width, value in pairs], np.uint64)
    pile = Pile()
    pile.push_digits(naturals, widths)
    assert pile.pop_digits(widths).tolist() == naturals.tolist()
    assert pile.is_empty()


def test_bits_are_those_of_the_information() -> None:
    rng = np.random.default_rng(0)
    p = np.array([0.9, 0.06, 0.03, 0.01])
    pile, code, information = Pile(), Symbols(), 0.0
    contexts = np.zeros(10_000, np.int64)
    for _ in range(10):
        symbols = rng.choice(4, contexts.size, p=p)
        information -= np.log2(p[symbols]).sum()
        code.push(pile, symbols, contexts)
    assert abs(pile.bits / information - 1) < 0.002


def test_contexts_are_counted_apart() -> None:
    contexts = np.arange(1000) % 2
    together, apart = (Pile() for _ in range(2))
    Symbols().push(together, contexts, np.zeros(1000, np.int64))
    Symbols().push(apart, contexts, contexts)
    assert together.bits > 1000
    assert apart.is_empty()


def test_residuals_cost_their_scale() -> None:
    rng = np.random.default_rng(1)
    for scale in (3.0, 1e4, 1e12):
        residuals = np.rint(rng.normal(size=20_000) * scale).astype(np.int64)
        pile = Pile()
        Residuals().push(pile, residuals, np.zeros(residuals.size, np.int64))
        entropy = np.log2(scale * np.sqrt(2 * np.pi * np.e))
        assert entropy - 0.01 < pile.bits / residuals.size < entropy + 0.1


def test_a_pile_can_be_saved_at_any_moment() -> None:
    pile, sizes = Pile(), np.array([1000, 7, 65_536, 2])
    numbers = sizes - 1
    for length in range(4):
        saved = Pile()
        saved.load(pile.export())
        assert saved.bits == pile.bits
        for _ in range(length):
            assert saved.pop_uniform(sizes).tolist() == numbers.tolist()
        assert saved.is_empty()
        pile.push_uniform(numbers, sizes)


def test_damage_does_not_pass() -> None:
    rng = np.random.default_rng(2)
    contexts = np.arange(2000) % 3
    pile, code = Pile(), Symbols()
    code.push(pile, rng.geometric(0.2, 2000), contexts)
    words, counts = pile.export(), code.counts.copy()
    noticed = 0
    for _ in range(100):
        damaged = words.copy()
        damaged[rng.integers(len(words))] ^= np.uint32(1 << rng.integers(32))
        pile.load(damaged)
        code.counts = counts.copy()
        try:
            code.pop(pile, contexts)
            noticed += not (pile.is_empty() and code.is_empty())
        except ReversalError:
            noticed += 1
    assert noticed == 100


def test_what_was_never_pushed_cannot_be_popped() -> None:
    with pytest.raises(ReversalError, match="no such context"):
        Symbols().pop(Pile(), np.array([0]))
    code = Symbols()
    code.push(Pile(), np.array([1]), np.array([1]))
    with pytest.raises(ReversalError, match="no symbol for what is asked"):
        code.pop(Pile(), np.array([0]))
    with pytest.raises(ReversalError, match="more often than"):
        code.pop(Pile(), np.array([1, 1]))


def test_a_missing_coder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(ArgumentError, match=r'pip install "retrograd\[coding\]"'):
        Pile()
