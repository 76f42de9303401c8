"""Convolutions along some axes, filters with a state, empty arrays, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from retrograd import grad, value_of
from retrograd.errors import MissingRuleError
from retrograd.scipy import signal
from retrograd.testing import check_grads

IMAGES = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
FILTERS = np.random.default_rng(1).normal(size=(3, 2, 2, 3))


def traced_value(f, x):
    kept = []

    def total(x):
        kept.append(value_of(f(x)))
        return 0.0 * np.sum(np.real(x))

    grad(total)(x)
    return kept[0]


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolution_along_some_axes_summed_over_others(mode: str) -> None:
    # images (batch, channel, height, width) with filters (channel, new channel, height, width)
    def layer(images, filters):
        axes, dotted = ([2, 3], [2, 3]), ([1], [0])
        return signal.convolve(images, filters, axes=axes, dot_axes=dotted, mode=mode)

    def one(image, k):
        return sum(scipy.signal.convolve(image[c], FILTERS[c, k], mode) for c in range(3))

    expected = np.stack([[one(image, k) for k in (0, 1)] for image in IMAGES])
    np.testing.assert_allclose(layer(IMAGES, FILTERS), expected, atol=1e-13)
    np.testing.assert_allclose(
        traced_value(lambda x: layer(x, FILTERS), IMAGES), expected, atol=1e-13
    )
    check_grads(layer, IMAGES, FILTERS, directions=1)


def test_empty_arrays_give_empty_results() -> None:
    assert grad(lambda x: np.sum(x) + np.sum(signal.convolve(np.zeros(0), x)))(
        np.ones(2)
    ).shape == (2,)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_stays(dtype: type) -> None:
    x = np.ones(5, dtype)
    for f in (signal.convolve, signal.correlate, signal.fftconvolve):
        value = traced_value(lambda x, f=f: f(x, np.ones(2, dtype)), x)
        assert value.dtype == dtype


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="convolve: in1 has 1 dimensions and in2 2"):
        grad(lambda x: np.sum(signal.convolve(x, np.ones((2, 2)))))(np.ones(3))
    with pytest.raises(ValueError, match="mode='valid' needs one array"):
        grad(lambda x: np.sum(signal.convolve(x, np.ones((1, 3)), "valid")))(np.ones((2, 2)))
    with pytest.raises(ValueError, match="mode='some'"):
        grad(lambda x: np.sum(signal.convolve(x, np.ones(2), "some")))(np.ones(2))


def test_a_filter_in_two_pieces_is_the_filter_in_one() -> None:
    b, a, x = np.array([0.3, 0.5, 0.1]), np.array([1.0, 0.4]), IMAGES[0, 0, 0]

    def in_pieces(b, a, x):
        first, state = signal.lfilter(b, a, x[:2], zi=np.zeros(2))
        second, _ = signal.lfilter(b, a, x[2:], zi=state)
        return np.concatenate([first, second])

    for argnum in range(3):
        whole = grad(lambda *p: np.sum(signal.lfilter(*p) ** 2), argnum)(b, a, x)
        parts = grad(lambda *p: np.sum(in_pieces(*p) ** 2), argnum)(b, a, x)
        np.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_sections_of_a_filter_are_differentiated_in_their_coefficients() -> None:
    free = np.array([0.3, 0.5, 0.1, 0.4, 0.1])

    def filtered(free):
        sections = np.concatenate([free[:3], np.ones(1), free[3:]]).reshape(1, 6)
        return signal.sosfilt(sections, np.array([1.0, -0.3, 0.7, 0.2]))

    check_grads(filtered, free)
    with pytest.raises(MissingRuleError, match="sosfilt: no derivative rule covers zi="):
        grad(lambda x: np.sum(signal.sosfilt(np.ones((1, 6)), x, zi=np.zeros((1, 2)))))(np.ones(3))


def test_a_state_of_the_wrong_length_is_named() -> None:
    with pytest.raises(ValueError, match="lfilter: zi has length 3"):
        grad(lambda x: np.sum(signal.lfilter([1.0, 2.0], [1.0], x, zi=np.ones(3))[0]))(np.ones(4))
