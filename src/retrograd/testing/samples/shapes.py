"""Samples of rules/shapes.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Samples, array, calls

SAMPLES: Samples = {
    np.reshape: calls(
        (MATRIX, (3, 2)), (MATRIX, -1), (MATRIX, (3, -1), "F"), (MATRIX, (3, 2), "A"),
        (MATRIX, 6), (array(1), ()), (array(0, 2), (0,)),
    ),
    np.ravel: calls((MATRIX,), (MATRIX, "F"), (MATRIX.T, "K"), (0.3,)),
    np.squeeze: calls((array(1, 3, 1),), (array(1, 3, 1), 0), (array(1, 3, 1), (0, -1))),
    np.expand_dims: calls((MATRIX, 0), (MATRIX, -1), (MATRIX, (0, 3)), (0.3, 0)),
    np.transpose: calls((MATRIX,), (CUBE, (1, 2, 0)), (CUBE, (-1, 0, 1)), (CUBE, None)),
    np.matrix_transpose: calls((MATRIX,), (CUBE,)),
    np.swapaxes: calls((CUBE, 0, -1), (MATRIX, {"axis1": 0, "axis2": 1})),
    np.moveaxis: calls((CUBE, 0, -1), (CUBE, (0, 1), (-1, 0))),
    np.rollaxis: calls((CUBE, 2), (CUBE, 0, 2), (CUBE, -1, 1), (CUBE, 1, {"start": 3}),
    (CUBE, 2, -2)),
    np.broadcast_to: calls(
        (array(3), (2, 3)), (array(2, 1), (4, 2, 3)), (0.3, (2,)),
        (array(3), (2, 3), {"subok": True}),
    ),
    np.broadcast_arrays: [
        *calls((MATRIX, array(3) * 0.9), (0.3, VECTOR), (MATRIX, MATRIX * 0.9), traced=(0, 1)),
        *calls((array(2, 1), [1.0, 2.0])),
    ],
    np.atleast_1d: calls((0.3,), (VECTOR,), (0.3, [1.0])),
    np.atleast_2d: calls((0.3,), (VECTOR,), (CUBE,)),
    np.atleast_3d: calls((0.3,), (VECTOR,), (MATRIX,), (CUBE,), (MATRIX, [1.0])),
    np.roll: calls(
        (MATRIX, 1), (MATRIX, -2, 1), (MATRIX, (1, 2), (0, 1)), (MATRIX, 1, {"axis": -1}),
        (MATRIX, 2, (0, 1)), (MATRIX, [1, 1], 1), (array(0), 1),
    ),
    np.flip: calls((MATRIX,), (MATRIX, 0), (MATRIX, (0, -1))),
    np.fliplr: calls((MATRIX,), (CUBE,)),
    np.flipud: calls((VECTOR,), (CUBE,)),
    np.rot90: calls(
        (MATRIX,), (MATRIX, 2), (MATRIX, -1), (MATRIX, 4), (CUBE, 1, (1, 2)),
        (CUBE, {"k": 3, "axes": (-1, 0)}),
    ),
    np.meshgrid: [
        *calls((array(3), array(2)), (array(3), array(2), {"indexing": "ij"}), traced=(0, 1)),
        *calls((array(3), array(2), {"sparse": True}), (array(3), [1.0, 2.0], {"copy": False})),
    ],
    np.ix_: calls((array(3), array(2)), (array(3), [1.0, 2.0]), traced=(0,)),
}  # fmt: skip
