"""Integer-array indices as places in the flat array: the same elements, errors and derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.places import places_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 9))
# More than the few elements for which NumPy's own way is taken.
ROWS, COLUMNS = RNG.integers(0, 7, 100), RNG.integers(0, 9, 100)
WEIGHTS = RNG.normal(size=100)


def _expected() -> Any:
    expected = np.zeros_like(X)
    np.add.at(expected, (ROWS, COLUMNS), WEIGHTS)
    return expected


def test_places_are_those_of_the_flat_array() -> None:
    places = places_of((ROWS, COLUMNS), X)
    assert places is not None
    assert not places.flags.writeable
    np.testing.assert_array_equal(X.ravel()[places], X[ROWS, COLUMNS])


@pytest.mark.parametrize(
    "index",
    [
        (ROWS - 7, COLUMNS),
        (ROWS, COLUMNS + 1),
        (ROWS,),
        (ROWS, 1),
        (ROWS, slice(None)),
        (ROWS, COLUMNS.astype(np.int32)),
        (ROWS, COLUMNS[:1]),
        (ROWS[:3], COLUMNS[:3]),
        (ROWS[:0], COLUMNS[:0]),
    ],
    ids=lambda index: f"{len(index)} parts",
)
def test_other_indices_are_left_to_numpy(index: Any) -> None:
    assert places_of(index, X) is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_reading_with_repeats(order: Any) -> None:
    x = np.array(X, order=order)
    value, gradient = rg.value_and_grad(lambda x: np.sum(x[ROWS, COLUMNS] * WEIGHTS))(x)
    assert value == np.sum(X[ROWS, COLUMNS] * WEIGHTS)
    np.testing.assert_allclose(gradient, _expected(), rtol=1e-14)


def test_cotangents_of_several_readings_add_up() -> None:
    def f(x: Any) -> Any:
        return np.sum(x[ROWS, COLUMNS] * WEIGHTS) + np.sum(x[COLUMNS % 7, ROWS]) + x[0, 0]

    gradient = rg.grad(f)(X)
    expected = _expected()
    np.add.at(expected, (COLUMNS % 7, ROWS), 1.0)
    expected[0, 0] += 1.0
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_the_index_may_change_afterwards() -> None:
    def f(x: Any) -> Any:
        rows = ROWS.copy()
        read = x[rows, COLUMNS]
        rows[:] = 0
        return np.sum(read * WEIGHTS)

    np.testing.assert_allclose(rg.grad(f)(X), _expected(), rtol=1e-14)


def test_out_of_bounds_is_numpys_error() -> None:
    with pytest.raises(IndexError, match="out of bounds for axis 1"):
        rg.grad(lambda x: np.sum(x[ROWS, COLUMNS + 1]))(X)


def test_second_derivatives_and_jacobians() -> None:
    def f(x: Any) -> Any:
        return np.sum(x[ROWS, COLUMNS] ** 3 * WEIGHTS) / 6

    direction = RNG.normal(size=X.shape)
    expected = _expected() * X * direction
    np.testing.assert_allclose(rg.hvp(f)(X, direction), expected, rtol=1e-12)
    pulled = rg.grad(lambda x: np.sum(rg.grad(f)(x) * direction))(X)
    np.testing.assert_allclose(pulled, expected, rtol=1e-12)
    jacobian = rg.jacobian(lambda x: x[ROWS, COLUMNS])(X)
    chosen = np.zeros((100, 7, 9))
    chosen[np.arange(100), ROWS, COLUMNS] = 1.0
    np.testing.assert_array_equal(jacobian, chosen)
    result, tangent = rg.jvp(lambda x: x[ROWS, COLUMNS], (X,), (direction,))
    np.testing.assert_array_equal(result, X[ROWS, COLUMNS])
    np.testing.assert_array_equal(tangent, direction[ROWS, COLUMNS])


def test_float32_stays() -> None:
    gradient = rg.grad(lambda x: np.sum(x[ROWS, COLUMNS]))(X.astype(np.float32))
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("index", [X > 0, 2, (2, 3), (slice(1, 5), 3), ..., (ROWS, 1), ([1, 1], 0)])
def test_a_second_cotangent_is_added_in_place(index: Any) -> None:
    gradient = rg.grad(lambda x: np.sum(x * x) / 2 + 3 * np.sum(x[index]) + np.sum(x[index]))(X)
    expected = X.copy()
    np.add.at(expected, index, 4.0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-13)
