"""Samples of retrograd.scipy.linalg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sl

import retrograd.scipy.linalg
from retrograd.testing.samples.linalg import (
    SKEW,
    SQUARE,
    STACK,
    TALL,
    VECTOR,
    WIDE,
    Floats,
    Hermitian,
    hermitian,
    real,
    regular,
)
from retrograd.testing.samples.sample import Sample, Samples, array, calls

assert retrograd.scipy.linalg  # registers SciPy's functions


@dataclass(frozen=True)
class Factored(Sample):
    """A call whose first argument is a pair of a traced array and of plain `facts` about it."""

    facts: Any = None

    def filled(self, traced: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, with the pair in its place."""
        args, kwargs = super().filled(traced)
        return [(args[0], self.facts), *args[1:]], kwargs


@dataclass(frozen=True)
class Part(Hermitian):
    """A call of a function of Hermitian matrices of which the first result is checked."""

    def closed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The first result, as a function of the traced arguments."""
        call = super().closed(function)
        return lambda *traced: call(*traced)[0]


def _definite() -> list[Sample]:
    """Generalised eigenvalue problems."""
    return [
        Hermitian((SQUARE, regular(3, 3) * 0.8 + np.eye(3)), traced=(0, 1), is_complex=False),
        Hermitian((SQUARE,), {"b": regular(3, 3) + np.eye(3)}, (0, "b"), is_complex=False),
    ]


_SMALL = SQUARE * 0.3
_BANDS = array(4, 5) + np.array([0.0, 0.0, 4.0, 0.0])[:, None]
_HERMITIAN_BANDS = array(3, 5) * 0.5
# A matrix whose eigenvalues keep away from the cuts and poles of the functions.
_TAME = np.array([[1.2, 0.3, -0.2], [0.1, 1.5, 0.25], [-0.15, 0.2, 0.9]])
_PIVOTS = sl.lu_factor(SKEW)[1]

SAMPLES: Samples = {
    sl.inv: [*calls((SQUARE,), (STACK,)), *hermitian((SQUARE, {"assume_a": "pos"}))],
    sl.det: calls((SQUARE,), (STACK,)),
    sl.pinv: calls((TALL,), (WIDE,), (TALL, {"rtol": 1e-9}), (array(2, 4, 2), {"atol": 1e-9})),
    sl.lstsq: [
        Floats((TALL, array(4)), traced=(0, 1)),
        Floats((TALL, array(4, 3)), traced=(0, 1)),
        Floats((WIDE, array(2)), {"cond": 1e-9}, traced=(0, 1)),
    ],
    sl.solve: [
        *calls((SQUARE, VECTOR), (SQUARE, array(3, 2)), (STACK, array(3, 2)), traced=(0, 1)),
        *calls((SQUARE, {"b": VECTOR, "assume_a": "gen"}), traced=(0, "b")),
        *calls((SQUARE, VECTOR, {"assume_a": "upper triangular"}), traced=(0, 1)),
        *calls((SQUARE, VECTOR, {"assume_a": "lower triangular"}), traced=(0, 1)),
        *hermitian(
            (SQUARE, VECTOR, {"assume_a": "pos"}),
            (SQUARE, VECTOR, {"assume_a": "her", "lower": True}),
        ),
        *real(
            (SQUARE, VECTOR, {"transposed": True}),
            (np.tril(SQUARE), VECTOR, {"assume_a": "sym", "lower": True}),
        ),
    ],
    sl.solve_triangular: [
        *calls(
            (SQUARE, VECTOR),
            (SQUARE, array(3, 2)),
            (SQUARE, VECTOR, 1),
            (SQUARE, VECTOR, "C", True),
            (SQUARE, VECTOR, 0, True, True),
            (SQUARE, VECTOR, {"trans": "T", "unit_diagonal": True}),
            (STACK, array(2, 3, 2)),
            traced=(0, 1),
        ),
        *calls((SQUARE, {"b": VECTOR}), traced=("b",)),
    ],
    sl.solve_sylvester: calls((SQUARE, regular(2, 2), array(3, 2)), traced=(0, 1, 2)),
    sl.solve_continuous_lyapunov: calls((SQUARE, array(3, 3)), traced=(0, 1)),
    sl.solve_discrete_lyapunov: calls(
        (_SMALL, array(3, 3)), (_SMALL, array(3, 3), "bilinear"), traced=(0, 1)
    ),
    sl.solve_banded: [
        Sample(((1, 2), _BANDS, array(5)), traced=(1, 2)),
        Sample(((1, 2), _BANDS, array(5, 2)), traced=(1, 2)),
        Sample(((2, 1), _BANDS[::-1], array(5)), traced=(1, 2)),
        Sample(((0, 1), _BANDS[1:3], array(5)), traced=(1, 2)),
        Sample(((1, 0), _BANDS[2:], array(5)), traced=(1, 2)),
    ],
    sl.solveh_banded: [
        Sample(
            (_HERMITIAN_BANDS + np.array([[0.0], [0.0], [5.0]]), array(5)),
            traced=(0, 1),
            is_complex=False,
        ),
        Sample(
            (_HERMITIAN_BANDS + np.array([[5.0], [0.0], [0.0]]), array(5, 2)),
            {"lower": True},
            (0, 1),
            is_complex=False,
        ),
    ],
    sl.cholesky: hermitian((SQUARE,), (SQUARE, {"lower": True}), (STACK,)),
    sl.cho_factor: [Part((SQUARE,)), Part((SQUARE, True))],
    sl.cho_solve: [
        Factored((SQUARE, VECTOR), traced=(0, 1), facts=True),
        Factored((SQUARE, array(3, 2)), traced=(0, 1), facts=False),
    ],
    sl.lu: [
        *calls(
            (SKEW, True), (array(4, 3), {"permute_l": True}), (array(3, 4), True), (STACK, True)
        ),
        *[Floats((x,), {"p_indices": True}) for x in (SKEW, array(4, 3), array(3, 4))],
    ],
    sl.lu_factor: [Floats((SKEW,)), Floats((array(4, 4),))],
    sl.lu_solve: [
        Factored((SQUARE, VECTOR), {"trans": trans}, traced=(0, 1), facts=_PIVOTS)
        for trans in (0, 1, 2)
    ],
    sl.qr: [
        *calls(
            (SQUARE,),
            (WIDE,),
            (TALL, {"mode": "economic"}),
            (TALL, {"mode": "r"}),
            (WIDE, {"mode": "r"}),
        ),
        Floats((SKEW,), {"pivoting": True}),
        Floats((TALL,), {"pivoting": True, "mode": "economic"}),
    ],
    sl.svd: [
        *real((SQUARE,), (TALL, False), (WIDE, {"full_matrices": False})),
        *calls((TALL, {"compute_uv": False})),
    ],
    sl.svdvals: calls((TALL,), (WIDE,)),
    sl.eigh: [
        # The signs that the other drivers give jump from one matrix to the next.
        *hermitian(
            (SQUARE, {"driver": "evd"}),
            (SQUARE, {"lower": False, "driver": "ev"}),
            is_complex=False,
        ),
        *hermitian((SQUARE, {"eigvals_only": True})),
        *_definite(),
    ],
    sl.eigvalsh: [*hermitian((SQUARE,), (SQUARE, {"lower": False})), *_definite()],
    sl.eig: calls((SQUARE,), (SKEW,), (SKEW, {"right": False})),
    sl.eigvals: calls((SQUARE,), (SKEW,)),
    sl.polar: calls((SKEW,), (TALL,), (SKEW, "left"), (WIDE, "left")),
    sl.expm: calls((SKEW,), (STACK,), (3 * SKEW,), (np.zeros((2, 2)),)),
    sl.expm_frechet: [
        Sample((SKEW, array(3, 3))),
        Sample((SKEW, array(3, 3)), {"compute_expm": False}),
        Sample((SKEW, array(3, 3)), traced=(0, 1), order=1),  # linear in the second argument
    ],
    sl.fractional_matrix_power: calls((_TAME, 0.7), (_TAME, 2), (_TAME, -0.5)),
    sl.sqrtm: calls((_TAME,), (SKEW,)),
    sl.logm: calls((_TAME,), (SKEW,)),
    sl.signm: real((np.diag([1.0, -2.0, 0.5]) + 0.1 * array(3, 3),)),
    sl.cosm: calls((_TAME,)),
    sl.sinm: calls((_TAME,)),
    sl.tanm: calls((0.4 * _TAME,)),
    sl.coshm: calls((_TAME,)),
    sl.sinhm: calls((_TAME,)),
    sl.tanhm: calls((_TAME,)),
    sl.toeplitz: [
        *calls((array(3),), (array(2, 3),)),
        *calls((array(3), array(4)), traced=(0, 1)),
        *calls((array(3), {"r": array(2)}), traced=("r",)),
    ],
    sl.circulant: calls((array(4),), (array(2, 3),)),
    sl.hankel: [*calls((array(3),)), *calls((array(3), array(4)), traced=(0, 1))],
    sl.solve_toeplitz: [
        *calls((array(4) + np.array([5.0, 0, 0, 0]), array(4, 2)), traced=(0, 1)),
        *calls(((np.array([4.0, 0.3, -0.7]), np.array([4.0, 0.9, 0.2])), VECTOR), traced=(0, 1)),
    ],
    sl.matmul_toeplitz: calls(
        (array(3), VECTOR), ((array(3), array(4)), array(4, 2)), traced=(0, 1)
    ),
    sl.block_diag: calls((array(2, 3), array(1, 2), array(2), 0.4), traced=(0, 1, 2, 3)),
    sl.khatri_rao: calls((array(2, 3), array(4, 3)), traced=(0, 1)),
    sl.norm: calls(
        (SQUARE,),
        (SQUARE, 1),
        (SQUARE, "nuc"),
        (VECTOR, 3),
        (array(2, 3), {"axis": 0, "keepdims": True}),
    ),
}
