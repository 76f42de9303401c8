"""The talk's four programs, on plain NumPy and on the drop-in namespace."""

from __future__ import annotations

from itertools import pairwise

import numpy
import pytest

import retrograd as rg
import retrograd.numpy
import retrograd.scipy.special as special
from retrograd.testing import check_grads

NAMESPACES = pytest.mark.parametrize(
    "np", [numpy, retrograd.numpy], ids=["numpy", "retrograd.numpy"]
)


def network(np, parameters, inputs):
    for weights, bias in parameters[:-1]:
        inputs = np.tanh(np.dot(inputs, weights) + bias)
    weights, bias = parameters[-1]
    outputs = np.dot(inputs, weights) + bias
    return outputs - special.logsumexp(outputs, axis=1, keepdims=True)


def sum_of_squares(np, parameters):
    """Over whatever nest of tuples and lists of arrays the parameters are."""
    if isinstance(parameters, (tuple, list)):
        return sum(sum_of_squares(np, part) for part in parameters)
    return np.sum(np.ravel(parameters) ** 2)


def penalised_loss(np, parameters, inputs, targets):
    log_likelihood = -np.sum(network(np, parameters, inputs) * targets)
    return log_likelihood + 0.1 * sum_of_squares(np, parameters)


def draw_network(sizes):
    rng = numpy.random.default_rng(1)
    shapes = list(pairwise(sizes))
    parameters = [(rng.normal(size=s) * 0.5, rng.normal(size=s[1])) for s in shapes]
    inputs = rng.normal(size=(6, sizes[0]))
    return parameters, inputs, numpy.eye(sizes[-1])[rng.integers(0, sizes[-1], 6)]


@NAMESPACES
def test_tanh_network_with_its_sum_of_squares(np) -> None:
    parameters, inputs, targets = draw_network([4, 5, 3])
    check_grads(lambda p: penalised_loss(np, p, inputs, targets), parameters, directions=1)
    gradient = rg.grad(lambda p: penalised_loss(np, p, inputs, targets))(parameters)
    assert [type(layer) for layer in gradient] == [tuple, tuple]
    assert [g.shape for layer in gradient for g in layer] == [(4, 5), (5,), (5, 3), (3,)]


def project(np, vx, vy):
    """Project the velocity field onto the divergence-free fields: writes to its arguments."""
    p = np.zeros(vx.shape)
    h = 1.0 / vx.shape[0]
    div = (
        np.roll(vx, -1, axis=0) - np.roll(vx, 1, axis=0)
        + np.roll(vy, -1, axis=1) - np.roll(vy, 1, axis=1)
    ) * (-0.5 * h)  # fmt: skip
    for _ in range(10):
        neighbours = np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0)
        neighbours = neighbours + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)
        p = (div + neighbours) / 4.0
    vx -= 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)) / h
    vy -= 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1)) / h
    return vx, vy


def advect(np, f, vx, vy):
    """Move a field along the velocities, by bilinear interpolation."""
    rows, cols = f.shape
    cell_ys, cell_xs = np.meshgrid(np.arange(rows), np.arange(cols))
    center_xs, center_ys = (cell_xs - vx).ravel(), (cell_ys - vy).ravel()
    left, top = np.floor(center_xs).astype(int), np.floor(center_ys).astype(int)
    right_weight, bottom_weight = center_xs - left, center_ys - top
    left, top = np.mod(left, rows), np.mod(top, cols)
    right, bottom = np.mod(left + 1, rows), np.mod(top + 1, cols)
    moved = (1 - right_weight) * (
        (1 - bottom_weight) * f[left, top] + bottom_weight * f[left, bottom]
    ) + right_weight * ((1 - bottom_weight) * f[right, top] + bottom_weight * f[right, bottom])
    return np.reshape(moved, (rows, cols))


def simulate(np, vx, vy, smoke, steps):
    for _ in range(steps):
        vx, vy = project(np, advect(np, vx, vx, vy), advect(np, vy, vx, vy))
        smoke = advect(np, smoke, vx, vy)
    return smoke


