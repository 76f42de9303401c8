"""Rational factors: the two versions agree with `fractions.Fraction.limit_denominator`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError
from retrograd.lattice import rational
from retrograd.lattice.factors import LIMIT

# One over the length from which the vector version serves.
MANY = 65

limits = st.sampled_from([2, 3, 7, 1000, 65535, LIMIT]) | st.integers(2, LIMIT)
floats = st.floats(1e-4, 1 - 1e-4)
# Dyadic and decimal numbers, and midpoints between fractions: exact results and exact ties.
dyadic = st.integers(1, 2**20 - 1).map(lambda k: k / 2**20)
decimal = st.integers(1, 9999).map(lambda k: k / 10000)
midpoints = st.integers(2, LIMIT - 1).map(lambda q: (1 / q + 1 / (q + 1)) / 2)


@given(floats | dyadic | decimal | midpoints, limits)
@example(0.5, 2)
@example(0.75, 2)
@example(3 * 2.0**-18, LIMIT)
@example(float.fromhex("0x1.0001p-17"), LIMIT)
def test_equals_limit_denominator(x: float, limit: int) -> None:
    check_against_fraction(x, limit)


@pytest.mark.parametrize("limit", [3, 7, 11, 49, 1000, 54321, LIMIT])
def test_near_ties_are_decided_exactly(limit: int) -> None:
    """Beside 1/(2 limit) a product of floats is 1, but the exact one is not."""
    tie = 0.5 / limit
    for x in (np.nextafter(tie, 0), tie, np.nextafter(tie, 1)):
        check_against_fraction(float(x), limit)
        check_against_fraction(1 - float(x), limit)


def check_against_fraction(x: float, limit: int) -> None:
    wanted = Fraction(x).limit_denominator(limit)
    if wanted in (0, 1):
        with pytest.raises(ArgumentError, match=f"rounds to {wanted} "):
            rational(x, limit)
        with pytest.raises(ArgumentError, match=f"rounds to {wanted} "):
            rational(np.full(MANY, x), limit)
        return
    n, d = rational(x, limit)
    assert (int(n), int(d)) == (wanted.numerator, wanted.denominator)
    n, d = rational(np.full(MANY, x), limit)
    assert set(n.tolist()) == {wanted.numerator}
    assert set(d.tolist()) == {wanted.denominator}


def test_a_vector_of_different_factors() -> None:
    rng = np.random.default_rng(0)
    factors = np.concatenate([rng.uniform(0.001, 0.999, 2000), np.arange(1, 2**10) / 2**10])
    n, d = rational(factors)
    wanted = [Fraction(x).limit_denominator(LIMIT) for x in factors.tolist()]
    assert n.tolist() == [w.numerator for w in wanted]
    assert d.tolist() == [w.denominator for w in wanted]
    few_n, few_d = rational(factors[:64])
    np.testing.assert_array_equal(few_n, n[:64])
    np.testing.assert_array_equal(few_d, d[:64])


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,), (10, 20)])
def test_keeps_the_shape(shape: tuple[int, ...]) -> None:
    n, d = rational(np.full(shape, 0.9))
    assert n.shape == d.shape == shape
    assert n.dtype == d.dtype == np.int64
    assert (n == 9).all()
    assert (d == 10).all()


def test_results_are_not_shared() -> None:
    n, _ = rational([0.9])
    n[0] = 1
    assert rational([0.9])[0] == [9]


def test_the_ends_of_the_range() -> None:
    n, d = rational([1 / LIMIT, 1 - 1 / LIMIT])
    assert (n.tolist(), d.tolist()) == ([1, LIMIT - 1], [LIMIT, LIMIT])


@pytest.mark.parametrize("length", [1, MANY])
def test_zero_is_zero_over_one(length: int) -> None:
    factors = np.full(length + 2, 0.9)
    factors[0], factors[-1] = 0.0, -0.0
    n, d = rational(factors)
    assert n.tolist() == [0, *[9] * length, 0]
    assert d.tolist() == [1, *[10] * length, 1]
    assert [v.tolist() for v in rational(0.0)] == [0, 1]


@pytest.mark.parametrize("length", [1, MANY])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (1.0, r"factor is 1\.0; .*from 0 up to, but not including, 1\. Leave the decay"),
        (-0.5, r"factor is -0\.5; "),
        (1.5, r"factor is 1\.5; "),
        (float("nan"), "factor is nan; "),
        (float("inf"), "factor is inf; "),
        (
            5e-324,
            r"factor is 5e-324, which rounds to 0 .*up to 65536; keep factors above 7\.63e-06",
        ),
        (1e-6, "factor is 1e-06, which rounds to 0 "),
        (7e-6, "factor is 7e-06, which rounds to 0 "),
        (0.999999, r"which rounds to 1 .* keep factors below 1 - 7\.63e-06"),
    ],
)
def test_refuses_what_is_no_decay(x: float, message: str, length: int) -> None:
    factors = np.full(length, 0.5)
    factors[-1] = x
    with pytest.raises(ArgumentError, match=message):
        rational(factors)


@pytest.mark.parametrize("limit", [1, 0, LIMIT + 1])
def test_refuses_other_limits(limit: int) -> None:
    with pytest.raises(ArgumentError, match=f"limit is {limit}; give a .* from 2 to 65536"):
        rational(0.5, limit)


def test_refuses_what_is_not_real() -> None:
    with pytest.raises(ArgumentError, match="factor has dtype complex128; give real numbers"):
        rational(np.array([0.5 + 0j]))
