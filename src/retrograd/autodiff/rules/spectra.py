"""Eigenvalues, eigenvectors and singular values.

Eigenvectors and singular vectors are determined up to a sign or, of complex matrices, a phase.
Their derivatives keep it: they are right for everything that does not depend on it, and a
gradient of something that does is refused. (`eig` fixes the phase: unit norm, the largest element
real. There the derivatives are those of the very vectors that NumPy returns.)

Where eigenvalues coincide, the eigenvectors have no derivative: `NonFiniteError`, unless those
vectors do not take part. The derivative of the eigenvalues, `eigvalsh`, `eigvals` and
`svdvals`, remains right for every symmetric function of those that coincide. Of a singular value
that is zero, where it has a kink, the derivative is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import Primitive, match, plain_array, rule, shape_of, stands_for
from retrograd.autodiff.rules.linalg import solve_matrices
from retrograd.autodiff.rules.matrix_parts import (
    adjoint,
    diagonal_of,
    hermitian_part,
    identity,
    off_diagonal,
    read_as_hermitian,
)
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import (
    CompilationError,
    DifferentiationError,
    MissingRuleError,
    NonFiniteError,
)

la = np.linalg

# Numerators below this many roundings of the largest one count as zero.
_NOISE = 1e3


def _divide(x: Any, by: Any, floor: Any, what: str) -> Any:
    vanishing = np.abs(by) <= floor
    if not vanishing.any():
        return x / by
    size = np.abs(x)
    if np.any(size[vanishing] > _NOISE * np.finfo(x.dtype).eps * np.max(size, initial=0)):
        raise NonFiniteError(
            f"{what} coincide, or vanish, to rounding: the vectors that belong to them have no "
            "derivative. If only the values are needed, use eigvalsh, eigvals or svdvals; or "
            "separate them by a small perturbation of the matrix."
        )
    return np.where(vanishing, 0, x / np.where(vanishing, 1, by)).astype(x.dtype, copy=False)


# x/by, where 0/0 is 0 and everything else over 0 an error, in both modes.
divided = rule(
    Primitive(_divide),
    [
        lambda g, ans, x, by, floor, what: match(divided(g, by, floor, what), x),
        lambda g, ans, x, by, floor, what: match(-divided(g * ans, by, floor, what), by),
    ],
    [
        lambda d, ans, x, by, floor, what: divided(d, by, floor, what),
        lambda d, ans, x, by, floor, what: -divided(d * ans, by, floor, what),
    ],
)


def _same(x: Any, what: str) -> Any:
    return x


def _phase_free(g: Any, ans: Any, x: Any, what: str) -> Any:
    """Refuse a cotangent that pairs with a change of phase."""
    plain = value_of(g)
    if isinstance(plain, Traced) and is_complex(plain):
        raise CompilationError(
            f"compile: {what}: whether the result depends on the phases of complex vectors, which "
            "are arbitrary, cannot be checked in a compiled program. Leave the derivative of "
            "complex eigenvectors outside of it."
        )
    if isinstance(plain, np.ndarray) and is_complex(plain):
        phases = np.abs(np.imag(np.diagonal(plain, axis1=-2, axis2=-1)))
        # Roundings of the rest, generously: wrong gradients are off by more.
        limit = np.finfo(plain.dtype).eps ** 0.5 * np.max(np.abs(plain), initial=0)
        if np.any(phases > limit):
            raise DifferentiationError(
                f"{what}: the result depends on the phases of complex vectors, which are "
                "arbitrary, so it has no derivative. Use what does not depend on them, such as "
                "absolute values, products v v^H, or vectors divided by the phase of one element."
            )
    return match(g, x)


# The generator of a rotation of vectors, to be had without what turns the phases.
rotation = rule(Primitive(_same), [_phase_free], [lambda d, ans, x, what: d])


def _floor(values: Any) -> Any:
    """What counts as no difference between eigenvalues: their own rounding errors."""
    sizes = np.abs(plain_array(values))
    largest = np.max(sizes, axis=-1, initial=0)[..., None, None]
    return (largest * (sizes.shape[-1] * np.finfo(sizes.dtype).eps)).astype(sizes.dtype)


def mixing(s: Any, values: Any, what: str) -> Any:
    """How eigenvectors mix: s_ij / (w_j - w_i) off the diagonal, zeros on it."""
    gaps = np.expand_dims(values, -2) - np.expand_dims(values, -1) + identity(values)
    return off_diagonal(divided(s, gaps, _floor(values), what))


def _eigh_jvp(d: Any, ans: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = ans
    s = adjoint(v) @ hermitian_part(d) @ v
    turn = rotation(mixing(s, w, "eigh: eigenvalues that"), "eigh")
    return np.real(diagonal_of(s)), v @ turn


_eigh = rule(Primitive(la.eigh, outputs=True), jvps=[_eigh_jvp])
_EighResult: Any = type(la.eigh(np.eye(1)))


@stands_for(la.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigh`; the gradient is Hermitian, as the matrix is (see `cholesky`)."""
    return _EighResult(*_eigh(read_as_hermitian(a, UPLO.upper() == "L"), UPLO))


