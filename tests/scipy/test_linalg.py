"""scipy.linalg where it is special: what is read, what is constant, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl

import retrograd.scipy.linalg as rla
from retrograd import grad, jvp, vjp
from retrograd.errors import InterceptionError, MissingRuleError, NonFiniteError
from retrograd.testing import check_grads
from retrograd.testing.samples.linalg import SKEW, SQUARE, TALL, VECTOR
from retrograd.testing.samples.sample import array

COMPLEX = SQUARE + 1j * array(3, 3) * 0.6
SYMMETRIC = (SQUARE + SQUARE.T) / 2


def test_plain_arguments_go_to_scipy() -> None:
    for name in ("expm", "lu", "null_space", "schur"):
        assert name in dir(rla)
        for found, wanted in zip(
            np.atleast_1d(getattr(rla, name)(SKEW)),
            np.atleast_1d(getattr(sl, name)(SKEW)),
            strict=True,
        ):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["null_space", "schur", "orth", "hessenberg"])
def test_functions_without_a_rule_refuse_traced_values(name: str) -> None:
    with pytest.raises((InterceptionError, MissingRuleError), match=r"value_of"):
        grad(lambda a: np.sum(getattr(rla, name)(a)[0]))(SQUARE)


# Equations


def test_triangles_that_are_not_read_have_gradient_zero() -> None:
    g = grad(lambda a: np.sum(rla.solve_triangular(a, VECTOR, unit_diagonal=True)))(SQUARE)
    np.testing.assert_array_equal(np.tril(g), 0)
    assert np.all(g[np.triu_indices(3, 1)] != 0)


def test_adjoint_triangular_systems() -> None:
    check_grads(lambda a, b: rla.solve_triangular(a, b, "C", lower=True), COMPLEX, VECTOR + 1j)


def test_solve_reads_one_triangle_of_what_is_not_symmetric() -> None:
    junk = np.triu(SYMMETRIC + 3 * np.eye(3)) + 9 * np.tril(SQUARE, -1)
    check_grads(lambda a: rla.solve(a, VECTOR, assume_a="pos"), junk)
    check_grads(lambda a: rla.inv(a, assume_a="sym", lower=True), junk.T)


def test_solve_refuses_what_it_does_not_cover() -> None:
    with pytest.raises(MissingRuleError, match=r"solve.*'diagonal'"):
        grad(lambda a: np.sum(rla.solve(a, VECTOR, assume_a="diagonal")))(SQUARE)
    with pytest.raises(MissingRuleError, match=r"inv.*'sym' of a complex128"):
        vjp(lambda a: rla.inv(a, assume_a="sym"), COMPLEX)
    with pytest.raises(MissingRuleError, match="gelsy"):
        grad(lambda a: np.sum(rla.lstsq(a, VECTOR, lapack_driver="gelsy")[0]))(SQUARE)


def test_corners_of_banded_storage_have_gradient_zero() -> None:
    bands = array(4, 5) + np.array([0.0, 0.0, 4.0, 0.0])[:, None]
    g = grad(lambda ab: np.sum(rla.solve_banded((1, 2), ab, array(5))))(bands)
    assert g[0, 0] == g[0, 1] == g[1, 0] == g[3, 4] == 0
    assert np.count_nonzero(g) == 16


def test_complex_banded_hermitian_systems() -> None:
    bands = array(2, 4) + np.array([[5.0], [0.0]]) + 1j * np.array([[0.0], [0.6]])
    imaginary = np.array([[0.0], [1.0]])  # the diagonal is real

    def solved(x: Any, y: Any) -> Any:
        return rla.solveh_banded(x + 1j * imaginary * y, array(4), lower=True)

    np.testing.assert_allclose(
        vjp(solved, bands.real, bands.imag)[0], sl.solveh_banded(bands, array(4), lower=True)
    )
    check_grads(solved, bands.real, bands.imag)


def test_whole_numbers_and_lists() -> None:
    def f(x: Any) -> Any:
        triangle = rla.solve_triangular([[2, 1], [0, 4]], x)
        bands = rla.solve_banded((0, 1), np.array([[0, 1], [2, 4]]), x)
        blocks = rla.block_diag([[1, 2]], x)
        return triangle[0] + bands[0] + np.sum(blocks)

    np.testing.assert_allclose(grad(f)(np.array([1.0, 2.0])), [2.0, 0.75])


def test_lyapunov_equations_hold_along_tangents() -> None:
    d = array(3, 3) * 0.7
    x, dx = jvp(lambda a: rla.solve_continuous_lyapunov(a, SYMMETRIC), (SQUARE,), (d,))
    np.testing.assert_allclose(d @ x + x @ d.T + SQUARE @ dx + dx @ SQUARE.T, 0, atol=1e-12)
    big = np.diag(np.linspace(0.1, 0.8, 12))  # the method for large matrices
    check_grads(lambda a: rla.solve_discrete_lyapunov(a, np.eye(12)), big, order=1, directions=1)


# Factors


def test_factors_of_one_matrix_solve_its_equations() -> None:
    def by_lu(a: Any) -> Any:
        return rla.lu_solve(rla.lu_factor(a), VECTOR)

    def by_cholesky(a: Any) -> Any:
        return rla.cho_solve(rla.cho_factor(a), VECTOR)

    g = grad(lambda a: np.sum(by_lu(a) ** 2))(SKEW)
    np.testing.assert_allclose(g, grad(lambda a: np.sum(np.linalg.solve(a, VECTOR) ** 2))(SKEW))
    g = grad(lambda a: np.sum(by_cholesky(a) ** 2))(SYMMETRIC)
    wanted = grad(lambda a: np.sum(np.linalg.solve(a, VECTOR) ** 2))(SYMMETRIC)
    np.testing.assert_allclose(g, (wanted + wanted.T) / 2)


def test_permutations_are_those_of_scipy_and_constant() -> None:
    stack = np.stack([SKEW, SKEW[::-1], SKEW[[1, 2, 0]]])
    for a in (SKEW, array(4, 3), array(3, 4), stack):
        for options in ({}, {"p_indices": True}, {"permute_l": True}):
            found, wanted = vjp(lambda a, o=options: rla.lu(a, **o), a)[0], sl.lu(a, **options)
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_allclose(x, y, atol=1e-14)
    check_grads(lambda a: rla.lu(a)[1:], stack, order=1)
    assert isinstance(jvp(lambda a: rla.lu_factor(a)[0], (SKEW,), (SKEW,))[1], np.ndarray)


def test_refusals_of_factors() -> None:
    for f, what in (
        (lambda a: rla.qr(a)[0], "economic"),
        (lambda a: rla.qr(a, mode="raw")[1], "economic"),
        (lambda a: rla.lu_factor(a)[0], "lu_factor"),
        (lambda a: rla.eig(a[:2], left=True)[0], "left="),
        (lambda a: rla.eigh(a[:2], subset_by_index=[0, 0])[0], "subset_by_index"),
        (lambda a: rla.cholesky(a[:2], bad=1), "bad"),
    ):
        with pytest.raises((MissingRuleError, TypeError), match=what):
            grad(lambda a, f=f: np.real(np.sum(f(a))))(TALL)


def test_complex_generalised_eigenvectors_up_to_their_phase() -> None:
    def f(a: Any, b: Any) -> Any:
        a, b = a + np.conj(a.T), b @ np.conj(b.T)
        w, v = rla.eigh(a, b)
        return w, np.abs(v), rla.eigvalsh(a, b)

    check_grads(f, COMPLEX, COMPLEX.T + 1)


def test_default_driver_gives_projections() -> None:
    def projection(a: Any) -> Any:
        v = rla.eigh((a + a.T) / 2)[1][:, :1]
        return v @ v.T

    check_grads(projection, SQUARE)


def test_coinciding_eigenvalues() -> None:
    a = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(grad(lambda a: np.sum(rla.eigvalsh(a) ** 2))(a), 2 * a)
    with pytest.raises(NonFiniteError, match="coincide"):
        jvp(rla.eigh, (a,), (SYMMETRIC,))


# Matrix functions


def test_exponential_of_zero_and_of_large_directions() -> None:
    zero = np.zeros((2, 2))
    np.testing.assert_allclose(jvp(rla.expm, (zero,), (np.eye(2) * 1e6,))[1], np.eye(2) * 1e6)
    d = array(3, 3) * 1e8
    np.testing.assert_allclose(
        jvp(rla.expm, (SKEW,), (d,))[1], sl.expm_frechet(SKEW, d)[1], rtol=1e-12
    )


def test_logarithm_is_the_inverse_of_the_exponential() -> None:
    d = array(3, 3)
    np.testing.assert_allclose(jvp(lambda a: rla.logm(rla.expm(a)), (SKEW,), (d,))[1], d, rtol=1e-9)


def test_functions_of_real_matrices_may_be_complex() -> None:
    a = np.array([[-1.0, 0.3], [0.2, 2.0]])
    for f in (rla.sqrtm, rla.logm, lambda a: rla.fractional_matrix_power(a, 0.3)):
        assert vjp(f, a)[0].dtype == complex
        check_grads(f, a, order=1)


def test_powers_have_plain_exponents() -> None:
    with pytest.raises(MissingRuleError, match="argument 1"):
        grad(lambda t: np.real(np.sum(rla.fractional_matrix_power(SQUARE, t))))(0.5)


def test_single_precision_is_kept() -> None:
    a = SYMMETRIC.astype(np.float32)
    for f in (
        rla.expm,
        rla.sqrtm,
        rla.cholesky,
        rla.inv,
        lambda a: rla.solve_triangular(a, a[0]),
        lambda a: rla.eigh(a)[0],
        lambda a: rla.lu(a)[2],
        lambda a: rla.toeplitz(a[0]),
        lambda a: rla.solve_sylvester(a, a, a),
        lambda a: rla.solve_banded((1, 1), a, a[0]),
    ):
        value, pullback = vjp(f, a)
        assert value.dtype == np.float32
        assert pullback(np.ones_like(value))[0].dtype == np.float32
        assert jvp(f, (a,), (a,))[1].dtype == np.float32


RANK_ONE = np.outer([1.0, 2.0, -1.0], [1.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("name", "f", "a"),
    [
        ("polar", lambda a: np.sum(rla.polar(a)[0]), RANK_ONE),
        pytest.param(
            "sqrtm",
            lambda a: np.sum(np.real(rla.sqrtm(a))),
            RANK_ONE,
            # SciPy warns where a processor's rounding leaves it exactly singular.
            marks=pytest.mark.filterwarnings(
                "ignore:Matrix is singular:scipy.linalg.LinAlgWarning"
            ),
        ),
        ("lu", lambda a: np.sum(rla.lu(a)[1]), RANK_ONE),
        ("lu", lambda a: np.sum(rla.lu_factor(a)[0]), np.diag([1.0, 1.0, 0.0]) + 1e-18),
    ],
)
def test_deficient_rank_has_no_derivative(name: str, f: Any, a: Any) -> None:
    with pytest.raises(NonFiniteError, match=rf"^{name}: the matrix has no full rank"):
        grad(f)(a)


@pytest.mark.parametrize("side", ["right", "left"])
def test_polar_of_ill_conditioned_matrices(side: str) -> None:
    """Values as accurate as SciPy's, and the equation U^H U = 1 along tangents."""
    a = SQUARE @ np.diag([1.0, 1e-4, 1e-7])
    value, moved = jvp(lambda a: rla.polar(a, side), (a,), (SQUARE.T,))
    for found, wanted in zip(value, sl.polar(a, side), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-15)
    (u, p), (du, dp) = value, moved
    scale = np.max(np.abs(du))
    assert np.max(np.abs(u.T @ du + du.T @ u)) < 1e-9 * scale
    product = du @ p + u @ dp if side == "right" else dp @ u + p @ du
    np.testing.assert_allclose(product, SQUARE.T, atol=1e-15 * scale)


def test_polar_refuses_a_singular_positive_factor() -> None:
    with pytest.raises(MissingRuleError, match=r"polar: no derivative rule covers side='right'"):
        grad(lambda a: np.sum(rla.polar(a)[0]))(TALL.T)
    with pytest.raises(ValueError, match=r"polar: side='up' was given"):
        grad(lambda a: np.sum(rla.polar(a, "up")[0]))(TALL)


def test_lists_of_traced_numbers_are_matrices() -> None:
    assert grad(lambda x: rla.det([[x, 0.0], [0.0, x]]))(2.0) == 4.0
    check_grads(lambda x: rla.cho_solve(([[x, 0.1], [0.1, 1.0]], False), [1.0, x]), 1.7)


def test_stacks_of_matrices() -> None:
    stack = np.stack([SQUARE, SQUARE.T + np.eye(3)])
    check_grads(rla.polar, stack, order=1)
    check_grads(rla.qr, stack, order=1)
    for options in ({"pivoting": True}, {"mode": "r"}):
        with pytest.raises(MissingRuleError, match="of stacks of matrices"):
            grad(lambda a, options=options: np.sum(rla.qr(a, **options)[0]))(stack)
