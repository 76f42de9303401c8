"""Samples of rules/calculus.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Sample, Samples, array, calls

_KNOTS = np.array([-1.2, -0.3, 0.1, 0.8, 1.3])
_HEIGHTS = array(5)
_PLACES = np.array([[-2.0, -0.7, 0.05], [0.6, 1.1, 1.9]])
_PHASES = np.array([[0.3, 3.0, -3.0, 2.8, 9.0], [1.0, -2.5, 2.9, 3.1, -3.0]])
_GRID = np.sort(array(4, low=0.2, high=4.0))

SAMPLES: Samples = {
    np.diff: [
        *calls(
            (VECTOR,), (MATRIX,), (CUBE, 2, -1), (CUBE, 1, 0), (MATRIX, {"axis": -2}), (MATRIX, 0)
        ),
        Sample((MATRIX,), {"prepend": 0.3, "append": array(2, 1)}, (0, "prepend", "append")),
        Sample((MATRIX, 1, 0, array(1, 3)), traced=(0, 3)),
    ],
    np.ediff1d: [
        *calls((VECTOR,), (MATRIX,)),
        Sample((MATRIX, array(2), 0.4), traced=(0, 1, 2)),
        Sample((VECTOR,), {"to_begin": array(2)}, (0, "to_begin")),
    ],
    np.gradient: [
        *calls(
            (VECTOR,),
            (CUBE[:, :2],),
            (VECTOR, {"edge_order": 2}),
            (CUBE, {"axis": -1, "edge_order": 2}),
        ),
        *calls((VECTOR, 0.7), (VECTOR, _GRID), traced=(0, 1)),
        Sample((VECTOR, _GRID), {"edge_order": 2}, (0, 1)),
        Sample((CUBE, 0.7, _GRID), {"axis": (1, 2)}, (0, 1, 2)),
        Sample((CUBE, _GRID, 0.4), {"axis": (-1, 0)}, (0, 1, 2)),
    ],
    np.trapezoid: [
        *calls((VECTOR,), (MATRIX, {"axis": 0}), (0.3 * MATRIX, None, 0.4)),
        *calls((VECTOR, _GRID), (CUBE, array(3), 1.0, 1), (MATRIX, array(2, 3)), traced=(0, 1)),
        Sample((MATRIX,), {"dx": 0.4}, (0, "dx")),
        Sample((MATRIX,), {"x": array(3)}, (0, "x")),
    ],
    np.interp: [
        Sample((_PLACES, _KNOTS, _HEIGHTS), traced=(0, 1, 2), is_complex=False),
        Sample((_PLACES, _KNOTS, _HEIGHTS), traced=(2,)),
        Sample((0.4, _KNOTS, _HEIGHTS), {"left": 0.5, "right": 0.1}, (0, 1, 2), is_complex=False),
        Sample((_PLACES, _KNOTS, _HEIGHTS), {"period": 3.45}, (0, 1, 2), is_complex=False),
        Sample((_PLACES, _KNOTS[:1], _HEIGHTS[:1]), traced=(0, 2), is_complex=False),
    ],
    np.unwrap: [
        Sample((_PHASES,), is_complex=False),
        Sample((_PHASES, 4.0, 0), is_complex=False),
        Sample((_PHASES,), {"period": 2.3}, is_complex=False),
    ],
}
