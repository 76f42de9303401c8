"""Samples of rules/linalg.py, decompositions.py, spectra.py and norms.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.autodiff.trace import value_of
from retrograd.testing.samples.sample import CUBE, MATRIX, Sample, Samples, array, calls

la = np.linalg


@dataclass(frozen=True)
class Hermitian(Sample):
    """A call of a function of Hermitian matrices, whose gradient is Hermitian by convention."""

    def filled(self, traced: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The Hermitian parts of the traced arguments in their places."""
        halves = [(x + np.conj(np.swapaxes(x, -1, -2))) / 2 for x in traced]
        return super().filled(halves)


@dataclass(frozen=True)
class Floats(Sample):
    """A call of a function that returns whole numbers beside floats: of the latter alone."""

    def closed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The results of a floating-point kind, as a function of the traced arguments."""
        call = super().closed(function)

        def floats(*traced: Any) -> Any:
            results = call(*traced)
            return tuple(x for x in results if np.result_type(value_of(x)).kind in "fc")

        return floats


def hermitian(*calls: tuple[Any, ...], is_complex: bool = True) -> list[Sample]:
    """Calls by positional arguments; a dict at the end holds the keywords."""
    return [
        Hermitian(c[:-1], c[-1], is_complex=is_complex)
        if isinstance(c[-1], dict)
        else Hermitian(c, is_complex=is_complex)
        for c in calls
    ]


def real(*given: tuple[Any, ...], traced: tuple[int | str, ...] = (0,)) -> list[Sample]:
    """Calls of what complex arguments determine up to a phase only."""
    return [Sample(c.args, c.kwargs, traced, is_complex=False) for c in calls(*given)]


def regular(*shape: int) -> Any:
    """Square matrices far from singular, with eigenvalues apart."""
    n = shape[-1]
    return array(*shape) * 0.5 + np.diag(1.5 + 0.7 * np.arange(n))


SQUARE = regular(3, 3)
STACK = regular(2, 3, 3)
# Two of its eigenvalues are a conjugate pair.
SKEW = np.array([[0.4, 1.3, 0.2], [-0.9, 0.7, 0.1], [0.3, 0.2, 2.1]])
TALL, WIDE = array(4, 2), array(2, 4)
VECTOR = array(3) * 0.9
_ORDERS: tuple[Any, ...] = (None, 2, 1, np.inf, -np.inf, 3, 1.5, -1, 0.5)
_MATRIX_ORDERS: tuple[Any, ...] = ("fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)

SAMPLES: Samples = {
    la.inv: calls((SQUARE,), (STACK,), (regular(1, 1),), (np.zeros((0, 2, 2)),)),
    la.det: calls((SQUARE,), (STACK,), (regular(1, 1),), (np.zeros((0, 2, 2)),)),
    la.slogdet: calls((SQUARE,), (STACK,), (-regular(1, 1),)),
    la.solve: [
        *calls(
            (SQUARE, VECTOR),
            (SQUARE, array(3, 2)),
            (STACK, VECTOR),
            (STACK, array(3, 2)),
            (SQUARE, array(2, 3, 1)),
            (STACK, array(2, 3, 2)),
            traced=(0, 1),
        ),
        *calls((SQUARE, {"b": VECTOR}), (STACK, {"b": array(2, 3, 1)}), traced=(0, "b")),
        *calls((SQUARE, {"b": VECTOR}), traced=("b",)),
        *calls((SQUARE, VECTOR), traced=(0,)),
    ],
    la.tensorsolve: calls(
        (regular(6, 6).reshape(2, 3, 6), array(2, 3)),
        (regular(6, 6).reshape(6, 2, 3).transpose(1, 0, 2), array(6), {"axes": (0, 2)}),
        traced=(0, 1),
    ),
    la.tensorinv: calls(
        (regular(6, 6).reshape(2, 3, 6),), (regular(6, 6).reshape(6, 3, 2), {"ind": 1})
    ),
    la.pinv: [
        *calls((TALL,), (WIDE,), (array(2, 4, 2),), (SQUARE, 1e-10), (TALL, {"rtol": 1e-9})),
        *hermitian((SQUARE, {"hermitian": True})),
    ],
    la.lstsq: [
        Floats((TALL, array(4)), traced=(0, 1)),
        Floats((TALL, array(4, 3)), traced=(0, 1)),
        Floats((WIDE, array(2)), traced=(0, 1)),
        Floats((TALL, array(4)), {"rcond": 1e-9}, traced=(0, 1)),
        Floats((TALL,), {"b": array(4)}, traced=("b",)),
    ],
    la.matrix_power: calls((SQUARE, 3), (STACK, 2), (SQUARE, -2), (SQUARE, 1), (SQUARE, 6)),
    la.multi_dot: calls(
        ([array(2, 3), array(3, 4) * 0.9, array(4, 2) * 0.8],),
        ([array(3), array(3, 4), array(4) * 0.8],),
        ([array(2, 3), array(3, 2) * 0.8],),
        ([array(2, 3), array(3, 1) * 0.8, array(1, 4), array(4)],),
    ),
    la.matmul: calls((MATRIX, array(3, 2)), (VECTOR, array(3) * 0.7), traced=(0, 1)),
    la.tensordot: calls((MATRIX, MATRIX * 0.8), (CUBE, array(3, 4), {"axes": 2}), traced=(0, 1)),
    la.outer: calls((VECTOR, array(2)), traced=(0, 1)),
    la.vecdot: calls(
        (MATRIX, MATRIX * 0.7), (MATRIX, VECTOR), (MATRIX, array(2, 1), {"axis": 0}), traced=(0, 1)
    ),
    la.matrix_transpose: calls((MATRIX,), (CUBE,)),
    la.diagonal: calls(
        (MATRIX,), (CUBE, {"offset": 1}), (CUBE, {"offset": -1}), (MATRIX, {"offset": 5})
    ),
    la.trace: calls((SQUARE,), (CUBE, {"offset": 1}), (MATRIX, {"offset": -1})),
    la.cross: calls(
        (VECTOR, array(3) * 0.6),
        (MATRIX, VECTOR),
        (array(3, 2), array(3, 2) * 0.8, {"axis": 0}),
        (array(3, 1, 2), array(3, 4, 1) * 0.8, {"axis": 0}),
        traced=(0, 1),
    ),
    la.cholesky: hermitian((SQUARE,), (STACK,), (SQUARE, {"upper": True}), (np.zeros((0, 2, 2)),)),
    la.qr: calls(
        (SQUARE,),
        (TALL,),
        (WIDE,),
        (array(2, 3, 2),),
        (SQUARE, "complete"),
        (WIDE, "complete"),
        (TALL, {"mode": "r"}),
        (WIDE, "r"),
    ),
    la.eigh: hermitian(
        (SQUARE,), (STACK,), (SQUARE, "U"), (SQUARE, {"UPLO": "u"}), is_complex=False
    ),
    la.eigvalsh: hermitian((SQUARE,), (STACK,), (SQUARE, "U"), (SQUARE, {"UPLO": "L"})),
    la.eig: calls((SQUARE,), (SKEW,), (np.stack([SKEW, SQUARE]),)),
    la.eigvals: calls((SQUARE,), (SKEW,), (np.stack([SKEW, SQUARE]),)),
    la.svd: [
        *real((SQUARE,), (TALL, False), (WIDE, {"full_matrices": False}), (array(2, 4, 3), False)),
        *calls((TALL, {"compute_uv": False}), (WIDE, False, False)),
    ],
    la.svdvals: calls((TALL,), (WIDE,), (STACK,)),
    la.norm: [
        *calls(*((VECTOR, ord) for ord in _ORDERS), *((SQUARE, ord) for ord in _MATRIX_ORDERS)),
        *calls(*((CUBE, ord, (0, -1), True) for ord in _MATRIX_ORDERS)),
        *calls(*((CUBE, ord, (-1, 1)) for ord in _MATRIX_ORDERS)),
        *calls(
            (MATRIX,),
            (CUBE,),
            (CUBE, None, None, True),
            (CUBE, {"axis": (2, 0)}),
            (0.4,),
            (MATRIX, {"axis": 0}),
            (MATRIX, 3, -1, True),
            (MATRIX, {"ord": 1, "axis": (1,)}),
            (MATRIX, 0, 1),
            (MATRIX, {"keepdims": True}),
        ),
    ],
    la.vector_norm: [
        *calls(*((MATRIX, {"ord": ord}) for ord in _ORDERS)),
        *calls(
            (CUBE, {"axis": (0, -1), "keepdims": True}),
            (CUBE, {"axis": 1, "ord": 3}),
            (MATRIX, {"keepdims": True}),
            (0.4,),
        ),
    ],
    la.matrix_norm: [
        *calls(*((CUBE, {"ord": ord}) for ord in _MATRIX_ORDERS)),
        *calls((MATRIX, {"keepdims": True}), (MATRIX,)),
    ],
    la.cond: calls(*((SQUARE, p) for p in (None, *_MATRIX_ORDERS)), (STACK,), (STACK, 1), (TALL,)),
}
