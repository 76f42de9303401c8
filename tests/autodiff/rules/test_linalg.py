"""Linear algebra where it is special: phases, coinciding eigenvalues, zeros, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd.numpy as rnp
import retrograd.numpy.linalg as rla
from retrograd import grad, hessian, jvp, vjp
from retrograd.errors import DifferentiationError, MissingRuleError, NonFiniteError
from retrograd.testing import check_grads
from retrograd.testing.samples.linalg import SKEW, SQUARE, STACK, TALL, VECTOR, WIDE
from retrograd.testing.samples.sample import array

la = np.linalg
COMPLEX = SQUARE + 1j * array(3, 3) * 0.6
HERMITIAN = (COMPLEX + COMPLEX.conj().T) / 2
SYMMETRIC = (SQUARE + SQUARE.T) / 2


def hermitian(a: Any) -> Any:
    return (a + np.conj(np.swapaxes(a, -1, -2))) / 2


def test_drop_in_and_plain_numpy_agree() -> None:
    for f in (la.det, rla.det, rnp.linalg.det):
        np.testing.assert_allclose(grad(f)(SQUARE), la.det(SQUARE) * la.inv(SQUARE).T)


# Determinants


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_det_has_a_gradient_at_singular_matrices(n: int) -> None:
    a = array(n, n)
    a[-1] = 2 * a[0] if n > 1 else 0
    a[-1, -1] = 2 * a[0, -1] if n > 1 else 0
    a[:, 0] = 0  # exactly singular, whatever the rounding
    assert la.det(a) == 0
    minors = np.array(
        [
            [
                (-1) ** (i + j) * la.det(np.delete(np.delete(a, i, 0), j, 1)) if n > 1 else 1.0
                for j in range(n)
            ]
            for i in range(n)
        ]
    )
    np.testing.assert_allclose(grad(la.det)(a), minors, atol=1e-13)


def test_det_has_second_derivatives_at_singular_matrices() -> None:
    a = array(3, 3)
    a[:, 1] = 0
    check_grads(la.det, a)
    check_grads(la.det, np.stack([a, SQUARE]))
    check_grads(la.det, a * np.exp(0.4j))


def test_slogdet_gives_names_and_the_complex_sign() -> None:
    def f(a: Any) -> Any:
        result = la.slogdet(a)
        assert result.sign is result[0]
        return np.real(result.sign) * result.logabsdet

    check_grads(f, COMPLEX)
    np.testing.assert_allclose(grad(lambda a: la.slogdet(a)[1])(SQUARE), la.inv(SQUARE).T)


def test_slogdet_of_a_singular_matrix_has_no_derivative() -> None:
    for f in (lambda a: grad(lambda a: la.slogdet(a)[1])(a), lambda a: jvp(la.slogdet, (a,), (a,))):
        with pytest.raises(NonFiniteError, match=r"slogdet.*singular.*use det"):
            f(np.zeros((2, 2)))


# Equations


def test_solve_reads_b_as_numpy_2_does() -> None:
    b = array(2, 3)
    with pytest.raises(ValueError, match=r"matmul|mismatch|core dim"):
        grad(lambda a: np.sum(la.solve(a, b)))(STACK)
    assert vjp(la.solve, STACK, VECTOR)[0].shape == (2, 3)


def test_solve_takes_lists_and_whole_numbers() -> None:
    g = grad(lambda b: la.solve([[2, 1], [1, 3]], b)[0])(np.array([1.0, 2.0]))
    np.testing.assert_allclose(g, [0.6, -0.2])
    g = grad(lambda a: la.solve(a, [1, 2])[0])(np.array([[2.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(g, [[-0.25, -1.0], [0.0, 0.0]])


def test_pinv_of_constant_rank() -> None:
    """Complex and rank-deficient: along perturbations that keep the rank."""
    left, right = array(4, 2) * np.exp(0.3j), array(2, 3) * np.exp(1j * array(2, 3))
    check_grads(lambda x, y: la.pinv(x @ y, rcond=1e-9), left, right, order=1)
    a, g = TALL * np.exp(1j * TALL), array(2, 4)
    (found,) = vjp(la.pinv, a)[1](g + 0j)
    (wanted,) = vjp(lambda x: la.solve(np.conj(x.T) @ x, np.conj(x.T)), a)[1](g + 0j)
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_lstsq_returns_what_numpy_returns() -> None:
    for a, b in ((TALL, array(4)), (TALL, array(4, 3)), (WIDE, array(2))):
        for found, wanted in zip(vjp(la.lstsq, a, b)[0], la.lstsq(a, b), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-14)


def test_lstsq_of_deficient_rank_is_the_smallest_solution() -> None:
    left, right, b = array(5, 2), array(2, 3), array(5)
    check_grads(lambda x, y, b: la.lstsq(x @ y, b, rcond=1e-9)[0], left, right, b, order=1)


def test_matrix_power_of_zero_is_constant() -> None:
    value, pullback = vjp(lambda a: la.matrix_power(a, 0) + 0 * a, SQUARE)
    np.testing.assert_array_equal(value, np.eye(3))
    np.testing.assert_array_equal(pullback(np.ones((3, 3)))[0], np.zeros((3, 3)))


def test_matrix_rank_is_constant() -> None:
    assert grad(lambda a: a[0, 0] * la.matrix_rank(a))(SQUARE)[0, 0] == 3


def test_refusals_of_products() -> None:
    with pytest.raises(MissingRuleError, match=r"multi_dot.*out="):
        grad(lambda a: la.multi_dot([a, a], out=np.zeros((3, 3)))[0, 0])(SQUARE)
    with pytest.raises(ValueError, match=r"outer: arrays of 2"):
        grad(lambda a: la.outer(a, a)[0, 0])(SQUARE)
    with pytest.raises(ValueError, match=r"cross: vectors of 2"):
        grad(lambda a: la.cross(a, a)[0])(VECTOR[:2])


# Cholesky


def test_cholesky_has_hermitian_gradients() -> None:
    for a in (SYMMETRIC, HERMITIAN + np.eye(3)):
        (g,) = vjp(la.cholesky, a)[1](np.tril(a))
        np.testing.assert_allclose(g, g.conj().T, rtol=1e-12)


def test_cholesky_of_what_is_not_hermitian_has_the_gradient_of_what_is_read() -> None:
    below, above = np.tril(SYMMETRIC) + 7 * np.triu(SQUARE, 1), np.triu(HERMITIAN + np.eye(3))
    check_grads(la.cholesky, below)
    check_grads(lambda a: la.cholesky(a, upper=True), above)
    check_grads(lambda a: la.eigvalsh(a), below)
    check_grads(lambda a: la.eigvalsh(a, "U"), above)


def test_cholesky_of_a_product_is_right_for_complex_factors() -> None:
    check_grads(lambda b: la.cholesky(b @ np.conj(b.T) + np.eye(3)), COMPLEX)


# Eigenvectors and singular vectors


def test_complex_eigenvectors_up_to_their_phase() -> None:
    check_grads(lambda a: np.abs(la.eigh(hermitian(a))[1]), COMPLEX)
    check_grads(lambda a: la.eigh(hermitian(a)).eigenvalues, COMPLEX)

    def projection(a: Any) -> Any:
        v = la.eigh(hermitian(a)).eigenvectors[:, :2]
        return v @ np.conj(v.T)

    check_grads(projection, COMPLEX)


def test_complex_singular_vectors_up_to_their_phase() -> None:
    for full in (True, False):
        for shape in ((3, 3), (4, 2), (2, 4)):
            a = array(*shape) * np.exp(1j * array(*shape))

            def invariants(a: Any, full: bool = full) -> Any:
                u, s, vh = la.svd(a, full)
                k = s.shape[-1]
                return np.abs(u[:, :k]), (u[:, :1] * s[0]) @ vh[:1], np.abs(vh[:k]), s

            check_grads(invariants, a)


def test_the_complement_in_full_singular_vectors() -> None:
    def projection(a: Any) -> Any:
        u, _, vh = la.svd(a)
        return u[:, 2:] @ np.conj(u[:, 2:].T) + 0 * vh[0, 0]

    check_grads(projection, TALL * np.exp(1j * TALL))


def test_gradients_that_depend_on_a_phase_are_refused() -> None:
    for f in (la.eigh, la.svd):
        with pytest.raises(DifferentiationError, match="phases"):
            grad(lambda a, f=f: np.sum(np.imag(f(hermitian(a))[-1] if f is la.eigh else f(a)[0])))(
                COMPLEX
            )


def test_eig_normalises_as_lapack_does() -> None:
    def norms(a: Any) -> Any:
        return np.sum(np.abs(la.eig(a).eigenvectors) ** 2, axis=0)

    for a in (SKEW, COMPLEX):
        np.testing.assert_allclose(jvp(norms, (a,), (array(3, 3) + 0 * a,))[1], 0, atol=1e-12)


def test_coinciding_eigenvalues() -> None:
    a = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(grad(lambda a: np.sum(la.eigvalsh(a) ** 2))(a), 2 * a)
    np.testing.assert_allclose(grad(lambda a: np.sum(np.real(la.eigvals(a)) ** 2))(a), 2 * a)
    np.testing.assert_allclose(grad(lambda a: np.sum(la.svdvals(a) ** 2))(a), 2 * a)
    np.testing.assert_allclose(grad(lambda a: np.sum(la.eigh(a)[0] ** 2))(a), 2 * a)
    # The vector of the third does not mix with the others.
    g = grad(lambda a: la.eigh(a)[1][0, 2] * la.eigh(a)[1][2, 2])(a)
    np.testing.assert_allclose(g, [[0, 0, 0.5], [0, 0, 0], [0.5, 0, 0]])


@pytest.mark.parametrize("f", [la.eigh, la.svd, la.eig], ids=["eigh", "svd", "eig"])
def test_vectors_of_coinciding_eigenvalues_have_no_derivative(f: Any) -> None:
    a = np.diag([1.0, 1.0, 2.0])

    def root(a: Any) -> Any:
        """A function of the matrix that has a derivative, but not through the vectors."""
        parts = f(a)
        u, w = (parts[0], parts[1]) if f is la.svd else (parts[1], parts[0])
        return np.sum(np.real((u * np.sqrt(w)) @ u.T) * SQUARE)

    with pytest.raises(NonFiniteError, match=r"coincide.*eigvalsh"):
        grad(root)(a)
    with pytest.raises(NonFiniteError, match=r"coincide"):
        jvp(root, (a,), (SYMMETRIC,))


def test_defective_matrices_are_refused() -> None:
    for f in (la.eigvals, lambda a: la.eig(a)[0]):
        with pytest.raises(NonFiniteError, match="defective"):
            grad(lambda a, f=f: np.real(f(a)[0]))(np.array([[1.0, 1.0], [0.0, 1.0]]))


def test_zero_singular_values_have_the_subgradient_zero() -> None:
    zero = np.zeros((2, 2))
    np.testing.assert_array_equal(grad(lambda a: la.norm(a, "nuc"))(zero), zero)
    a = np.outer([1.0, 2.0], [0.6, 0.8])
    np.testing.assert_allclose(grad(lambda a: la.norm(a, "nuc"))(a), a / la.norm(a), atol=1e-12)


def test_refusals_of_decompositions() -> None:
    with pytest.raises(MissingRuleError, match=r"svd.*hermitian=True"):
        grad(lambda a: np.sum(la.svd(a, hermitian=True)[1]))(SYMMETRIC)
    for mode in ("complete", "raw"):
        with pytest.raises(MissingRuleError, match=rf"qr.*{mode}.*reduced"):
            grad(lambda a, mode=mode: np.sum(la.qr(a, mode)[1]))(TALL)


def test_results_have_names() -> None:
    def f(a: Any) -> Any:
        u, s, v = la.svd(a).U, la.svd(a).S, la.svd(a).Vh
        assert la.qr(a).Q.shape == la.qr(a).R.shape == (3, 3)
        return la.eigh(a).eigenvalues[0] + u[0, 0] * v[0, 0] * s[0]

    assert np.all(np.isfinite(grad(f)(SYMMETRIC)))


# Norms


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5, np.inf, -np.inf, 0.5])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_at_zero_have_the_subgradient_zero(ord: Any, keepdims: bool) -> None:
    def f(x: Any) -> Any:
        return np.sum(la.norm(x, ord, axis=-1, keepdims=keepdims))

    np.testing.assert_array_equal(grad(f)(np.zeros((2, 3))), np.zeros((2, 3)))
    np.testing.assert_array_equal(jvp(f, (np.zeros((2, 3)),), (np.ones((2, 3)),))[1], 0)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms_at_zero_have_the_subgradient_zero(ord: Any) -> None:
    np.testing.assert_array_equal(grad(lambda x: la.norm(x, ord))(np.zeros((2, 3))), 0)


def test_norms_with_a_zero_element() -> None:
    x = np.array([3.0, 0.0, -4.0])
    np.testing.assert_allclose(grad(la.norm)(x), [0.6, 0, -0.8])
    np.testing.assert_allclose(grad(lambda x: la.norm(x, 1))(x), [1, 0, -1])
    assert np.all(np.isfinite(grad(lambda x: la.norm(x, 1.5))(x)))
    assert np.all(np.isfinite(grad(lambda x: np.sum(grad(la.norm)(x)))(np.zeros(2))))


def test_largest_elements_share_the_derivative() -> None:
    np.testing.assert_array_equal(
        grad(lambda x: la.norm(x, np.inf))(np.array([2.0, -2.0, 1.0])), [0.5, -0.5, 0]
    )


def test_norm_takes_lists_of_errors_from_numpy() -> None:
    for args in (("fro", 0), (2, (0, 0)), ("nuc", (0, 1, 2)), (7, (0, 1))):
        with pytest.raises(ValueError):  # noqa: PT011  # NumPy's, whatever it says
            la.norm(SQUARE, *args)
        with pytest.raises(ValueError):  # noqa: PT011
            grad(lambda x, args=args: np.sum(la.norm(x, *args)))(SQUARE)
    with pytest.raises(MissingRuleError, match="traced ord"):
        grad(lambda p: la.norm(SQUARE[0] * p, p))(3.0)


def test_order_zero_counts() -> None:
    assert float(vjp(lambda x: la.norm(x, 0) + 0 * x[0], np.array([1.0, 0.0, 2.0]))[0]) == 2.0


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_is_kept(dtype: type) -> None:
    a = SYMMETRIC.astype(dtype)
    for f in (
        la.norm, lambda a: la.norm(a, 3, axis=0), lambda a: la.eigh(a)[0], lambda a: la.svd(a)[1],
        lambda a: la.slogdet(a)[1], lambda a: la.qr(a)[1], la.cholesky, la.cond, la.pinv,
        lambda a: la.lstsq(a, a[0])[0], lambda a: np.abs(la.eig(a)[1]),
    ):  # fmt: skip
        value, pullback = vjp(f, a)
        assert value.dtype == f(a).dtype
        assert pullback(np.ones_like(value))[0].dtype == dtype
        assert jvp(f, (a,), (a,))[1].dtype == value.dtype


# What Autograd has silently wrong: complex pinv, cholesky and slogdet, norm with keepdims.
@pytest.mark.parametrize(
    "f",
    [
        la.pinv,
        lambda a: la.cholesky(a @ np.conj(a.T)),
        lambda a: la.slogdet(a)[0],
        lambda a: la.slogdet(a)[1],
    ],
    ids=["pinv", "cholesky", "slogdet-sign", "slogdet-log"],
)
def test_complex_derivatives_that_are_often_wrong(f: Any) -> None:
    check_grads(f, COMPLEX)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, np.inf])
@pytest.mark.parametrize("axis", [0, -1, (0, 1), (2, 0)])
def test_norm_with_keepdims(ord: Any, axis: Any) -> None:
    if isinstance(axis, tuple) and ord == 3:
        ord = "fro"
    kept, dropped = (
        vjp(lambda x, k=k: la.norm(x, ord, axis, keepdims=k), STACK) for k in (True, False)
    )
    assert kept[0].ndim == STACK.ndim
    np.testing.assert_array_equal(np.squeeze(kept[0], axis), dropped[0])
    weights = array(*dropped[0].shape)
    found = kept[1](np.expand_dims(weights, axis))[0]
    np.testing.assert_allclose(found, dropped[1](weights)[0])


def test_norms_at_zero_have_second_derivatives_zero() -> None:
    for f in (la.norm, lambda x: np.sum(la.norm(x[None], axis=1)), lambda x: la.norm(x, 3)):
        np.testing.assert_array_equal(hessian(f)(np.zeros(2)), 0)


@pytest.mark.parametrize("ord", [1, 2, np.inf, "fro", "nuc"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0, 3)])
def test_norms_of_empty_matrices(ord: Any, shape: tuple[int, ...]) -> None:
    value, pullback = vjp(lambda x: la.norm(x, ord, axis=(-2, -1)), np.zeros(shape))
    np.testing.assert_array_equal(value, la.norm(np.zeros(shape), ord, axis=(-2, -1)))
    assert pullback(np.ones_like(value))[0].shape == shape


def test_norms_of_whole_arrays_are_numbers() -> None:
    for f in (lambda x: la.norm(x, 1), lambda x: la.norm(x, "fro"), la.vector_norm, la.cond):
        assert isinstance(vjp(f, SQUARE)[0], np.float64)


RANK_ONE = np.outer([1.0, 2.0, -1.0], [1.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("qr", lambda a: np.sum(la.qr(a)[1])),
        ("cond", la.cond),
        ("cond", lambda a: la.cond(a, 1)),
        ("cond", lambda a: la.cond(a, -2)),
    ],
)
def test_deficient_rank_has_no_derivative(name: str, f: Any) -> None:
    """Neither rounding errors divided by each other, nor a bare LinAlgError, nor a warning."""
    for a in (RANK_ONE, np.zeros((2, 2)), np.diag([1.0, 0.0])):
        with pytest.raises(NonFiniteError, match=rf"^{name}: the matrix has no full rank"):
            grad(f)(a)


def test_errors_are_those_of_numpy() -> None:
    cases: list[tuple[Any, Any, type[Exception]]] = [
        (lambda a: la.matrix_power(a, 1.5), SQUARE, TypeError),
        (lambda a: la.matrix_power(a, 1), WIDE, la.LinAlgError),
        (lambda a: la.eigvalsh(a), VECTOR, la.LinAlgError),
        (lambda a: la.eigvalsh(a), WIDE, la.LinAlgError),
        (lambda a: la.cholesky(a), WIDE, la.LinAlgError),
        (lambda a: la.qr(a)[0], VECTOR, la.LinAlgError),
        (lambda a: la.cond(a), np.zeros((0, 0)), la.LinAlgError),
        (lambda a: la.cond(a), VECTOR, la.LinAlgError),
        (lambda a: la.norm(a, -2), np.zeros((0, 0)), ValueError),
        (lambda a: la.multi_dot([a]), SQUARE, ValueError),
    ]
    for f, a, error in cases:
        for call in (f, lambda a, f=f: vjp(f, a)):
            with pytest.raises(error):
                call(a)
