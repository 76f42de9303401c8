"""Longer and shorter axes: where other libraries are silently wrong, special points, errors."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError


@pytest.mark.parametrize("repeats", [2, [2, 1, 3]])
@pytest.mark.parametrize("axis", [1, -2])
def test_repeat_along_a_negative_axis(repeats, axis):
    x = np.arange(24.0).reshape(2, 3, 4)
    weights = np.repeat(x, repeats, axis) ** 2
    found = rg.grad(lambda x: np.sum(np.repeat(x, repeats, axis) * weights))(x)
    np.testing.assert_array_equal(found, x**2 * np.reshape(repeats, (-1, 1)))


def test_repeating_zero_times():
    x = np.ones((2, 3))
    for axis in (None, 0, -1):
        found = rg.grad(lambda x, axis=axis: np.sum(np.repeat(x, 0, axis)))(x)
        np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_resize_fills_with_zeros_from_nothing():
    found = rg.grad(lambda x: np.sum(np.resize(x, (2, 3))) + np.sum(x))(np.ones(0))
    assert found.shape == (0,)
    with pytest.raises(ArgumentError, match=r"resize: new_shape=\(-1, 2\)"):
        rg.grad(lambda x: np.sum(np.resize(x, (-1, 2))))(np.ones(2))


@pytest.mark.parametrize(
    ("trim", "gradient"), [("fb", [1, 2, 3]), ("f", [1, 2, 3]), ("b", [3, 4, 5])]
)
def test_trim_zeros_decides_by_the_values(trim, gradient):
    def f(x):
        trimmed = np.trim_zeros(np.concatenate([np.zeros(2), x, np.zeros(1)]), trim)
        return np.sum(trimmed * np.arange(1.0, 1 + len(trimmed)))

    np.testing.assert_array_equal(rg.grad(f)(np.array([1.0, 0.0, 2.0])), gradient)


def test_trim_zeros_of_zeros_and_unknown_ends():
    assert rg.jvp(np.trim_zeros, (np.zeros(3),), (np.ones(3),))[1].shape == (0,)
    with pytest.raises(ArgumentError, match="trim='x'"):
        rg.grad(lambda x: np.sum(np.trim_zeros(x, "x")))(np.ones(3))


@pytest.mark.parametrize("obj", [9, [0, 9]])
def test_places_outside_of_the_array_are_numpys_error(obj):
    for function in (lambda x: np.delete(x, obj), lambda x: np.insert(x, obj, 1.0)):
        with pytest.raises(IndexError, match="out of bounds"):
            rg.grad(lambda x, function=function: np.sum(function(x)))(np.ones(3))


def test_insert_casts_to_the_dtype_of_the_array():
    def f(x, y):
        result = np.insert(x, 1, y)
        assert result.dtype == np.float32
        return np.sum(result * result)

    found = rg.grad(f, (0, 1))(np.ones(2, np.float32), np.array([0.5, 0.25]))
    assert [g.dtype for g in found] == [np.float32, np.float64]
    np.testing.assert_array_equal(found[1], [1.0, 0.5])
