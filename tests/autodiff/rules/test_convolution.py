"""Convolution and correlation: known answers, and every pair of lengths."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg

MODES = ["full", "same", "valid"]


def _matrix(function, a, v, mode, argnum):
    """The derivative as a matrix, column by column: both functions are bilinear."""
    units = np.eye((a, v)[argnum].size)
    pairs = [(e, v) if argnum == 0 else (a, e) for e in units]
    return np.stack([function(*pair, mode) for pair in pairs], axis=1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", [np.convolve, np.correlate])
@pytest.mark.parametrize(
    "lengths", [(1, 1), (6, 1), (1, 6), (6, 3), (3, 6), (6, 4), (4, 6), (5, 5)]
)
def test_every_pair_of_lengths(function, mode, lengths):
    a, v = (np.random.default_rng(n).normal(size=n) for n in lengths)
    value, pullback = rg.vjp(lambda a, v: function(a, v, mode), a, v)
    np.testing.assert_allclose(value, function(a, v, mode), rtol=1e-12)
    g = np.arange(1.0, 1 + value.size)
    for argnum, found in enumerate(pullback(g)):
        np.testing.assert_allclose(found, g @ _matrix(function, a, v, mode, argnum), atol=1e-12)


@pytest.mark.parametrize("lengths", [(4, 2), (2, 4)])
@pytest.mark.parametrize("mode", MODES)
def test_correlate_conjugates_the_second_vector(mode, lengths):
    a, v = (np.random.default_rng(n).normal(size=(2, n)) @ np.eye(n) for n in lengths)
    a, v = a[0] + 1j * a[1], v[0] + 1j * v[1]
    value, tangent = rg.jvp(lambda v: np.correlate(a, v, mode), (v,), (1j * v,))
    np.testing.assert_allclose(value, np.correlate(a, v, mode))
    np.testing.assert_allclose(tangent, -1j * np.correlate(a, v, mode))


def test_modes_by_number_and_unknown_ones():
    x = np.ones(4)
    for number, mode in enumerate(["valid", "same", "full"]):
        found = rg.grad(lambda x, m=number: np.sum(np.convolve(x, x[:2], m)))(x)
        expected = rg.grad(lambda x, m=mode: np.sum(np.convolve(x, x[:2], m)))(x)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="mode"):
        rg.grad(lambda x: np.sum(np.convolve(x, x, "half")))(x)


def test_empty_vectors_are_numpys_error():
    with pytest.raises(ValueError, match="empty"):
        rg.grad(lambda x: np.sum(np.convolve(x, np.ones(0))))(np.ones(2))
