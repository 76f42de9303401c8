"""Derivatives of the incomplete gamma and beta functions in their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special as sc

from retrograd import elementwise_grad, grad, hessian
from retrograd.scipy import special
from retrograd.scipy.special.quadrature import in_blocks
from retrograd.testing import check_grads

# By numerical differentiation in 60-digit arithmetic: a, x, and the derivative of P(a, x) in a;
# a, b, x, and the derivatives of I_x(a, b) in a and b.
_GAMMA = [
    (0.001, 1e-05, -10.81839829908634),
    (0.001, 3.0, -0.013097911478885033),
    (0.02, 1e-30, -17.408861591084072),
    (0.5, 0.01, -0.522514337797483),
    (0.5, 40.0, -2.1253415656995285e-18),
    (1.0, 1.0, -0.4317297106348987),
    (3.7, 1e-05, -2.6538258653134304e-19),
    (3.7, 2.0, -0.15948300756607284),
    (3.7, 40.0, -5.878836392892324e-14),
    (99.5, 75.0, -0.0012237996080825433),
    (100.5, 130.0, -0.0009226342276302948),
    (1000.0, 1010.0, -0.011945731337225441),
    (10000.0, 9800.0, -0.0005308191313024515),
]
_BETA = [
    (0.001, 0.001, 0.3, -250.21153453977456, 249.78910661399016),
    (0.001, 5000.0, 1e-08, -9.241464674724496, 1.9815312281113212e-07),
    (0.05, 3.0, 1e-05, -6.096227156261988, 0.011835684990527317),
    (0.05, 0.5, 0.99, -0.17625523189797193, 0.05988430253532889),
    (1.0, 1.0, 0.3, -0.3611918412977808, 0.24967246075711266),
    (7.0, 0.5, 0.9999, -0.002167938264728783, 0.21404820013106607),
    (7.0, 3.0, 0.5, -0.04372025450343259, 0.06902328022317938),
    (120.0, 150.0, 0.4, -0.009544254920400569, 0.006970100350785509),
    (120.0, 0.001, 0.99, -2.519743449137431e-06, 0.15851680430499462),
    (3000.0, 0.5, 0.9999, -7.631490817382042e-05, 0.7705379906266991),
    (3000.0, 5000.0, 0.38, -0.0037392547276117356, 0.0022675083244053144),
    (3000.0, 5000.0, 0.3, -1.4721244652771044e-47, 7.476389751347704e-48),
]


@pytest.mark.parametrize(("a", "x", "expected"), _GAMMA)
def test_gammainc_in_its_parameter(a: float, x: float, expected: float) -> None:
    np.testing.assert_allclose(grad(special.gammainc)(a, x), expected, rtol=1e-9, atol=0)
    np.testing.assert_allclose(grad(special.gammaincc)(a, x), -expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("a", "b", "x", "in_a", "in_b"), _BETA)
def test_betainc_in_its_parameters(a: float, b: float, x: float, in_a: float, in_b: float) -> None:
    found = grad(special.betainc, (0, 1))(a, b, x)
    np.testing.assert_allclose(found, (in_a, in_b), rtol=1e-9, atol=0)
    complement = grad(special.betaincc, (0, 1))(a, b, x)
    np.testing.assert_allclose(complement, (-in_a, -in_b), rtol=1e-9, atol=0)


def test_third_derivatives() -> None:
    check_grads(grad(lambda a: special.gammainc(a, 1.7)), 2.1)
    check_grads(hessian(lambda p: special.betainc(p[0], p[1], 0.4)), np.array([1.3, 2.2]), order=1)


@pytest.mark.parametrize("a", [0.3, 1.0, 2.5, 150.0])
def test_inverses_undo_the_functions(a: float) -> None:
    p, b = 0.3, 1.8

    def gamma(a: Any, p: Any) -> Any:
        return special.gammainc(a, special.gammaincinv(a, p))

    def beta(a: Any, b: Any, p: Any) -> Any:
        return special.betainc(a, b, special.betaincinv(a, b, p))

    np.testing.assert_allclose(grad(gamma, (0, 1))(a, p), (0.0, 1.0), atol=1e-9)
    np.testing.assert_allclose(grad(beta, (0, 1, 2))(a, b, p), (0.0, 0.0, 1.0), atol=1e-9)


def test_edges() -> None:
    def slopes(f: Any, x: Any) -> Any:
        return elementwise_grad(f)(np.array(x))

    np.testing.assert_array_equal(slopes(lambda x: sc.gammainc(0.5, x), [0.0, np.inf]), [np.inf, 0])
    np.testing.assert_array_equal(slopes(lambda x: sc.gammainc(1.0, x), [0.0]), [1])
    np.testing.assert_array_equal(slopes(lambda x: sc.gammainc(2.0, x), [0.0]), [0])
    np.testing.assert_allclose(slopes(lambda x: sc.betainc(1.0, 3.0, x), [0.0, 1.0]), [3, 0])
    np.testing.assert_array_equal(
        slopes(lambda x: sc.betainc(2.0, 0.5, x), [0.0, 1.0]), [0, np.inf]
    )
    assert grad(lambda a: sc.gammainc(a, 0.0))(1.3) == 0
    assert grad(lambda a: sc.betainc(a, 2.0, 1.0))(1.3) == 0
    assert np.isnan(grad(lambda a: sc.gammainc(a, 1.0))(-1.0))


def test_across_the_change_of_formula() -> None:
    # Densities change to Stirling's formula at 100.
    for a in (np.nextafter(100.0, 0), 100.0):
        found = grad(grad(sc.gammainc, 1))(a, 98.0)
        expected = np.exp((a - 1) * np.log(98.0) - 98.0 - sc.gammaln(a)) * (
            np.log(98.0) - sc.psi(a)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    check_grads(
        lambda a: sc.gammainc(a, np.array([50.0, 98.0, 130.0])), np.array([99.9, 100.0, 101])
    )


def test_arrays_of_any_shape_in_blocks() -> None:
    x = np.linspace(0.1, 3, 3000).reshape(3, 1000)
    seen: list[int] = []

    def double(x: Any) -> Any:
        seen.append(x.size)
        return 2 * x

    np.testing.assert_array_equal(in_blocks(double, x), 2 * x)
    assert len(seen) == 2
    assert in_blocks(double, np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert in_blocks(double, np.float32(1)).dtype == np.float32
    found = elementwise_grad(lambda a: sc.gammainc(a, x.astype(np.float32)))(
        np.full((3, 1000), 1.5, np.float32)
    )
    assert found.dtype == np.float32
    exact = elementwise_grad(lambda a: sc.gammainc(a, x))(np.full((3, 1000), 1.5))
    np.testing.assert_allclose(found, exact, rtol=1e-5)
