"""Covariances, counts and histograms: the weights, the edges, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd.numpy as rnp
from retrograd import grad, jacobian, jvp, value_of
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads

DATA = np.array([[0.3, 1.0, -0.4, 0.8], [1.1, 0.2, 0.5, -0.7]])
WEIGHTS = np.array([0.5, 1.5, 1.0, 2.0])
A = np.array([0.1, 0.9, 0.4, 2.0])


def test_cov_in_its_weights_alone() -> None:
    check_grads(lambda w: rnp.cov(DATA, aweights=w), WEIGHTS)


def test_cov_of_one_variable_is_its_variance() -> None:
    x = DATA[0]
    np.testing.assert_allclose(grad(np.cov)(x), grad(lambda x: np.var(x, ddof=1))(x))


def test_cov_refuses_traced_frequencies_and_too_few_observations() -> None:
    with pytest.raises(MissingRuleError, match="fweights are whole numbers"):
        grad(lambda w: rnp.sum(rnp.cov(DATA, fweights=w)))(np.ones(4))
    with pytest.raises(ValueError, match="0 degrees of freedom are left"):
        grad(lambda x: np.sum(np.cov(x)))(np.ones((2, 1)))


def test_corrcoef_does_not_change_with_scale() -> None:
    np.testing.assert_allclose(grad(lambda s: np.corrcoef(s * DATA)[0, 1])(2.0), 0.0, atol=1e-15)
    found = grad(lambda x: np.trace(np.corrcoef(x)))(DATA)
    np.testing.assert_allclose(found, 0.0, atol=1e-15)


def test_bincount_refuses_complex_weights_and_other_shapes() -> None:
    with pytest.raises(TypeError, match="bincount: the weights are complex"):
        jacobian(lambda w: np.bincount([0, 1], w * 1j))(np.ones(2))
    with pytest.raises(ValueError, match=r"bincount: the weights have shape \(3,\)"):
        grad(lambda w: np.sum(np.bincount([0, 1], w)))(np.ones(3))


def test_counts_are_locally_constant_and_edges_follow_the_extremes() -> None:
    def edge(a):
        counts, edges = np.histogram(a, 4)
        assert isinstance(counts, np.ndarray)
        return edges[1]

    np.testing.assert_allclose(grad(edge)(A), [0.75, 0.0, 0.0, 0.25])


def test_edges_of_equal_values_move_with_them() -> None:
    found = jacobian(lambda a: np.histogram(a, 2)[1])(np.full(2, 3.0))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_density_moves_with_its_edges() -> None:
    # one bin: the density is 1 over the range
    found = grad(lambda a: np.histogram(a, 1, density=True)[0][0])(np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(found, [0.25, 0.0, -0.25])


def test_given_edges_and_ranges_may_be_traced() -> None:
    check_grads(lambda r: rnp.histogram(A, 3, (r, 2.5), True)[0], 0.05)
    check_grads(lambda e: rnp.histogram(A, e, density=True)[0], np.array([0.0, 0.6, 2.2]))


def test_weights_of_single_precision_stay() -> None:
    w = np.ones(4, np.float32)
    assert jacobian(lambda w: np.histogram(A, 2, weights=w)[0])(w).dtype == np.float32


def test_values_outside_count_nowhere() -> None:
    found = grad(lambda w: np.sum(np.histogram(A, [0.0, 0.5], weights=w)[0]))(WEIGHTS)
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize("bins", [3, [3, 2], np.array([0.0, 0.5, 2.0])])
def test_histogram2d_agrees_with_numpy(bins) -> None:
    values = []

    def total(w):
        values[:] = np.histogram2d(A, DATA[0], bins, weights=w)
        return np.sum(values[0])

    grad(total)(WEIGHTS)
    for found, expected in zip(
        values, np.histogram2d(A, DATA[0], bins, weights=WEIGHTS), strict=True
    ):
        np.testing.assert_allclose(value_of(found), expected)


def test_edges_of_single_precision_stay() -> None:
    sample = np.array([[0.1, 0.4], [0.3, 0.9], [0.8, 0.2]], np.float32)
    edges, tangents = jvp(lambda x: np.histogramdd(x, bins=2)[1], (sample,), (sample,))
    for edge, tangent, expected in zip(
        edges, tangents, np.histogramdd(sample, bins=2)[1], strict=True
    ):
        assert edge.dtype == tangent.dtype == expected.dtype
        np.testing.assert_allclose(edge, expected, rtol=1e-6)
