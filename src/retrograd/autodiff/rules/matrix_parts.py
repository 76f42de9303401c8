"""What the rules of linear algebra say about (stacks of) matrices: transposes, parts, diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import plain_array, shape_of
from retrograd.autodiff.trace import value_of
from retrograd.errors import NonFiniteError


def transposed(a: Any) -> Any:
    """Each matrix of a stack transposed."""
    return np.swapaxes(a, -1, -2)


def adjoint(a: Any) -> Any:
    """Each matrix of a stack transposed and conjugated."""
    turned = np.swapaxes(a, -1, -2)
    return np.conj(turned) if is_complex(a) else turned


def hermitian_part(a: Any) -> Any:
    """(A + A^H)/2."""
    return (a + adjoint(a)) / 2


def identity(a: Any) -> Any:
    """The identity of the size and dtype of the last axis of `a`, a plain array."""
    return np.eye(shape_of(a)[-1], dtype=a.dtype)


def diagonal_of(a: Any) -> Any:
    """The diagonals of square matrices."""
    return np.sum(a * identity(a), axis=-1)


def off_diagonal(a: Any) -> Any:
    """Square matrices with their diagonals replaced by zeros."""
    return a * (1 - identity(a))


def _below(a: Any, k: int) -> Any:
    """Where a matrix is on or below diagonal `k`."""
    rows, columns = shape_of(a)[-2:]
    return np.tri(rows, columns, k, dtype=bool)


def lower_part(a: Any, k: int = 0) -> Any:
    """The elements on and below diagonal `k`, zeros elsewhere."""
    return np.where(_below(a, k), a, 0)


def upper_part(a: Any, k: int = 0) -> Any:
    """The elements on and above diagonal `k`, zeros elsewhere."""
    return np.where(_below(a, k - 1), 0, a)


def read_as_hermitian(a: Any, lower: bool = True) -> Any:
    """What a function of Hermitian matrices sees that reads one triangle only.

    A Hermitian matrix is returned as it is, so that gradients are Hermitian. Of any other, the
    triangle that is read is mirrored, so that the gradient is that of the elements read.
    """
    plain = value_of(a)
    if np.ndim(a) < 2 or shape_of(a)[-1] != shape_of(a)[-2]:
        return a  # the function itself refuses it
    if not isinstance(plain, np.ndarray) or _is_hermitian(plain):
        return a
    if lower:
        return np.real(a) * identity(a) + lower_part(a, -1) + adjoint(lower_part(a, -1))
    return np.real(a) * identity(a) + upper_part(a, 1) + adjoint(upper_part(a, 1))


def check_full_rank(name: str, sizes: Any, shape: tuple[int, ...]) -> None:
    """Refuse matrices whose rank is deficient to rounding.

    Args:
        name: of the function, for the message.
        sizes: of each matrix some sizes (along the last axis) of which one vanishes if, and only
            if, the rank is deficient: singular values, pivots.
        shape: of the matrices.

    Raises:
        NonFiniteError: one of them has no full rank.
    """
    sizes = np.abs(plain_array(sizes))
    if not isinstance(sizes, np.ndarray) or not sizes.size:
        return
    floor = np.max(sizes, axis=-1) * (max(shape[-2:]) * float(np.finfo(sizes.dtype).eps))
    if np.any(np.min(sizes, axis=-1) <= floor):
        raise NonFiniteError(
            f"{name}: the matrix has no full rank, to rounding, and there {name} has no "
            "derivative. Add a small perturbation that restores the rank, such as a multiple of "
            "the identity."
        )


def _is_hermitian(a: Any) -> bool:
    """Whether what breaks the symmetry could be rounding."""
    difference = np.max(np.abs(a - adjoint(a)), initial=0)
    return bool(difference <= np.finfo(a.dtype).eps ** 0.5 * np.max(np.abs(a), initial=0))
