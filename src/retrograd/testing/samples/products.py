"""Samples of rules/products.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import (
    CUBE,
    Samples,
    array,
    calls,
    products,
)

SAMPLES: Samples = {
    np.matmul: products(
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((5, 2, 3), (5, 3, 2)),
        ((5, 2, 3), (3, 2)), ((2, 3), (5, 3, 2)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)),
        ((4, 1, 2, 3), (5, 3, 2)), ((2, 0), (0, 3)),
    ),
    np.dot: products(
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (4, 3, 2)),
        ((), (3,)), ((2, 3), ()), ((3,), (4, 3, 2)), ((2, 2, 3), (3,)), ((), ()),
    ),
    np.tensordot: [
        *products(((2, 3, 4), (3, 4, 2))),
        *calls(
            (CUBE, CUBE * 0.8, 0),
            (CUBE, array(4, 2), 1),
            (CUBE, array(4, 3, 2), ([1, 2], [1, 0])),
            (CUBE, array(4, 3, 2), ([-1, 0], [0, -1])),
            (CUBE, array(3, 2), (1, 0)),
            (CUBE, CUBE * 0.8, {"axes": 3}),
            traced=(0, 1),
        ),
    ],
    np.outer: products(((3,), (2,)), ((2, 2), (3,)), ((), (3,)), ((0,), (2,))),
    np.inner: products(
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (4, 2, 3)),
        ((), (3,)), ((2, 3), ()), ((), ()),
    ),
    np.vdot: products(((3,), (3,)), ((2, 3), (3, 2)), ((2, 3), (6,)), ((), ())),
    np.kron: products(
        ((2,), (3,)), ((2, 3), (2, 2)), ((2, 3, 2), (2, 1, 3)), ((2, 3, 2), (3,)), ((3,),
        (2, 2, 2)),
        ((), (2, 3)), ((2, 3), ()),
    ),
    np.vecdot: products(((3,), (3,)), ((2, 3), (3,)), ((4, 1, 3), (2, 3))),
    np.cross: [
        *products(((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((4, 1, 3), (2, 3))),
        *calls(
            (array(3, 2), array(2, 3) * 0.8, 0, 1),
            (array(3, 2), array(2, 3) * 0.8, 0, 1, 0),
            (array(3, 2), array(3, 2) * 0.8, {"axis": 0}),
            (array(2, 3, 4), array(4, 3) * 0.8, {"axisa": 1, "axisb": -1, "axisc": 1}),
            (array(3, 2, 4), array(4, 3) * 0.8, {"axisa": 0, "axisb": 1, "axisc": -2}),
            traced=(0, 1),
        ),
    ],
}  # fmt: skip

if hasattr(np, "matvec"):
    SAMPLES |= {
        np.matvec: products(
            ((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)), ((4, 1, 2, 3), (5, 3))
        ),
        np.vecmat: products(
            ((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (4, 3, 2)), ((4, 1, 3), (5, 3, 2))
        ),
    }
