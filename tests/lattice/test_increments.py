"""Increments: those of `FixedPoint`, undone bit for bit, and no sum out of range unnoticed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wide_integers import EXTREME, draw_slot, whole

from retrograd.errors import LatticeOverflowError, NonFiniteError
from retrograd.lattice import FixedPoint, Increments, InformationBuffer, Layout, Workspace
from retrograd.lattice.layout import WHOLE
from retrograd.lattice.limbs import LIMB

LONG = WHOLE + 5  # which is cut into stretches
SIZE = 12
LAYOUT = Layout([(2, 3), (6,)], names=["W", "b"])

words_ = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)


def lattice_of(words: int, top: int = 30) -> FixedPoint:
    """A lattice with so many binary digits after the point of the first word."""
    return FixedPoint(top + LIMB * (words - 1), words)


def draw_factor(rng: np.random.Generator, size: int) -> Any:
    """A number, or one per element."""
    return float(rng.normal()) if rng.random() < 0.5 else rng.normal(size=size)


@given(words_, seeds)
def test_adds_what_fixed_point_rounds_and_undoes_it(words: int, seed: int) -> None:
    rng, lattice = np.random.default_rng(seed), lattice_of(words)
    slot = lattice.quantize(rng.normal(size=SIZE))
    increments, before, done = Increments(slot, lattice, LAYOUT, "w"), slot.copy(), []
    wanted = slot.copy()
    for _ in range(6):
        first = int(rng.integers(SIZE))
        count = int(rng.integers(1, SIZE - first + 1))
        source = rng.normal(size=count) * 2.0 ** rng.integers(-99, 20)
        factor = draw_factor(rng, len(source))
        increments.add(source, factor, step=0, first=first)
        lattice.add(wanted[..., first : first + len(source)], lattice.quantize(source * factor))
        np.testing.assert_array_equal(slot, wanted)
        done.append((source, factor, first))
    for source, factor, first in reversed(done):
        increments.subtract(source, factor, step=0, first=first)
    np.testing.assert_array_equal(slot, before)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("each", [True, False])
def test_slots_longer_than_a_stretch(words: int, each: bool) -> None:
    rng, lattice = np.random.default_rng(words), lattice_of(words)
    slot, x = lattice.quantize(rng.normal(size=LONG)), rng.normal(size=LONG)
    factor = rng.normal(size=LONG) if each else 0.3
    before = slot.copy()
    increments = Increments(slot, lattice, Layout([(LONG,)]), "w")
    increments.add(x, factor, step=0)
    wanted = lattice.add(before.copy(), lattice.quantize(x * factor))
    np.testing.assert_array_equal(slot, wanted)
    increments.subtract(x, factor, step=0)
    np.testing.assert_array_equal(slot, before)


@given(words_, seeds)
def test_a_sum_out_of_range_is_never_added(words: int, seed: int) -> None:
    """Random walks to the edge, in parts: each sum is right, or refused where it is too large."""
    rng, lattice = np.random.default_rng(seed), lattice_of(words, 2)
    slot = lattice.zeros(SIZE)
    increments, forgetting = Increments(slot, lattice, LAYOUT, "w"), rng.random() < 0.3
    for _ in range(60):
        first, last = sorted(rng.choice(SIZE + 1, 2, replace=False).tolist())
        source = rng.uniform(-1, 1, last - first) * 2.0 ** rng.integers(45, 61)
        exact = [
            a + b
            for a, b in zip(
                whole(slot[..., first:last]), whole(lattice.quantize(0.5 * source)), strict=True
            )
        ]
        before, shift = slot.copy(), LIMB * (words - 1)
        if all(abs(total >> shift) <= EXTREME for total in exact):
            increments.add(source, 0.5, step=0, first=first)
            assert whole(slot[..., first:last]) == exact
        else:
            with pytest.raises(LatticeOverflowError, match=r"slot 'w', .* outside the lattice's"):
                increments.add(source, 0.5, step=0, first=first)
            np.testing.assert_array_equal(slot, before)
        if forgetting:
            increments.forget()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_after_a_refusal_the_bound_still_holds(words: int) -> None:
    """The first stretch has been added when the second is refused; that must not be forgotten."""
    lattice = lattice_of(words, 0)
    slot = lattice.zeros(LONG)
    increments = Increments(slot, lattice, Layout([(LONG,)]), "w")
    source = np.full(LONG, 2.0**61)
    increments.add(np.zeros(LONG), 1.0, step=0)
    source[-1] = np.nan
    with pytest.raises(NonFiniteError, match=rf"leaf 0\[{LONG - 1}\]"):
        increments.add(source, 1.0, step=0)
    assert np.atleast_2d(slot)[0, 0] == 2**61
    with pytest.raises(
        LatticeOverflowError, match=r"leaf 0\[0\] at step 1, would be 4\.61169e\+18"
    ):
        increments.add(np.full(LONG, 2.0**61), 1.0, step=1)


@pytest.mark.parametrize("words", [1, 2, 3])
def test_changes_by_others_are_looked_at_when_they_are_told(words: int) -> None:
    lattice = lattice_of(words, 0)
    slot = lattice.zeros(SIZE)
    increments = Increments(slot, lattice, LAYOUT, "w")
    increments.add(np.ones(SIZE), 1.0, step=0)
    np.atleast_2d(slot)[0, 7] = EXTREME
    increments.forget()
    with pytest.raises(LatticeOverflowError, match=r"b\[1\] at step 3, would be"):
        increments.add(np.full(SIZE, 3.0), 1.0, step=3)


@given(words_, seeds)
def test_subtractions_count_too(words: int, seed: int) -> None:
    rng, lattice = np.random.default_rng(seed), lattice_of(words, 0)
    slot = draw_slot(rng, SIZE, words)
    np.atleast_2d(slot)[0] >>= 2
    increments = Increments(slot, lattice, LAYOUT, "w")
    increments.add(np.zeros(SIZE), 1.0, step=0)
    increments.subtract(np.full(SIZE, 2.0**61), 1.0, step=0)
    with pytest.raises(LatticeOverflowError, match=r"slot 'w', .* outside the lattice's"):
        increments.add(np.full(SIZE, -(2.0**61)), 1.5, step=0)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("act", ["add", "subtract"])
def test_refuses_what_is_not_finite(words: int, bad: float, act: str) -> None:
    increments = Increments(lattice_of(words).zeros(SIZE), lattice_of(words), LAYOUT, "w")
    source = np.ones(4)
    source[2] = bad
    with pytest.raises(
        NonFiniteError, match=r"slot 'w', W\[1, 2\] at step 5, would be (nan|-?inf)"
    ):
        getattr(increments, act)(source, 2.0, step=5, first=3)
    assert not increments.integers.any()


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("value", [2.0**33, -(2.0**34), 1e300, -1.7e308])
@pytest.mark.parametrize("each", [True, False])
def test_refuses_products_out_of_range(words: int, value: float, each: bool) -> None:
    lattice = lattice_of(words)
    increments = Increments(lattice.zeros(SIZE), lattice, LAYOUT, "w")
    source, factor = np.zeros(SIZE), np.full(SIZE, 0.5) if each else 0.5
    source[8] = value
    shown = re.escape(f"{value / 2:.6g}")
    with pytest.raises(LatticeOverflowError, match=rf"b\[2\] at step 1, would be {shown}, outside"):
        increments.add(source, factor, step=1)
    with pytest.raises(NonFiniteError, match=r"b\[2\] at step 1, would be -?inf"):
        increments.add(np.where(source, np.copysign(1e308, value), 0.0), 1e10, step=1)
    assert not increments.integers.any()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_products_up_to_the_range_are_taken(words: int) -> None:
    lattice = lattice_of(words)
    increments = Increments(lattice.zeros(SIZE), lattice, LAYOUT, "w")
    most = np.nextafter(lattice.range, 0)
    increments.add(np.full(SIZE, most), 1.0, step=0)
    assert lattice.value(increments.integers).tolist() == [most] * SIZE


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(words_, seeds)
def test_narrower_floats_are_widened_before_they_are_multiplied(
    dtype: type[Any], words: int, seed: int
) -> None:
    rng, lattice = np.random.default_rng(seed), lattice_of(words)
    source, factor = rng.normal(size=SIZE).astype(dtype), draw_factor(rng, SIZE)
    slots = [lattice.zeros(SIZE), lattice.zeros(SIZE)]
    for slot, given_source in zip(slots, (source, source.astype(float)), strict=True):
        Increments(slot, lattice, LAYOUT, "w").add(given_source, factor, step=0)
    np.testing.assert_array_equal(slots[0], slots[1])


@given(words_, seeds)
def test_a_known_bound_on_the_source_changes_nothing(words: int, seed: int) -> None:
    rng, lattice = np.random.default_rng(seed), lattice_of(words)
    source = rng.normal(size=SIZE) * 2.0 ** rng.integers(-60, 25)
    largest = float(np.abs(source).max()) * float(rng.choice([1.0, 3.0, 2.0**30, np.inf]))
    slot = lattice.quantize(rng.normal(size=SIZE))
    before, wanted = slot.copy(), slot.copy()
    Increments(wanted, lattice, LAYOUT, "w").add(source, 0.3, step=0)
    increments = Increments(slot, lattice, LAYOUT, "w")
    increments.add(source, 0.3, step=0, largest=largest)
    np.testing.assert_array_equal(slot, wanted)
    assert np.abs(np.atleast_2d(slot)[0]).max() <= increments.most()
    increments.subtract(source, 0.3, step=0, largest=largest)
    np.testing.assert_array_equal(slot, before)


@pytest.mark.parametrize("largest", [np.nan, -np.inf, -1.0, np.inf])
def test_what_is_no_bound_is_not_believed(largest: float) -> None:
    lattice = lattice_of(1)
    increments = Increments(lattice.zeros(SIZE), lattice, LAYOUT, "w")
    with pytest.raises(LatticeOverflowError, match="would be 2e\\+10"):
        increments.add(np.full(SIZE, 1e10), 2.0, step=0, largest=largest)


@given(words_, seeds)
def test_the_bound_follows_a_slot_through_sums_and_decays(words: int, seed: int) -> None:
    rng, lattice = np.random.default_rng(seed), lattice_of(words)
    slot, buffer = lattice.quantize(rng.normal(size=SIZE)), InformationBuffer(LAYOUT, words)
    increments = Increments(slot, lattice, LAYOUT, "w")
    assert increments.largest == np.inf
    for _ in range(8):
        increments.add(rng.normal(size=SIZE) * 2.0 ** rng.integers(-40, 4), 1.0, step=0)
        d = rng.integers(2, 2**16, len(LAYOUT))
        n = rng.integers(1, d)
        buffer.multiply(slot, n, d)
        increments.shrunk(float((n / d).max()))
        assert np.abs(lattice.value(slot)).max() <= increments.largest < np.inf
    assert increments.most(limit=0) == np.abs(np.atleast_2d(slot)[0]).max()


@pytest.mark.parametrize("size", [SIZE, LONG])
def test_slots_of_any_words_share_a_workspace(size: int) -> None:
    rng, layout = np.random.default_rng(0), Layout([(size,)])
    workspace, n, d = Workspace(layout, 3), np.array([7]), np.array([9])
    x = rng.normal(size=size)
    for words in (1, 2, 3):
        lattice = lattice_of(words)
        slot, wanted = lattice.quantize(x), lattice.quantize(x)
        for target, shared in ((slot, workspace), (wanted, None)):
            InformationBuffer(layout, words, workspace=shared).multiply(target, n, d)
            Increments(target, lattice, layout, "w", shared).add(x, 0.7, step=0)
        np.testing.assert_array_equal(slot, wanted)


def test_parts_of_one_pass_do_not_add_up_in_the_bound() -> None:
    """Each element is met once; whoever meets it again, or begins anew, adds to the bound."""
    lattice = lattice_of(1)
    increments = Increments(lattice.zeros(SIZE), lattice, LAYOUT, "w")
    increments.add(np.zeros(SIZE), 1.0, step=0)

    def bound_after(*firsts: int) -> float:
        for first in firsts:
            increments.add(np.full(3, 2.0), 1.0, step=0, first=first)
        assert np.abs(lattice.value(increments.integers)).max() <= increments.largest
        return increments.largest

    assert bound_after(0, 3, 6, 9) == pytest.approx(2.0, abs=1e-6)
    assert bound_after(0, 3, 6, 9) == pytest.approx(4.0, abs=1e-6)
    assert bound_after(3, 3) == pytest.approx(8.0, abs=1e-6)
    increments.integers //= 2
    increments.shrunk(0.5)
    assert bound_after(6) == pytest.approx(6.0, abs=1e-3)
