"""The information buffer: forward then reverse returns every slot and the buffer bit for bit."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from wide_integers import draw_slot, whole

from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice import InformationBuffer, Layout, fingerprint, rational

Integers = NDArray[np.int64]
Factor = tuple[Integers, Integers]

NINE_TENTHS: Factor = (np.array([9]), np.array([10]))
HALF: Factor = (np.array([1]), np.array([2]))

layouts = st.builds(
    lambda shapes, block: Layout(shapes, block=block),
    st.lists(st.sampled_from([(), (1,), (2, 3), (7,), (300,), (20, 20)]), min_size=1, max_size=5),
    st.sampled_from([5, 64, 600, 32768]),
)
seeds = st.integers(0, 2**32 - 1)


def draw_factor(rng: np.random.Generator, layout: Layout) -> Factor:
    """A factor of any kind and size, exact powers of two and extremes among them."""
    size = (1, len(layout), layout.size)[rng.integers(3)]
    kind = rng.integers(5)
    if kind == 0:
        return rational(np.full(size, rng.choice([0.5, 0.9, 0.99, 0.999])))
    if kind == 1:
        return rational(rng.uniform(0.001, 0.999, size))
    if kind == 2:
        return np.ones(size, np.int64), np.full(size, 2**16)
    if kind == 3:
        return np.ones(size, np.int64), 2 ** rng.integers(0, 17, size)
    denominator = rng.integers(2, 2**16, size, endpoint=True)
    return rng.integers(1, denominator), denominator


def with_zeros(rng: np.random.Generator, factor: Factor) -> Factor:
    """The factor, with 0 in some places."""
    zero = rng.random(factor[0].shape) < rng.choice([0.0, 0.2, 1.0])
    return np.where(zero, 0, factor[0]), np.where(zero, 1, factor[1])


def each(values: Integers, layout: Layout) -> list[int]:
    """One value for each element."""
    repeats = {1: layout.size, len(layout): layout.sizes, layout.size: 1}
    return np.repeat(values, repeats[values.size]).tolist()


def reference(c: int, digits: int, n: int, d: int) -> tuple[int, int]:
    """The four lines, in integers without limits."""
    if n == 0:
        return 0, digits
    digits = digits * d + c % d
    c = c // d
    c = c * n + digits % n
    return c, digits // n


@settings(max_examples=100)
@given(layouts, st.integers(1, 3), seeds, st.integers(1, 40))
def test_there_and_back_bit_for_bit(layout: Layout, words: int, seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    buffer, slot = InformationBuffer(layout, words), draw_slot(rng, layout.size, words)
    states, digits, factors = [], [], []
    for _ in range(steps):
        factors.append(with_zeros(rng, draw_factor(rng, layout)))
        states.append(slot.copy())
        digits.append(buffer.digits.copy())
        assert buffer.multiply(slot, *factors[-1]) is slot
        assert buffer.digits.min() >= 0
        assert buffer.digits.max() < 2**32
    assert buffer.multiplications == steps
    while factors:
        assert buffer.undo(slot, *factors.pop()) is slot
        np.testing.assert_array_equal(slot, states.pop())
        np.testing.assert_array_equal(buffer.digits, digits.pop())
    assert buffer.is_empty()
    assert buffer.spilled_bytes == buffer.multiplications == 0


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 0.9999), min_size=1, max_size=7),
    seeds,
    st.integers(1, 2000),
)
def test_long_runs_with_increments(
    sizes: list[int], factors: list[float], seed: int, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    layout = Layout([(size,) for size in sizes])
    buffer, slot = InformationBuffer(layout), rng.integers(-(2**50), 2**50, layout.size)
    increments = rng.integers(-(2**45), 2**45, (13, layout.size))
    rationals = [rational([factor]) for factor in factors]
    states = []
    for step in range(steps):
        states.append(fingerprint(slot, buffer.digits))
        buffer.multiply(slot, *rationals[step % len(rationals)])
        slot += increments[step % 13]
    for step in reversed(range(steps)):
        slot -= increments[step % 13]
        buffer.undo(slot, *rationals[step % len(rationals)])
        assert fingerprint(slot, buffer.digits) == states[step]
    assert buffer.is_empty()


@given(layouts, st.integers(1, 3), seeds)
def test_equals_the_four_lines_until_the_first_spill(layout: Layout, words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffer, slot = InformationBuffer(layout, words), draw_slot(rng, layout.size, words)
    wanted = [(c, 0) for c in whole(slot)]
    for _ in range(8):
        n, d = with_zeros(rng, draw_factor(rng, layout))
        buffer.multiply(slot, n, d)
        if len(buffer.export()["spill_marks"]):
            return
        factors = zip(each(n, layout), each(d, layout), strict=True)
        wanted = [reference(*state, *nd) for state, nd in zip(wanted, factors, strict=True)]
        assert whole(slot) == [c for c, _ in wanted]
        assert buffer.digits.tolist() == [digits for _, digits in wanted]


@given(layouts, st.integers(1, 3), seeds)
def test_stays_within_n_of_the_product(layout: Layout, words: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffer, slot = InformationBuffer(layout, words), draw_slot(rng, layout.size, words)
    for _ in range(20):
        before = whole(slot)
        n, d = (np.broadcast_to(v, 1) for v in rational([rng.uniform(0.01, 0.99)]))
        buffer.multiply(slot, n, d)
        deviations = [
            after * int(d[0]) - c * int(n[0]) for c, after in zip(before, whole(slot), strict=True)
        ]
        assert max(map(abs, deviations)) < int(n[0]) * int(d[0])


@settings(max_examples=30)
@given(layouts, seeds)
def test_all_kinds_of_factors_do_the_same(layout: Layout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, d = rational(rng.uniform(0.1, 0.99, len(layout)))
    start = draw_slot(rng, layout.size)
    leafwise, elementwise = InformationBuffer(layout), InformationBuffer(layout)
    a, b = start.copy(), start.copy()
    for _ in range(60):
        leafwise.multiply(a, n, d)
        elementwise.multiply(b, np.repeat(n, layout.sizes), np.repeat(d, layout.sizes))
        np.testing.assert_array_equal(a, b)
    assert leafwise.spilled_bytes == elementwise.spilled_bytes
    same = (np.full(len(layout), n[0]), np.full(len(layout), d[0]))
    leafwise.multiply(a, *same)
    elementwise.multiply(b, n[:1], d[:1])
    np.testing.assert_array_equal(a, b)


def test_a_scalar_factor_is_one_for_all() -> None:
    layout = Layout([(3,), (2,)])
    slot = np.arange(5) * 1000
    InformationBuffer(layout).multiply(slot, *rational(0.9))
    np.testing.assert_array_equal(slot, np.arange(5) * 900)


def test_spilling_is_decided_by_the_factors_alone() -> None:
    layout = Layout([(4,), (2,)])
    factors = rational([0.5, 0.9])
    sizes = []
    for slot in (np.zeros(6, np.int64), draw_slot(np.random.default_rng(0), 6)):
        buffer = InformationBuffer(layout)
        sizes.append([])
        for _ in range(500):
            buffer.multiply(slot, *factors)
            sizes[-1].append(buffer.spilled_bytes)
    assert sizes[0] == sizes[1]
    # 32 halvings fill 32 bits; the 33rd makes room for 16, and so does every 16th after it.
    assert sizes[0][:33] == [0] * 32 + [8]
    assert sizes[0][48] - sizes[0][32] == 8


def test_going_back_and_forth_again_repeats_the_run() -> None:
    layout = Layout([(5,), (3,)])
    rng = np.random.default_rng(1)
    factors = [draw_factor(rng, layout) for _ in range(200)]
    buffer, slot = InformationBuffer(layout), draw_slot(rng, 8)
    for factor in factors:
        buffer.multiply(slot, *factor)
    end, digits, spilled = slot.copy(), buffer.digits.copy(), buffer.spilled_bytes
    for factor in factors[:70:-1]:
        buffer.undo(slot, *factor)
    for factor in factors[71:]:
        buffer.multiply(slot, *factor)
    np.testing.assert_array_equal(slot, end)
    np.testing.assert_array_equal(buffer.digits, digits)
    assert buffer.spilled_bytes == spilled > 0


def test_without_keeping_the_forward_run_is_the_same() -> None:
    layout = Layout([(5,), (3,)])
    keeping, dropping = InformationBuffer(layout), InformationBuffer(layout, keep=False)
    a = draw_slot(np.random.default_rng(2), 8)
    b = a.copy()
    for _ in range(100):
        keeping.multiply(a, *HALF)
        dropping.multiply(b, *HALF)
        np.testing.assert_array_equal(a, b)
    assert (keeping.spilled_bytes > 0, dropping.spilled_bytes) == (True, 0)
    with pytest.raises(NotReversibleError, match=r"keep=False .*make it with keep=True"):
        dropping.undo(b, *HALF)


def test_counts_its_bytes() -> None:
    buffer = InformationBuffer(Layout([(5,), (3,)]))
    slot = np.full(8, 2**60)
    assert (buffer.spilled_bytes, buffer.fixed_bytes, buffer.nbytes) == (0, 64, 64)
    assert buffer.is_empty()
    for _ in range(33):
        buffer.multiply(slot, *HALF)
    # One spill of both leaves: two bytes per element, and its mark.
    assert (buffer.spilled_bytes, buffer.fixed_bytes, buffer.nbytes) == (16, 64, 16 + 64 + 16)
    assert not buffer.is_empty()


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize(
    ("beta", "steps"), [(0.5, 600), (0.9, 3_000), (0.99, 8_000), (0.999, 40_000)]
)
def test_bits_per_element_and_step(beta: float, steps: int, words: int) -> None:
    buffer = InformationBuffer(Layout([(2,)]), words)
    slot = draw_slot(np.random.default_rng(0), 2, words)
    factor = rational([beta])
    spills: list[tuple[int, int]] = []
    for step in range(steps):
        buffer.multiply(slot, *factor)
        if buffer.spilled_bytes > 4 * len(spills):
            spills.append((step, buffer.spilled_bytes))
    # Spills come every `period` steps or one later, so the ends of the run are uncertain by one.
    (first, start), (last, stop) = spills[0], spills[-1]
    bits = 8 * (stop - start) / 2 / (last - first)
    assert abs(bits / -log2(beta) - 1) < 0.001 + 1 / (last - first)


def test_the_whole_tape_is_two_hundred_times_smaller() -> None:
    steps, layout = 10_000, Layout([(300,), (400,)])
    buffer, slot = InformationBuffer(layout), draw_slot(np.random.default_rng(3), 700)
    start = slot.copy()
    for _ in range(steps):
        buffer.multiply(slot, *NINE_TENTHS)
    assert 8 * buffer.nbytes * 200 <= 32 * layout.size * steps
    for _ in range(steps):
        buffer.undo(slot, *NINE_TENTHS)
    np.testing.assert_array_equal(slot, start)
    assert buffer.is_empty()


@pytest.mark.parametrize("words", [1, 2, 3])
def test_a_factor_of_zero_costs_the_words_and_leaves_the_digits(words: int) -> None:
    layout = Layout([(4,), (3,)])
    buffer, slot = InformationBuffer(layout, words), draw_slot(np.random.default_rng(4), 7, words)
    buffer.multiply(slot, *NINE_TENTHS)
    before, digits = slot.copy(), buffer.digits.copy()
    buffer.multiply(slot, *rational([0.9, 0.0]))
    assert not slot[..., 4:].any()
    np.testing.assert_array_equal(buffer.digits[4:], digits[4:])
    assert buffer.spilled_bytes == 3 * (8 + 6 * (words - 1))
    buffer.undo(slot, *rational([0.9, 0.0]))
    np.testing.assert_array_equal(slot, before)
    np.testing.assert_array_equal(buffer.digits, digits)


def test_undoing_a_factor_of_zero_needs_the_slot_that_it_left() -> None:
    buffer, slot = InformationBuffer(Layout([(4,)])), np.arange(4)
    buffer.multiply(slot, *rational([0.0]))
    slot[2] = 1
    with pytest.raises(ReversalError, match="not 0 where its multiplication by 0 is undone"):
        buffer.undo(slot, *rational([0.0]))


def run(buffer: InformationBuffer, slot: Integers, factors: list[Factor]) -> None:
    for factor in factors:
        buffer.multiply(slot, *factor)


def draw_run(seed: int, words: int = 1) -> tuple[InformationBuffer, Integers, list[Factor]]:
    layout, rng = Layout([(5,), (3,), ()]), np.random.default_rng(seed)
    factors = [with_zeros(rng, draw_factor(rng, layout)) for _ in range(40)]
    return InformationBuffer(layout, words), draw_slot(rng, layout.size, words), factors


@settings(max_examples=40)
@given(seeds, st.integers(1, 3), st.integers(0, 40))
def test_restore_repeats_the_run_and_undo_comes_back_to_it(
    seed: int, words: int, where: int
) -> None:
    buffer, slot, factors = draw_run(seed, words)
    run(buffer, slot, factors[:where])
    snapshot, middle = buffer.snapshot(), slot.copy()
    run(buffer, slot, factors[where:])
    end = buffer.snapshot()
    for keeper in (buffer, InformationBuffer(buffer.layout, words)):
        again = middle.copy()
        keeper.restore(snapshot)
        assert keeper.is_empty()
        assert keeper.spilled_bytes == 0
        run(keeper, again, factors[where:])
        np.testing.assert_array_equal(again, slot)
        for name, array in keeper.snapshot().items():
            np.testing.assert_array_equal(array, end[name])
        for factor in reversed(factors[where:]):
            assert not keeper.is_empty()
            keeper.undo(again, *factor)
        np.testing.assert_array_equal(again, middle)
        assert keeper.is_empty()
        with pytest.raises(ReversalError, match="no multiplication left to undo"):
            keeper.undo(again, *HALF)


@settings(max_examples=40)
@given(seeds, st.integers(1, 3), st.integers(0, 20), st.integers(20, 40))
def test_load_goes_on_where_export_was(seed: int, words: int, start: int, stop: int) -> None:
    buffer, slot, factors = draw_run(seed, words)
    run(buffer, slot, factors[:start])
    buffer.restore(buffer.snapshot())
    before = slot.copy()
    run(buffer, slot, factors[start:stop])
    other = InformationBuffer(buffer.layout, words)
    other.load(buffer.export())
    assert (other.nbytes, other.spilled_bytes) == (buffer.nbytes, buffer.spilled_bytes)
    for factor in reversed(factors[start:stop]):
        assert not other.is_empty()
        other.undo(slot, *factor)
    np.testing.assert_array_equal(slot, before)
    assert other.is_empty()
    assert other.multiplications == start


def test_exports_are_copies() -> None:
    buffer, slot, factors = draw_run(5)
    run(buffer, slot, factors)
    exported = buffer.export()
    kept = {name: array.copy() for name, array in exported.items()}
    for factor in reversed(factors):
        buffer.undo(slot, *factor)
    for name, array in exported.items():
        np.testing.assert_array_equal(array, kept[name])


@settings(max_examples=40)
@given(seeds, st.integers(0, 20), st.integers(20, 40))
def test_keep_can_be_switched(seed: int, on: int, off: int) -> None:
    buffer, slot, factors = draw_run(seed)
    other, same, _ = draw_run(seed)
    run(other, same, factors)
    buffer.keep = False
    run(buffer, slot, factors[:on])
    assert (buffer.spilled_bytes, buffer.is_empty()) == (0, True)
    buffer.keep = True
    before = slot.copy()
    run(buffer, slot, factors[on:off])
    for factor in reversed(factors[on:off]):
        buffer.undo(slot, *factor)
    np.testing.assert_array_equal(slot, before)
    assert buffer.is_empty()
    if on:
        with pytest.raises(ReversalError, match="no multiplication left to undo"):
            buffer.undo(slot, *HALF)
    run(buffer, slot, factors[on:off])
    buffer.keep = False
    assert buffer.spilled_bytes == 0
    run(buffer, slot, factors[off:])
    np.testing.assert_array_equal(slot, same)
    np.testing.assert_array_equal(buffer.digits, other.digits)


def test_neighbours_with_one_bound_spill_as_one() -> None:
    layout = Layout([(2,)] * 6)
    buffer, slot = InformationBuffer(layout), np.full(12, 2**60)
    factors = rational([0.5, 0.5, 0.25, 0.25, 0.25, 0.5])
    for _ in range(17):
        buffer.multiply(slot, *factors)
    # Sixteen quarters fill 32 bits: only the three leaves in the middle have spilled, together.
    assert (buffer.spilled_bytes, len(buffer.export()["spill_marks"])) == (12, 2)
    for _ in range(17):
        buffer.undo(slot, *factors)
    assert slot.tolist() == [2**60] * 12
    assert buffer.is_empty()


def test_what_is_no_state_of_this_buffer_is_refused() -> None:
    buffer = InformationBuffer(Layout([(2,), (3,)]))
    other = InformationBuffer(Layout([(2,), (4,)]))
    with pytest.raises(
        ArgumentError, match=r"'digits' has shape \(6,\), and .* needs \(5,\); give"
    ):
        buffer.restore(other.snapshot())
    with pytest.raises(ArgumentError, match="buffer lack 'spill_words'; give what snapshot"):
        buffer.load(buffer.snapshot())
    with pytest.raises(ArgumentError, match="words is 5; give 1, 2 or 3"):
        InformationBuffer(buffer.layout, 5)


def test_undo_needs_a_multiplication() -> None:
    with pytest.raises(ReversalError, match="no multiplication left to undo; call undo once"):
        InformationBuffer(Layout([(2,)])).undo(np.zeros(2, np.int64), *HALF)


def test_other_factors_on_the_way_back_are_noticed_at_the_start() -> None:
    buffer, slot = InformationBuffer(Layout([(2,)])), np.array([2**40, 3])
    for _ in range(10):
        buffer.multiply(slot, *HALF)
    for _ in range(9):
        buffer.undo(slot, *NINE_TENTHS)
    with pytest.raises(ReversalError, match=r"back at step 0, .*same numerators and denominators"):
        buffer.undo(slot, *NINE_TENTHS)


@pytest.mark.parametrize(
    ("slot", "n", "d", "message"),
    [
        (np.zeros(5), [1], [2], "integers is float64; give a NumPy array of int64"),
        ([0] * 5, [1], [2], "integers is list; give a NumPy array of int64"),
        (np.zeros(4, int), [1], [2], r"integers has shape \(4,\); .* shape \(5,\)"),
        (np.zeros(5, int), [0.5], [2], "numerator is float64; give a NumPy array of int64"),
        (np.zeros(5, int), [1], [2.0], "denominator is float64; give a NumPy array of int64"),
        (np.zeros(5, int), [1] * 3, [2] * 3, r"numerator has shape \(3,\).*\(2,\) per leaf"),
        (np.zeros(5, int), [1] * 2, [2], r"denominator \(1,\); give both shape"),
        (np.zeros(5, int), [[1]], [[2]], r"numerator has shape \(1, 1\)"),
        (
            np.zeros(5, int),
            [1, 2],
            [2, 2],
            r"factor is 2/2 \(entry 1\); .* n < d <= 65536, or 0/1",
        ),
        (np.zeros(5, int), [0], [2], r"factor is 0/2 \(entry 0\)"),
        (np.zeros(5, int), [-1], [1], r"factor is -1/1 \(entry 0\)"),
        (np.zeros((2, 5), int), [1], [2], r"integers has shape \(2, 5\); .* shape \(5,\)"),
        (np.zeros(5, int), [1], [2**16 + 1], r"factor is 1/65537 \(entry 0\)"),
    ],
)
def test_refusals_change_nothing(slot: object, n: list, d: list, message: str) -> None:
    buffer = InformationBuffer(Layout([(2,), (3,)]))
    with pytest.raises(ArgumentError, match=message):
        buffer.multiply(slot, np.array(n), np.array(d))  # type: ignore[arg-type]
    assert buffer.multiplications == 0
    assert buffer.is_empty()
