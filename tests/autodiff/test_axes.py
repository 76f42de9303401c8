from __future__ import annotations

import numpy as np
import pytest

from retrograd.autodiff.axes import along, along_axis, checked_axes, in_front, is_kept, on_axis

X = np.arange(24.0).reshape(2, 3, 4)


def test_checked_axes_are_not_negative_and_within_the_array() -> None:
    assert checked_axes(None, 3) == (0, 1, 2)
    assert checked_axes(-1, 3) == (2,)
    assert checked_axes((2, -3), 3) == (2, 0)
    with pytest.raises(np.exceptions.AxisError, match="out of bounds"):
        checked_axes(3, 3)


def test_axes_stay_only_where_that_is_asked() -> None:
    assert is_kept(True)
    assert not is_kept(False)
    assert not is_kept(np._NoValue)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_indices_along_one_axis(axis: int) -> None:
    np.testing.assert_array_equal(X[along(axis, [1, 0])], np.take(X, [1, 0], axis))
    places = np.argsort(-X, axis)
    np.testing.assert_array_equal(
        X[along_axis(X, places, axis - 3)], np.take_along_axis(X, places, axis)
    )


def test_a_vector_on_an_axis_broadcasts_along_the_others() -> None:
    assert on_axis(np.arange(3), 3, 1).shape == (1, 3, 1)
    assert on_axis(np.arange(4), 3, -1).shape == (1, 1, 4)


@pytest.mark.parametrize(
    ("axes", "shape"), [((2,), (4, 2, 3)), ((2, 0), (8, 3)), ((), (1, 2, 3, 4))]
)
def test_axes_in_front_are_one(axes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    rows = in_front(X, axes)
    assert rows.shape == shape
    np.testing.assert_array_equal(rows.sum(0), X.sum(axes))


def test_axes_in_front_of_an_empty_array() -> None:
    assert in_front(np.zeros((2, 0, 3)), (0, 2)).shape == (6, 0)
    assert in_front(np.zeros((2, 0, 3)), (1,)).shape == (0, 2, 3)
