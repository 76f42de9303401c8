"""Fixed point: rounding to the nearest, ranges, and errors that say where."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wide_integers import draw_slot, whole

from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError
from retrograd.lattice import FixedPoint, Layout
from retrograd.lattice.layout import BLOCK
from retrograd.lattice.limbs import LIMB

LONG = BLOCK + 10


@given(st.integers(0, 61), st.lists(st.floats(-1, 1, exclude_min=True, exclude_max=True)))
def test_quantize_rounds_to_the_nearest(radix: int, fractions: list[float]) -> None:
    lattice = FixedPoint(radix)
    x = np.array(fractions, float) * lattice.range
    x = x[np.abs(x) < lattice.range]
    wanted = [round(Fraction(v) * 2**radix) for v in x.tolist()]
    assert lattice.quantize(x).tolist() == wanted


@given(st.integers(0, 61), st.lists(st.integers(-(2**40), 2**40)))
def test_halves_round_to_even(radix: int, halves: list[int]) -> None:
    lattice = FixedPoint(radix)
    x = np.array(halves, float) * (lattice.resolution / 2)
    x = x[np.abs(x) < lattice.range]
    wanted = [round(Fraction(v) * 2**radix) for v in x.tolist()]
    assert lattice.quantize(x).tolist() == wanted


@given(st.integers(0, 61), st.lists(st.integers(-(2**53), 2**53), min_size=1))
def test_value_is_exact_and_quantize_returns(radix: int, numbers: list[int]) -> None:
    lattice = FixedPoint(radix)
    integers = np.array(numbers, np.int64)
    values = lattice.value(integers)
    assert [Fraction(v) for v in values.tolist()] == [Fraction(k, 2**radix) for k in numbers]
    np.testing.assert_array_equal(lattice.quantize(values), integers)


def test_both_ways_of_rounding_agree_at_their_border() -> None:
    lattice = FixedPoint(0)
    x = np.array([2.0**51 - 1.5, 2.0**51 - 0.5, -(2.0**51) + 0.5, 0.5, 1.5, -0.0])
    small = [int(lattice.quantize(x[i : i + 1])[0]) for i in range(len(x))]
    large = lattice.quantize(np.append(x, 2.0**60))[:-1]
    assert small == large.tolist() == [round(v) for v in x.tolist()]


def test_outputs_are_filled() -> None:
    lattice = FixedPoint(10)
    x = np.linspace(-3, 3, LONG)
    integers, values = np.empty(LONG, np.int64), np.empty(LONG)
    assert lattice.quantize(x, integers) is integers
    np.testing.assert_array_equal(integers, np.rint(x * 1024))
    assert lattice.value(integers, values) is values
    np.testing.assert_array_equal(values, integers / 1024)


@pytest.mark.parametrize("x", [np.float32(0.3), 0.3, 3, np.ones((2, 3)), np.arange(4)[::2]])
def test_quantize_takes_any_real_array(x: object) -> None:
    quantized = FixedPoint(20).quantize(x)  # type: ignore[arg-type]
    np.testing.assert_array_equal(quantized, np.rint(np.asarray(x, np.float64) * 2**20))


def test_resolution_and_range() -> None:
    lattice = FixedPoint(44)
    assert lattice.resolution == 2.0**-44
    assert lattice.range == 2.0**18


@pytest.mark.parametrize("radix", [-1, 62, 1.5])
def test_refuses_other_radices(radix: int) -> None:
    with pytest.raises(ArgumentError, match=f"radix is {radix}; give a whole number from 0 to 61"):
        FixedPoint(radix)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("index", [0, 3, LONG - 1])
def test_quantize_refuses_what_is_not_finite(value: float, index: int) -> None:
    x = np.zeros(LONG)
    x[index] = value
    x[-1] = value
    layout = Layout([(3,), (LONG - 3,)], names=["W", "b"])
    place = "W\\[0\\]" if index == 0 else f"b\\[{index - 3}\\]"
    with pytest.raises(
        NonFiniteError, match=rf"slot 'v', {place} at step 12, would be {value};.*Lower the rate"
    ):
        FixedPoint(44).quantize(x, slot="v", step=12, layout=layout)


@pytest.mark.parametrize("value", [2.0**18, -(2.0**18), 1e300, -1e300])
@pytest.mark.parametrize("index", [1, LONG - 1])
def test_quantize_refuses_what_overflows(value: float, index: int) -> None:
    x = np.zeros(LONG)
    x[index] = value
    with pytest.raises(LatticeOverflowError) as caught:
        FixedPoint(44).quantize(x, slot="w", step=3, layout=Layout([(LONG,)], names=["W"]))
    message = str(caught.value)
    assert f"slot 'w', W[{index}] at step 3, would be {value:.6g}" in message
    assert "magnitudes below 262144 at radix 44" in message
    assert "smaller radix" in message


def test_errors_without_context() -> None:
    with pytest.raises(NonFiniteError, match="slot 'value', element 1, would be nan"):
        FixedPoint(4).quantize([0.0, float("nan")])


@given(st.lists(st.tuples(st.integers(-(2**61), 2**61), st.integers(-(2**61) + 1, 2**61 - 1))))
def test_subtract_undoes_add(pairs: list[tuple[int, int]]) -> None:
    integers, increment = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    before, lattice = integers.copy(), FixedPoint(44)
    assert lattice.add(integers, increment) is integers
    assert integers.tolist() == [a + b for a, b in pairs]
    lattice.subtract(integers, increment)
    np.testing.assert_array_equal(integers, before)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("index", [0, LONG - 1])
def test_add_refuses_overflow_and_leaves_the_slot(sign: int, index: int) -> None:
    integers = np.arange(LONG)
    increment = np.ones(LONG, np.int64)
    integers[index], increment[index] = sign * (2**62 - 1), sign * (2**62 - 1)
    before = integers.copy()
    with pytest.raises(
        LatticeOverflowError, match=rf"'w', leaf 0\[{index}\] at step 7, would be -?524288, outside"
    ):
        FixedPoint(44).add(integers, increment, slot="w", step=7, layout=Layout([(LONG,)]))
    np.testing.assert_array_equal(integers, before)


@pytest.mark.parametrize("sign", [1, -1])
def test_add_reaches_exactly_to_the_bound(sign: int) -> None:
    lattice, edge = FixedPoint(0), np.array([sign * (2**62 - 2)])
    assert lattice.add(edge, np.array([sign])).tolist() == [sign * (2**62 - 1)]
    with pytest.raises(LatticeOverflowError):
        lattice.add(edge, np.array([sign]))


def test_refuses_complex_numbers_and_unfit_outputs() -> None:
    lattice = FixedPoint(4)
    with pytest.raises(ArgumentError, match="x has dtype complex128; the lattice holds real"):
        lattice.quantize(np.zeros(2, complex))
    for out in (np.empty(3, np.int64), np.empty(2, np.int32), np.empty(4, np.int64)[::2]):
        with pytest.raises(ArgumentError, match=r"give a contiguous array of int64 and shape \(2,"):
            lattice.quantize(np.zeros(2), out)  # type: ignore[arg-type]


wide = st.sampled_from([2, 3])
LEAST = 5e-324
seeds = st.integers(0, 2**32 - 1)


def most(words: int) -> int:
    """The largest radix."""
    return 61 + LIMB * (words - 1)


@given(wide, st.data())
def test_wide_quantize_rounds_to_the_nearest(words: int, data: st.DataObject) -> None:
    lattice = FixedPoint(data.draw(st.integers(0, most(words))), words)
    floats = st.floats(-lattice.range, lattice.range, exclude_min=True, exclude_max=True)
    x = np.array(data.draw(st.lists(floats, max_size=8)), float)
    x *= data.draw(st.sampled_from([1.0, 2.0**-20, 2.0**-60, lattice.resolution]))
    integers = lattice.quantize(x)
    assert integers.shape == (words, len(x))
    assert whole(integers) == [round(Fraction(v) * 2**lattice.radix) for v in x.tolist()]
    assert ((integers[1:] >= 0) & (integers[1:] < 2**LIMB)).all()


@given(wide, seeds)
def test_wide_values_are_within_a_unit_in_the_last_place(words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = FixedPoint(int(rng.integers(most(words) + 1)), words)
    integers = draw_slot(rng, 20, words)
    for value, integer in zip(lattice.value(integers).tolist(), whole(integers), strict=True):
        exact = Fraction(integer, 2**lattice.radix)
        assert abs(Fraction(value) - exact) < Fraction(np.spacing(abs(value)).item())


@given(wide, st.lists(st.integers(-(2**53), 2**53), min_size=1), seeds)
def test_small_wide_values_are_exact(words: int, numbers: list[int], seed: int) -> None:
    lattice = FixedPoint(int(np.random.default_rng(seed).integers(most(words) + 1)), words)
    integers = lattice.quantize(np.array(numbers) * lattice.resolution)
    assert whole(integers) == numbers
    assert lattice.value(integers).tolist() == [k * lattice.resolution for k in numbers]


def test_every_float_is_met_down_to_the_resolution() -> None:
    """Second moments span twenty orders of magnitude: all their digits are on the lattice."""
    lattice = FixedPoint(96, words=3)
    x = np.array([1e6, 0.1, 1e-7, 1.5e-14, -1e-12])
    np.testing.assert_allclose(lattice.value(lattice.quantize(x)), x, rtol=2.0**-49, atol=0)
    fine = np.array([1.0, -1.0, 2.0**29, -(2.0**-96)])
    np.testing.assert_array_equal(lattice.value(lattice.quantize(fine)), fine)
    assert lattice.quantize(np.array([LEAST, -LEAST])).any() == np.False_


@given(wide, seeds)
def test_wide_subtract_undoes_add(words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = FixedPoint(50, words)
    slot, increment = draw_slot(rng, 20, words), draw_slot(rng, 20, words)
    slot[0] >>= 2
    increment[0] >>= 2
    before, sums = slot.copy(), [a + b for a, b in zip(whole(slot), whole(increment), strict=True)]
    assert lattice.add(slot, increment) is slot
    assert whole(slot) == sums
    lattice.subtract(slot, increment)
    np.testing.assert_array_equal(slot, before)


@pytest.mark.parametrize("words", [2, 3])
def test_long_wide_slots(words: int) -> None:
    lattice = FixedPoint(44 + 26 * (words - 1), words)
    x = np.random.default_rng(words).normal(size=LONG)
    integers, values = np.empty((words, LONG), np.int64), np.empty(LONG)
    assert lattice.quantize(x, integers) is integers
    assert lattice.value(integers, values) is values
    np.testing.assert_allclose(values, x, rtol=0, atol=lattice.resolution)
    twice = integers.copy()
    np.testing.assert_array_equal(lattice.value(lattice.add(twice, integers)), 2 * values)
    np.testing.assert_array_equal(lattice.subtract(twice, integers), integers)


@pytest.mark.parametrize("words", [2, 3])
@pytest.mark.parametrize("index", [0, LONG - 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_wide_add_refuses_overflow_and_leaves_the_slot(words: int, index: int, sign: int) -> None:
    lattice = FixedPoint(LIMB * (words - 1), words)
    slot = lattice.quantize(np.linspace(-5, 5, LONG))
    slot[0, index] = sign * (2**62 - 1)
    increment = lattice.quantize(np.full(LONG, sign * 2.0))
    before = slot.copy()
    place, bound = rf"'w', W\[{index}\] at step 7", r"4\.61169e\+18"
    with pytest.raises(
        LatticeOverflowError, match=f"{place}, would be -?{bound}, outside .* below {bound}"
    ):
        lattice.add(slot, increment, slot="w", step=7, layout=Layout([(LONG,)], names=["W"]))
    np.testing.assert_array_equal(slot, before)


@pytest.mark.parametrize("words", [2, 3])
@pytest.mark.parametrize("value", [2.0**40, -(2.0**40), 1e300])
def test_wide_quantize_refuses_what_overflows(words: int, value: float) -> None:
    lattice = FixedPoint(22 + LIMB * (words - 1), words)
    edge = np.nextafter(np.sign(value) * lattice.range, 0)
    assert lattice.value(lattice.quantize([edge])) == [edge]
    shown = re.escape(f"{value:.6g}")
    with pytest.raises(LatticeOverflowError, match=f"element 1, would be {shown}, .*radix"):
        lattice.quantize([0.0, value])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_wide_quantize_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(NonFiniteError, match=f"element 1, would be {value}"):
        FixedPoint(70, 2).quantize([0.0, value])


def test_shapes_of_wide_integers() -> None:
    lattice = FixedPoint(70, 2)
    assert lattice.range == 2.0**38
    assert lattice.zeros(3, 4).shape == (2, 3, 4)
    assert FixedPoint(7).zeros(3).shape == (3,)
    integers = lattice.quantize(np.ones((3, 4)))
    assert integers.shape == (2, 3, 4)
    np.testing.assert_array_equal(lattice.value(integers), np.ones((3, 4)))
    assert lattice.value(lattice.quantize(0.5)) == 0.5
    with pytest.raises(ArgumentError, match=r"shape \(3, 4\); give 2 words per number"):
        lattice.value(integers[0])
    with pytest.raises(ArgumentError, match=r"contiguous array of int64 and shape \(2, 3, 4\)"):
        lattice.quantize(np.ones((3, 4)), np.empty((3, 4), np.int64))
    with pytest.raises(ArgumentError, match=r"contiguous array of float64 and shape \(3, 4\)"):
        lattice.value(integers, np.empty(12))


@pytest.mark.parametrize(("words", "radix"), [(2, 108), (3, 154), (3, -1)])
def test_refuses_other_wide_radices(words: int, radix: int) -> None:
    with pytest.raises(ArgumentError, match=f"number from 0 to {most(words)}"):
        FixedPoint(radix, words)


@pytest.mark.parametrize("words", [0, 4, 1.5])
def test_refuses_other_numbers_of_words(words: int) -> None:
    with pytest.raises(ArgumentError, match=f"words is {words}; give 1, 2 or 3"):
        FixedPoint(4, words)


@pytest.mark.parametrize("words", [1, 2, 3])
def test_values_meet_their_own_scales_beyond_the_first_chunk(words: int) -> None:
    """Whatever is worked on at once, an element times its scale is what it is alone."""
    lattice = FixedPoint(30, words)
    rng = np.random.default_rng(words)
    integers = lattice.quantize(rng.normal(size=LONG))
    scales = rng.uniform(0.5, 1.0, LONG)
    plain = lattice.value(integers)
    found = lattice.value(integers, scale=scales)
    np.testing.assert_array_equal(found, plain * scales)
    np.testing.assert_array_equal(lattice.value(integers, scale=0.75), plain * 0.75)
