"""Filters and interpolation: all modes against SciPy, special points, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from retrograd import grad, jacobian, value_of
from retrograd.errors import MissingRuleError
from retrograd.scipy import ndimage
from retrograd.testing import check_grads

IMAGE = np.random.default_rng(0).normal(size=(7, 6))
PLACES = np.random.default_rng(1).uniform(-4.0, 11.0, (2, 40))
MODES = ["nearest", "wrap", "reflect", "mirror", "constant", "grid-wrap", "grid-constant"]


def traced_value(f, x):
    kept = []

    def total(x):
        kept.append(value_of(f(x)))
        return 0.0 * np.sum(np.real(x))

    grad(total)(x)
    return kept[0]


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("mode", MODES)
def test_interpolation_has_scipys_values(order: int, mode: str) -> None:
    for prefilter in (True, False):
        options = {"order": order, "mode": mode, "cval": 0.3, "prefilter": prefilter}
        expected = scipy.ndimage.map_coordinates(IMAGE, PLACES, **options)
        found = traced_value(
            lambda x, options=options: ndimage.map_coordinates(x, PLACES, **options), IMAGE
        )
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("mode", MODES[:5])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (9, 5)])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_filters_have_scipys_values(mode: str, shape: tuple[int, int], name: str) -> None:
    weights = np.random.default_rng(2).normal(size=shape)
    for origin in (0, (0, 1), (-1, 0)):
        options = {"mode": mode, "cval": 0.4, "origin": origin}
        expected = getattr(scipy.ndimage, name)(IMAGE, weights, **options)
        found = traced_value(
            lambda x, options=options: getattr(ndimage, name)(x, weights, **options), IMAGE
        )
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("mode", MODES[:5])
@pytest.mark.parametrize("order", [0, 1, 2, 3, (1, 2)])
def test_bells_have_scipys_values(mode: str, order) -> None:
    options = {"order": order, "mode": mode, "cval": 0.2}
    expected = scipy.ndimage.gaussian_filter(IMAGE, (0.8, 1.3), **options)
    found = traced_value(lambda x: ndimage.gaussian_filter(x, (0.8, 1.3), **options), IMAGE)
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_complex_weights() -> None:
    weights = np.array([0.3 + 0.2j, -0.5j, 1.0])
    for name in ("convolve1d", "correlate1d"):
        expected = getattr(scipy.ndimage, name)(IMAGE, weights)
        found = traced_value(lambda x, name=name: getattr(ndimage, name)(x, weights), IMAGE)
        np.testing.assert_allclose(found, expected)


def test_along_some_axes() -> None:
    expected = scipy.ndimage.gaussian_filter(IMAGE, 0.8, axes=1)
    found = traced_value(lambda x: ndimage.gaussian_filter(x, 0.8, axes=1), IMAGE)
    np.testing.assert_allclose(found, expected)


def test_long_axes_are_filtered_by_their_symmetry() -> None:
    row = np.random.default_rng(3).normal(size=80)
    for mode in ("mirror", "reflect", "grid-wrap"):
        check_grads(lambda x, mode=mode: ndimage.spline_filter1d(x, 3, mode=mode), row, order=1)


def test_outside_of_the_grid_nothing_changes() -> None:
    row = np.array([0.0, 1.0, 4.0, 9.0])
    places = np.array([[-2.0, 0.5, 7.0]])
    for mode in ("constant", "nearest"):
        found = jacobian(lambda p, mode=mode: ndimage.map_coordinates(row, p, order=1, mode=mode))(
            places
        )[:, 0]
        np.testing.assert_allclose(found, np.diag([0.0, 1.0, 0.0]))


def test_order_zero_is_constant_between_points() -> None:
    found = grad(lambda p: np.sum(ndimage.map_coordinates(IMAGE, p, order=0)))(PLACES)
    np.testing.assert_array_equal(found, 0.0)


@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter"])
def test_single_precision_stays(name: str) -> None:
    x = IMAGE.astype(np.float32)
    found = traced_value(lambda x: getattr(ndimage, name)(x, 2), x)
    assert found.dtype == np.float32
    assert grad(lambda x: np.sum(getattr(ndimage, name)(x, 2)))(x).dtype == np.float32


def test_refusals_name_the_cure() -> None:
    with pytest.raises(MissingRuleError, match="an array as output="):
        grad(lambda x: np.sum(ndimage.gaussian_filter(x, 1.0, output=np.zeros((7, 6)))))(IMAGE)
    with pytest.raises(MissingRuleError, match="an input of dtype int64; convert it to float"):
        grad(lambda s: np.sum(ndimage.gaussian_filter(np.eye(3, dtype=np.int64), s)))(1.0)
    with pytest.raises(ValueError, match="mode='round' was given"):
        grad(lambda x: np.sum(ndimage.gaussian_filter(x, 1.0, mode="round")))(IMAGE)
    with pytest.raises(ValueError, match="coordinates of shape"):
        grad(lambda x: np.sum(ndimage.map_coordinates(x, PLACES[:1])))(IMAGE)
