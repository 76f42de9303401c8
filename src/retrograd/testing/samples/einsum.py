"""Samples of rules/einsum.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.rules.einsum import rearranged
from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Sample, Samples, array, calls

_SQUARE = array(3, 3)


def _sum(subscripts: str, *shapes: tuple[int, ...], **kwargs: Any) -> Sample:
    operands = [array(*shape) * (1 - 0.1 * i) for i, shape in enumerate(shapes)]
    return Sample((subscripts, *operands), kwargs, tuple(range(1, 1 + len(shapes))))


SAMPLES: Samples = {
    rearranged.function: calls((CUBE, "abc->cab"), (_SQUARE, "aa->a"), (array(2, 2, 3), "aab->ba")),
    np.einsum: [
        _sum("ii->i", (3, 3)),
        _sum("ii", (3, 3)),
        _sum("iii->i", (2, 2, 2)),
        _sum("iij->ji", (2, 2, 3)),
        _sum("ij->ji", (2, 3)),
        _sum("ji", (2, 3)),
        _sum("ij->", (2, 3)),
        _sum("ij->j", (2, 3)),
        _sum("i->i", (3,)),
        _sum("...->...", (2, 3)),
        _sum("i...->...", (2, 3)),
        _sum("...ii->...i", (2, 3, 3)),
        _sum("i,i", (3,), (3,)),
        _sum("i,i->", (3,), (3,)),
        _sum("i,j->ij", (2,), (3,)),
        _sum("ij,jk->ik", (2, 3), (3, 2)),
        _sum("ij, jk", (2, 3), (3, 2)),
        _sum("ij,jk", (2, 3), (3, 2)),
        _sum("ij,kl->jk", (2, 3), (2, 2)),
        _sum("ij,ij->i", (2, 3), (2, 3)),
        _sum("ii,i->i", (3, 3), (3,)),
        _sum("ii,jj->", (2, 2), (3, 3)),
        _sum("ij,ij->i", (1, 3), (2, 3)),
        _sum("ij,jk->ik", (2, 1), (3, 2)),
        _sum("ij,ij->ij", (1, 3), (2, 1)),
        _sum("i,ij->j", (1,), (2, 3)),
        _sum("ij,j->", (1, 1), (3,)),
        _sum("ii,ij->j", (1, 1), (2, 3)),
        _sum("...ij,...jk->...ik", (4, 2, 3), (3, 2)),
        _sum("...i,...i", (2, 1, 3), (4, 3)),
        _sum("i...,i->...", (3, 2), (3,)),
        _sum("...,...", (2, 3), ()),
        _sum(",i->i", (), (3,)),
        _sum(",", (), ()),
        _sum("i,i,i->", (3,), (3,), (3,)),
        _sum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)),
        _sum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4), optimize=True),
        _sum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4), optimize=["einsum_path", (1, 2), (0, 1)]),
        _sum("ij,jk->ik", (40, 41), (41, 42)),
        _sum("ij,j->i", (2, 0), (0,)),
        _sum("Za,aB", (2, 3), (3, 2)),
        _sum("ij,jk->ik", (2, 3), (3, 2), optimize="greedy"),
        _sum("ij->i", (2, 3), dtype=np.complex128),
        *calls((MATRIX, [0, 1], [1]), (_SQUARE, [3, 3]), (CUBE, [Ellipsis, 0], [0, Ellipsis])),
        *calls(
            (MATRIX, [0, 1], MATRIX.T, [1, 2], [0, 2]),
            (MATRIX, [0, 30], MATRIX, [0, 2]),
            traced=(0, 2),
        ),
        *calls(("i,i->i", VECTOR, [1, 2, 3, 4]), traced=(1,)),
        *calls(
            ("i,i->i", [1, 2, 3, 4], VECTOR), ("ij,j->i", np.ones((2, 3)), array(3)), traced=(2,)
        ),
    ],
}
