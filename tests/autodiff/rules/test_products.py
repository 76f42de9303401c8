"""Products: what other libraries have wrong, conjugates, arguments of ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd import grad, vjp
from retrograd.errors import ArgumentError, DifferentiationError
from retrograd.testing import check_grads

Z = np.array([0.3 + 0.7j, -1.1 + 0.2j, 0.5 - 0.9j])
W = np.array([1.3 - 0.4j, 0.8 + 0.6j, -0.2 + 1.1j])


def test_kron_of_cubes():
    rng = np.random.default_rng(0)
    a, b, g = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 1, 3)), rng.normal(size=(4, 3, 6))
    value, pullback = rg.vjp(np.kron, a, b)
    np.testing.assert_array_equal(value, np.kron(a, b))
    parts = g.reshape(2, 2, 3, 1, 2, 3)
    found = pullback(g)
    np.testing.assert_allclose(found[0], np.einsum("iajbkc,abc->ijk", parts, b))
    np.testing.assert_allclose(found[1], np.einsum("iajbkc,ijk->abc", parts, a))


def test_cross_of_broadcast_operands():
    rng = np.random.default_rng(0)
    a, b, g = rng.normal(size=(4, 1, 3)), rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3))
    found = rg.vjp(np.cross, a, b)[1](g)
    np.testing.assert_allclose(found[0], np.sum(np.cross(b, g), 1, keepdims=True))
    np.testing.assert_allclose(found[1], np.sum(np.cross(g, a), 0))


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="vectors have three components there"
)
@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((4, 2), (3,)), ((3,), (4, 2))])
def test_cross_of_vectors_in_the_plane(shapes):
    a, b = (np.random.default_rng(i).normal(size=s) for i, s in enumerate(shapes))
    np.testing.assert_allclose(rg.vjp(np.cross, a, b)[0], np.cross(a, b))
    check_grads(lambda a, b: rg.vjp(np.cross, a, b)[0], a, b)


def test_cross_of_other_vectors_is_refused():
    with pytest.raises(ArgumentError, match=r"cross: vectors of 4 and 4 components"):
        rg.grad(lambda x: np.sum(np.cross(x, x)))(np.ones(4))


@pytest.mark.parametrize("product", [np.vdot, np.vecdot])
def test_the_first_vector_is_conjugated(product):
    value, pullback = rg.vjp(product, Z, W)
    np.testing.assert_allclose(value, np.sum(np.conj(Z) * W))
    # The pairing is without a conjugate: g conj(dz) w has the cotangent conj(g w) at z.
    found = pullback(np.complex128(2.0 - 1.0j))
    np.testing.assert_allclose(found[0], np.conj((2.0 - 1.0j) * W))
    np.testing.assert_allclose(found[1], (2.0 - 1.0j) * np.conj(Z))


@pytest.mark.parametrize(
    "product", [np.vdot, np.inner, np.outer, np.kron, np.convolve, np.correlate]
)
def test_real_with_complex(product):
    x = np.array([0.5, -1.5, 2.0], np.float32)
    for f in (lambda x: product(x, W), lambda x: product(W, x)):
        found = rg.grad(lambda x, f=f: np.sum(np.abs(f(x)) ** 2))(x)
        assert found.dtype == np.float32
        numeric = [
            (np.sum(np.abs(f(x + e)) ** 2) - np.sum(np.abs(f(x - e)) ** 2)) / 2e-4
            for e in 1e-4 * np.eye(3)
        ]
        np.testing.assert_allclose(found, numeric, rtol=1e-4)


@pytest.mark.parametrize("name", ["dot", "outer", "matmul", "vecdot", "trace"])
def test_out_takes_the_product(name):
    function = getattr(np, name)
    x = np.array([[0.5, 2.0], [1.0, -1.0]])
    args = (x,) if name == "trace" else (x, x[::-1])

    def f(x):
        out = rnp.zeros(np.shape(function(*args)))
        function(*((x,) if name == "trace" else (x, x[::-1])), out=out)
        return np.sum(out * out)

    def plain(x):
        return np.sum(function(*((x,) if name == "trace" else (x, x[::-1]))) ** 2)

    np.testing.assert_allclose(rg.grad(f)(x), rg.grad(plain)(x))


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="matvec came with NumPy 2.2")
def test_vecmat_conjugates_its_vector():
    a = np.outer(Z, W)
    np.testing.assert_allclose(rg.vjp(np.vecmat, Z, a)[0], np.vecmat(Z, a))
    np.testing.assert_allclose(rg.vjp(np.matvec, a, Z)[0], np.matvec(a, Z))


def test_axes_of_matmul_are_refused():
    with pytest.raises((DifferentiationError, TypeError), match="axes"):
        rg.grad(lambda x: np.sum(np.matmul(x, x, axes=[(0, 1), (0, 1), (0, 1)])))(np.eye(2))


def test_lists_of_traced_numbers():
    found = rg.grad(lambda a, b: rnp.inner([a, b], [b, 2.0]) + rnp.vdot([a, a], [1.0, b]), (0, 1))
    assert found(3.0, 5.0) == (5.0 + 1.0 + 5.0, 3.0 + 2.0 + 3.0)


def test_single_precision_of_both_operands():
    x = np.ones(3, np.float32)
    for f in (
        lambda x: np.inner(x, np.float32(2.0)),
        lambda x: np.kron(x, np.float32(2.0)),
        lambda x: np.cross(x, np.arange(3, dtype=np.float32)),
        lambda x: np.convolve(x, np.ones(2, np.float32), "same"),
    ):
        value, pullback = rg.vjp(f, x)
        assert value.dtype == pullback(np.ones_like(value))[0].dtype == np.float32


def test_products_by_keyword() -> None:
    x, y = np.ones((2, 3)), np.arange(12.0).reshape(3, 4)
    expected = vjp(lambda x: np.dot(x, y), x)[1](np.ones((2, 4)))[0]
    for f in (lambda x: np.dot(x, b=y), lambda x: np.dot(a=x, b=y), lambda x: np.dot(b=y, a=x)):
        np.testing.assert_array_equal(vjp(f, x)[1](np.ones((2, 4)))[0], expected)
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.outer(x, b=y[0])))(x[0]), [6, 6, 6])


def test_vecdot_along_an_axis() -> None:
    vecdot: Any = np.vecdot  # whose axis= the stubs do not know
    matvec: Any = getattr(np, "matvec", None)
    x, y = np.arange(6.0).reshape(2, 3), np.cos(np.arange(6.0)).reshape(2, 3)
    value, pull = vjp(lambda x: vecdot(x, y, axis=0), x)
    np.testing.assert_allclose(value, vecdot(x, y, axis=0))
    np.testing.assert_allclose(pull(np.array([1.0, 2.0, 3.0]))[0], y * [1.0, 2.0, 3.0])
    if matvec is not None:
        with pytest.raises(TypeError, match="axis="):
            vjp(lambda x: matvec(x, y[0], axis=0), x)
