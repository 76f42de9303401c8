"""Decays: the real product, back again bit for bit, at log2(1/f) bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wide_integers import whole

from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice import Decays, FixedPoint, Layout, limbs, period
from retrograd.lattice.decays import _GROUP
from retrograd.lattice.factors import LIMIT
from retrograd.lattice.limbs import LIMB

LAYOUT = Layout([(2, 3), (4,), (2,)])
SIZE = LAYOUT.size
COLUMNS = {"all": 1, "leaf": len(LAYOUT), "element": SIZE}

Floats = np.ndarray[Any, np.dtype[np.float64]]
words_ = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)
kinds = st.tuples(
    st.sampled_from(["all", "leaf", "element"]),
    st.sampled_from(["middling", "near one", "small", "with zeros", "with ones", "alike"]),
)


def draw_factors(rng: np.random.Generator, kind: tuple[str, str], steps: int) -> Floats:
    """(steps, columns) factors."""
    columns, values = kind
    shape = (steps, COLUMNS[columns])
    if values == "near one":
        # A factor of its own per element becomes a rational, which may not be 1.
        return 1 - 10.0 ** rng.uniform(-4 if columns == "element" else -12, -2, shape)
    if values == "small":
        return rng.uniform(0.01, 1, shape)
    if values == "alike":
        return np.full(shape, rng.uniform(0.3, 0.999))
    factors = rng.uniform(0.71, 0.999, shape)
    if values != "middling":
        factors[rng.random(shape) < 0.2] = 0.0 if values == "with zeros" else 1.0
    return factors


def decays_of(factors: Floats, words: int = 1, *, keep: bool = True) -> Decays:
    columns = factors.shape[1]
    return Decays(LAYOUT, words, factors.__getitem__, float(factors.min()), columns, keep=keep)


def draw_slot(rng: np.random.Generator, words: int) -> Any:
    """Integers that leave room for increments."""
    rows = rng.integers(0, 2**LIMB, (words, SIZE))
    rows[0] = rng.integers(-(2**55), 2**55, SIZE) >> rng.integers(0, 55, SIZE)
    return rows[0] if words == 1 else rows


def first_words(slot: Any) -> int:
    """The largest magnitude of the first words."""
    return int(np.abs(np.atleast_2d(slot)[0]).max())


class Walk:
    """A run of decays, with an increment after each of them."""

    def __init__(self, seed: int, kind: tuple[str, str], words: int, steps: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.factors = draw_factors(self.rng, kind, steps)
        self.decays = decays_of(self.factors, words)
        self.slot = draw_slot(self.rng, words)
        self.kicks = [draw_slot(self.rng, words) for _ in range(5)]
        self.states: list[Any] = [(self.slot.copy(), self.decays.scale.copy())]

    def forth(self, until: int) -> None:
        for t in range(len(self.states) - 1, until):
            before, scale = self.slot.copy(), self.decays.scale.copy()
            carried_out = self.decays.buffer.multiplications
            share = self.decays.decay(self.slot)
            assert first_words(self.slot) <= first_words(before) * Fraction(share) + LIMIT
            if self.decays.buffer.multiplications == carried_out:
                assert share == 1
                np.testing.assert_array_equal(self.slot, before)
                np.testing.assert_array_equal(self.decays.scale, scale * self.factors[t])
            limbs.add(self.slot, self.kicks[t % 5], out=self.slot)
            self.states.append((self.slot.copy(), self.decays.scale.copy()))

    def back(self, until: int) -> None:
        for t in range(len(self.states) - 1, until, -1):
            slot, scale = self.states.pop()
            np.testing.assert_array_equal(self.slot, slot)
            np.testing.assert_array_equal(self.decays.scale, scale)
            limbs.subtract(self.slot, self.kicks[(t - 1) % 5], out=self.slot)
            self.decays.undo(self.slot)
        np.testing.assert_array_equal(self.slot, self.states[-1][0])
        np.testing.assert_array_equal(self.decays.scale, self.states[-1][1])


@settings(max_examples=60)
@given(seeds, kinds, words_, st.integers(1, 60))
def test_there_and_back_bit_for_bit(
    seed: int, kind: tuple[str, str], words: int, steps: int
) -> None:
    walk = Walk(seed, kind, words, steps)
    walk.forth(steps)
    assert walk.decays.count == steps
    assert not walk.decays.is_empty()
    walk.back(steps // 2)
    walk.forth(steps)
    walk.back(0)
    assert walk.decays.is_empty()
    with pytest.raises(ReversalError, match="left to undo; call undo once for each"):
        walk.decays.undo(walk.slot)


@pytest.mark.parametrize("columns", ["all", "leaf"])
@pytest.mark.parametrize("words", [1, 3])
def test_more_stretches_than_an_anchor_holds(columns: str, words: int) -> None:
    walk = Walk(0, (columns, "middling"), words, 900)
    assert walk.decays.period == 4
    walk.forth(900)  # 225 stretches, 3 anchors
    arrays = walk.decays.export()
    assert arrays["anchors"].size == 900 // walk.decays.period // _GROUP * COLUMNS[columns]
    walk.back(400)
    walk.forth(900)
    for name, array in walk.decays.export().items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    walk.back(0)
    assert walk.decays.is_empty()
    assert walk.decays.spilled_bytes == 0


@settings(max_examples=40)
@given(seeds, kinds, words_, st.integers(1, 80))
def test_scale_times_integers_is_the_real_product(
    seed: int, kind: tuple[str, str], words: int, steps: int
) -> None:
    """Within two units if decays are put off; within the sum of the numerators if they are not."""
    walk = Walk(seed, kind, words, steps)
    decays, factors = walk.decays, walk.factors
    repeats = {1: SIZE, len(LAYOUT): LAYOUT.sizes}.get(factors.shape[1], 1)
    wanted = [Fraction(c) for c in whole(walk.slot)]
    for t in range(steps):
        decays.decay(walk.slot)
        each = np.repeat(decays.applied(factors[t]), repeats).tolist()
        wanted = [c * Fraction(f) for c, f in zip(wanted, each, strict=True)]
        scale = np.repeat(decays.scale, {1: SIZE, len(LAYOUT): LAYOUT.sizes}[decays.scale.size])
        unit = 2.0 if not decays.at_once else 2.0**16 * (t + 1)
        for c, s, real in zip(whole(walk.slot), scale.tolist(), wanted, strict=True):
            rounding = abs(real) * Fraction(2 * (t + 1), 2**52)
            assert abs(c * Fraction(s) - real) <= Fraction(unit) + rounding
    assert (decays.scale > 0.25).all()
    if not decays.at_once:
        np.testing.assert_array_equal(decays.applied(factors[0]), factors[0])


@settings(max_examples=40)
@given(seeds, kinds, words_, st.integers(0, 40), st.integers(0, 40))
def test_keep_can_be_switched(
    seed: int, kind: tuple[str, str], words: int, on: int, more: int
) -> None:
    whole_walk, walk = Walk(seed, kind, words, 90), Walk(seed, kind, words, 90)
    whole_walk.forth(90)
    walk.decays.keep = False
    walk.forth(on)
    assert walk.decays.spilled_bytes == 0
    with pytest.raises(NotReversibleError, match="set keep before what is to be undone"):
        walk.decays.undo(walk.slot)
    walk.decays.keep = True
    walk.forth(on + more // 2)
    walk.decays.keep = True  # as it is: nothing is forgotten
    walk.forth(on + more)
    walk.back(on)
    assert walk.decays.is_empty()
    with pytest.raises(ReversalError, match="left to undo; call undo once for each"):
        walk.decays.undo(walk.slot)
    walk.forth(on + more)
    walk.decays.keep = False
    assert walk.decays.is_empty()
    walk.forth(90)
    for (slot, scale), (same, alike) in zip(walk.states, whole_walk.states, strict=True):
        np.testing.assert_array_equal(slot, same)
        np.testing.assert_array_equal(scale, alike)


@settings(max_examples=40)
@given(seeds, kinds, words_, st.integers(0, 60), st.integers(0, 60))
def test_snapshot_and_restore(
    seed: int, kind: tuple[str, str], words: int, at: int, more: int
) -> None:
    walk = Walk(seed, kind, words, 150)
    walk.forth(at)
    snapshot, slot = walk.decays.snapshot(), walk.slot.copy()
    states = list(walk.states)
    walk.forth(at + more)
    end = walk.slot.copy()
    walk.decays.restore(snapshot)
    walk.slot[...], walk.states = slot, states
    walk.forth(at + more)
    np.testing.assert_array_equal(walk.slot, end)
    walk.back(at)
    assert walk.decays.is_empty()
    with pytest.raises(ReversalError, match="left to undo; call undo once for each"):
        walk.decays.undo(walk.slot)


@settings(max_examples=40)
@given(seeds, kinds, words_, st.integers(0, 30), st.integers(0, 300))
def test_what_is_exported_can_be_undone_elsewhere(
    seed: int, kind: tuple[str, str], words: int, first: int, more: int
) -> None:
    walk = Walk(seed, kind, words, 400)
    walk.forth(first)
    walk.decays.restore(walk.decays.snapshot())
    walk.forth(first + more)
    arrays = walk.decays.export()
    kept = {name: array.copy() for name, array in arrays.items()}
    there = decays_of(walk.factors, words)
    there.load(arrays)
    assert (there.nbytes, there.spilled_bytes) == (walk.decays.nbytes, walk.decays.spilled_bytes)
    walk.decays = there
    walk.back(first)
    assert there.is_empty()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, kept[name])


def test_standing_elsewhere_starts_a_tape_of_its_own() -> None:
    walk = Walk(3, ("leaf", "middling"), 1, 100)
    walk.decays.stand_after(51)
    assert walk.decays.period == 4
    put_off = walk.factors[48] * walk.factors[49] * walk.factors[50]
    np.testing.assert_array_equal(walk.decays.scale, put_off)
    assert walk.decays.is_empty()
    slot = walk.slot.copy()
    for _ in range(9):
        walk.decays.decay(walk.slot)
    for _ in range(9):
        walk.decays.undo(walk.slot)
    np.testing.assert_array_equal(walk.slot, slot)
    assert walk.decays.is_empty()


@pytest.mark.parametrize("columns", ["all", "leaf"])
@pytest.mark.parametrize("wrong", [0, 1, 2, 9, 99, 150, 398, 399, 400])
def test_another_factor_on_the_way_back_is_noticed(columns: str, wrong: int) -> None:
    walk = Walk(5, (columns, "middling"), 1, 401)
    walk.forth(401)
    walk.factors[wrong, -1] *= 1 + 1e-13
    with pytest.raises(ReversalError, match="factors of the decays are not those of the forward"):
        walk.back(0)
    assert walk.decays.count >= wrong


@pytest.mark.parametrize("power", [2.0**-32, 0.5, 2.0])
@pytest.mark.parametrize("stretch", [0, 3])
def test_a_kept_scale_that_has_changed_by_halvings_is_noticed(stretch: int, power: float) -> None:
    """The scale after the stretch is the same, once its own halvings are taken out."""
    walk = Walk(3, ("all", "middling"), 1, 40)
    walk.forth(40)
    walk.decays._starts[stretch] *= power
    with pytest.raises(ReversalError, match="a scale that was kept has changed"):
        walk.back(0)


def test_a_state_of_a_run_with_other_factors_is_refused() -> None:
    walk = Walk(5, ("all", "middling"), 1, 40)
    walk.forth(31)
    snapshot = walk.decays.snapshot()
    walk.factors[30] *= 0.9
    with pytest.raises(ReversalError, match="factors of the decays are not those of the forward"):
        walk.decays.restore(snapshot)
    with pytest.raises(ArgumentError, match="decays of a slot lack 'start'; give what snapshot"):
        walk.decays.restore({})
    with pytest.raises(ArgumentError, match=r"'start' has shape \(1,\), .* needs \(3,\)"):
        Walk(5, ("leaf", "middling"), 1, 40).decays.restore(snapshot)
    with pytest.raises(ArgumentError, match="decays of a slot lack 'starts'; give what snapshot"):
        walk.decays.load(snapshot)


def test_a_count_of_another_run_is_refused() -> None:
    walk = Walk(5, ("all", "middling"), 1, 40)
    walk.forth(31)
    snapshot = {**walk.decays.snapshot(), "decays": np.array(95)}
    with pytest.raises(ReversalError, match="the run has no decay of that number; give a state of"):
        walk.decays.restore(snapshot)
    walk.decays.count ^= 64
    for act in (walk.decays.decay, walk.decays.undo):
        with pytest.raises(ReversalError, match="the run has no decay of that number"):
            act(walk.slot)


def constant(factor: float) -> Callable[[int], Floats]:
    factors = np.array([factor])
    return lambda j: factors


@pytest.mark.parametrize("words", [1, 2])
@pytest.mark.parametrize(
    ("factor", "steps"), [(0.5, 4_000), (0.9, 12_000), (0.99, 40_000), (0.999, 60_000)]
)
def test_bits(factor: float, steps: int, words: int) -> None:
    """The digits and the tape hold log2(1/f) bits a step, to a spill of 16 and a halving."""
    layout = Layout([(3,)])
    decays = Decays(layout, words, constant(factor), factor)
    slot = FixedPoint(40).zeros(3) if words == 1 else FixedPoint(70, words).zeros(3)
    for _ in range(steps):
        decays.decay(slot)
        np.atleast_2d(slot)[0] += 12345
    ideal = -steps * math.log2(factor)
    arrays = decays.export()
    bits = 8 * decays.buffer.spilled_bytes / layout.size
    assert ideal - 33 <= bits <= ideal + 1
    fixed = np.log2(float(arrays["bounds"][0]) + 1)
    assert abs(bits + fixed - ideal) <= 2 + 1e-3 * ideal
    assert len(arrays["anchors"]) == (0 if decays.at_once else steps // decays.period // _GROUP)
    assert decays.spilled_bytes == decays.buffer.spilled_bytes + 8 * len(arrays["anchors"])


@pytest.mark.parametrize(
    ("smallest", "columns", "wanted"),
    [(0.0, 1, 1), (0.49, 1, 1), (0.9, 3, 13), (0.9, SIZE, 1), (1.0, 1, 64), (0.99999, 3, 64)],
)
def test_period(smallest: float, columns: int, wanted: int) -> None:
    assert period(smallest, columns, LAYOUT) == wanted


def test_ones_change_nothing_and_cost_nothing() -> None:
    decays, slot = Decays(LAYOUT, 1, constant(1.0), 1.0), np.arange(SIZE)
    assert {decays.decay(slot) for _ in range(64)} == {1.0}
    assert (slot.tolist(), decays.spilled_bytes) == (list(range(SIZE)), 0)
    assert (decays.scale.tolist(), decays.buffer.multiplications) == ([1.0], 0)