def _eigvalsh_vjp(g: Any, ans: Any, a: Any, UPLO: str = "L") -> Any:
    v = _eigh(a, UPLO)[1]
    return hermitian_part(np.conj(v) * np.expand_dims(g, -2) @ np.swapaxes(v, -1, -2))


def _eigvalsh_jvp(d: Any, ans: Any, a: Any, UPLO: str = "L") -> Any:
    v = _eigh(a, UPLO)[1]
    return np.real(np.sum(np.conj(v) * (hermitian_part(d) @ v), axis=-2))


_eigvalsh = rule(Primitive(la.eigvalsh), [_eigvalsh_vjp], [_eigvalsh_jvp])


@stands_for(la.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigvalsh`; the gradient is Hermitian, as the matrix is (see `cholesky`)."""
    return _eigvalsh(read_as_hermitian(a, UPLO.upper() == "L"), UPLO)


def _in_eigenbasis(d: Any, v: Any, what: str) -> Any:
    """V^-1 D V; a defective matrix has not enough eigenvectors for it."""
    plain = value_of(v)
    if isinstance(plain, np.ndarray) and plain.size:
        with np.errstate(all="ignore"):
            worst = np.max(la.cond(plain, 1))
        if not worst < 0.01 / np.finfo(plain.dtype).eps:
            raise NonFiniteError(
                f"{what}: the matrix is defective to rounding (its eigenvectors do not span the "
                "space), and its eigenvalues have no derivative there"
            )
    return solve_matrices(v, d @ v)


def _eig_jvp(d: Any, ans: Any, a: Any) -> Any:
    w, v = ans
    s = _in_eigenbasis(d, v, "eig")
    moved = v @ mixing(s, w, "eig: eigenvalues that")
    excess = np.real(np.sum(np.conj(v) * moved, axis=-2, keepdims=True))
    if is_complex(v):
        excess = excess + 1j * np.imag(_at_largest(moved, v) / _at_largest(v, v))
    return diagonal_of(s), moved - v * excess


def _at_largest(x: Any, v: Any) -> Any:
    """The element of each column of `x` where that of `v` is largest (LAPACK makes it real)."""
    sizes = np.abs(value_of(v))
    first = np.argmax(sizes, axis=-2)[..., None, :]
    return np.sum(np.where(np.arange(sizes.shape[-2])[:, None] == first, x, 0), -2, keepdims=True)


_eig = rule(Primitive(la.eig, outputs=True), jvps=[_eig_jvp])
_EigResult: Any = type(la.eig(np.eye(1)))


@stands_for(la.eig)
def eig(a: Any) -> Any:
    """`numpy.linalg.eig`."""
    return _EigResult(*_eig(a))


def _eigenvalues(a: Any) -> Any:
    # `eigvals` may give them in another order than `eig`, whose vectors the rule needs.
    return la.eig(a)[0]


def _eigenvalues_jvp(d: Any, ans: Any, a: Any) -> Any:
    return diagonal_of(_in_eigenbasis(d, _eig(a)[1], "eigvals"))


eigenvalues = rule(Primitive(_eigenvalues), jvps=[_eigenvalues_jvp])


@stands_for(la.eigvals)
def eigvals(a: Any) -> Any:
    """`numpy.linalg.eigvals`."""
    return eigenvalues(a)


def svd_jvp(d: Any, ans: Any, a: Any, full_matrices: bool) -> Any:
    """The tangents of U, s and V^H."""
    u, s, vh = ans
    v = adjoint(vh)
    k = shape_of(s)[-1]
    u1, v1 = u[..., :k], v[..., :k]
    inside = adjoint(u1) @ d @ v1
    symmetric = hermitian_part(inside)
    common = rotation(mixing(symmetric, s, "svd: singular values that"), "svd")
    sums = np.expand_dims(s, -2) + np.expand_dims(s, -1)
    apart = divided(inside - symmetric, sums, _floor(s), "svd: singular values that")
    moved_u = _with_complement(u1 @ (common + apart), d @ v1, u, s, full_matrices)
    moved_v = _with_complement(v1 @ (common - apart), adjoint(d) @ u1, v, s, full_matrices)
    return moved_u, _values_jvp(inside, s, shape_of(a)), adjoint(moved_v)


def _values_jvp(inside: Any, s: Any, shape: tuple[int, ...]) -> Any:
    """The derivative of singular values; of those that are zero to rounding, 0."""
    plain = value_of(s)
    floor = np.max(plain, axis=-1, keepdims=True, initial=0) * (
        max(shape[-2:]) * float(np.finfo(plain.dtype).eps)
    )
    return np.where(plain > floor, np.real(diagonal_of(inside)), 0)


def _with_complement(moved: Any, image: Any, u: Any, s: Any, full: bool) -> Any:
    """Add how the singular vectors leave their span; their complement turns against it."""
    size, k = shape_of(u)[-2], shape_of(s)[-1]
    if size == k:
        return moved
    u1 = u[..., :k]
    out = image - u1 @ (adjoint(u1) @ image)
    floor = _floor(s)[..., 0]
    out = divided(out, np.broadcast_to(np.expand_dims(s, -2), shape_of(out)),
                  np.broadcast_to(floor[..., None], shape_of(out)),
                  "svd: singular values that")  # fmt: skip
    if not full:
        return moved + out
    rest = u[..., k:]
    return np.concatenate([moved + out, -(u1 @ (adjoint(out) @ rest))], axis=-1)


_svd = rule(Primitive(la.svd, outputs=True), jvps=[svd_jvp])
_SVDResult: Any = type(la.svd(np.eye(1)))


@stands_for(la.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """`numpy.linalg.svd`.

    With `full_matrices` the columns beyond the singular values are an arbitrary basis of the
    complement: the derivative is right for functions of the space that they span.
    """
    if hermitian:
        raise MissingRuleError(
            "svd: no derivative rule covers hermitian=True; leave it out, or use eigh"
        )
    if not compute_uv:
        return singular_values(a)
    return _SVDResult(*_svd(a, full_matrices))


def _singular_values(a: Any) -> Any:
    return la.svd(a, compute_uv=False)


def _singular_values_jvp(d: Any, ans: Any, a: Any) -> Any:
    u, s, vh = _svd(a, False)
    return _values_jvp(adjoint(u) @ d @ adjoint(vh), s, shape_of(a))


singular_values = rule(Primitive(_singular_values), jvps=[_singular_values_jvp])


@stands_for(la.svdvals)
def svdvals(x: Any, /) -> Any:
    """`numpy.linalg.svdvals`."""
    return singular_values(x)
