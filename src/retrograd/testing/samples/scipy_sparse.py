"""Samples of retrograd.scipy.sparse."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from retrograd.scipy import sparse
from retrograd.testing.samples.sample import Samples, array, calls

assert sparse  # registers the functions

_DENSE = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [0.5, 0.0, 4.0]])

SAMPLES: Samples = {
    scipy.sparse.linalg.spsolve: calls(
        *((kind(_DENSE), array(3)) for kind in (scipy.sparse.csc_array, scipy.sparse.csc_matrix)),
        (scipy.sparse.csc_array(_DENSE), array(3, 2)),
        (scipy.sparse.csc_array(_DENSE), array(3, 1)),
        traced=(1,),
    ),
}