@NAMESPACES
def test_fluid_simulation(np) -> None:
    rng = numpy.random.default_rng(0)
    vx, vy, smoke, target = (rng.normal(size=(8, 8)) * s for s in (0.7, 0.7, 1.0, 1.0))

    def loss(vx, vy):
        vx, vy = project(np, vx, vy)
        return np.mean((simulate(np, vx, vy, smoke, 4) - target) ** 2)

    before = vx.copy(), vy.copy()
    value, (gx, gy) = rg.value_and_grad(loss, (0, 1))(vx, vy)
    numpy.testing.assert_array_equal((vx, vy), before)
    assert float(value) == loss(vx.copy(), vy.copy())
    for _ in range(3):
        dx, dy = rng.normal(size=(2, 8, 8))
        step = 1e-6
        ahead = loss(vx + step * dx, vy + step * dy)
        behind = loss(vx - step * dx, vy - step * dy)
        slope = float(numpy.sum(gx * dx) + numpy.sum(gy * dy))
        assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)
        assert float(rg.jvp(loss, (vx, vy), (dx, dy))[1]) == pytest.approx(slope, rel=1e-10)


@NAMESPACES
def test_hessian_vector_product_two_ways(np) -> None:
    parameters, inputs, targets = draw_network([4, 5, 3])
    (weights, bias), last = parameters
    vector = numpy.random.default_rng(3).normal(size=weights.shape)

    def loss(w):
        return penalised_loss(np, [(w, bias), last], inputs, targets)

    forward_over_reverse = rg.jvp(rg.grad(loss), (weights,), (vector,))[1]
    reverse_over_reverse = rg.grad(lambda w: np.sum(rg.grad(loss)(w) * vector))(weights)
    flat = np.ravel(vector)
    dotted = rg.grad(lambda w: np.dot(np.ravel(rg.grad(loss)(w)), flat))
    step = 1e-5
    ahead, behind = (rg.grad(loss)(weights + s * vector) for s in (step, -step))
    difference = (ahead - behind) / (2 * step)
    numpy.testing.assert_allclose(forward_over_reverse, difference, rtol=1e-6, atol=1e-7)
    numpy.testing.assert_allclose(reverse_over_reverse, forward_over_reverse, rtol=1e-11)
    numpy.testing.assert_allclose(dotted(weights), forward_over_reverse, rtol=1e-11)
    numpy.testing.assert_allclose(rg.hvp(loss)(weights, vector), forward_over_reverse, rtol=1e-13)


def users_logsumexp(np, x, axis=None):
    top = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return np.reshape(total, np.sum(x, axis=axis).shape)


@NAMESPACES
def test_logsumexp_by_hand_and_by_name(np) -> None:
    x = numpy.array([[0.3, -1.2, 2.0], [700.0, 701.0, 699.5], [-900.0, -901.0, -899.0]])
    check_grads(lambda x: users_logsumexp(np, x, axis=1), x[0][None])
    expected = numpy.exp(x - x.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    for f in (lambda x: users_logsumexp(np, x, axis=1), lambda x: special.logsumexp(x, axis=1)):
        gradient = rg.elementwise_grad(f)(x)
        numpy.testing.assert_allclose(gradient, expected, rtol=1e-12)
    numpy.testing.assert_allclose(
        special.logsumexp(x, axis=1), users_logsumexp(numpy, x, axis=1), rtol=1e-15
    )


@NAMESPACES
def test_logsumexp_with_entries_of_minus_infinity(np) -> None:
    x = numpy.array([-numpy.inf, 0.5, 1.5])
    weights = numpy.array([0.0, 1.0, numpy.e]) / (1 + numpy.e)
    for f in (lambda x: users_logsumexp(np, x), special.logsumexp):
        numpy.testing.assert_allclose(rg.grad(f)(x), weights, rtol=1e-14)
        tangent = rg.jvp(f, (x,), (numpy.ones(3),))[1]
        assert float(tangent) == pytest.approx(1.0)


def test_logsumexp_at_infinities() -> None:
    nothing = numpy.full(3, -numpy.inf)
    assert special.logsumexp(nothing) == -numpy.inf
    numpy.testing.assert_array_equal(rg.grad(special.logsumexp)(nothing), numpy.zeros(3))
    top = numpy.array([numpy.inf, 1.0, 2.0])
    numpy.testing.assert_array_equal(rg.grad(special.logsumexp)(top), [1.0, 0.0, 0.0])
    lost = numpy.array([numpy.nan, 1.0])
    assert numpy.all(numpy.isnan(rg.grad(special.logsumexp)(lost)))
    assert float(rg.grad(lambda x: numpy.logaddexp(x, -numpy.inf))(0.5)) == 1.0
