"""A drop-in for `scipy.linalg`, with derivatives: `import retrograd.scipy.linalg as linalg`.

SciPy's functions do not let us in when they are called on traced values: take them from here.
Functions without a rule (`null_space`, `schur`, ...) are SciPy's own and refuse traced values.

What is said of `numpy.linalg` holds here too: gradients with respect to Hermitian matrices are
Hermitian; ranks are constant; eigenvectors of eigenvalues that coincide have no derivative.

Example:
    >>> import numpy as np
    >>> import retrograd as rg
    >>> import retrograd.scipy.linalg as linalg
    >>> a = np.array([[0.0, 1.0], [0.0, 0.0]])
    >>> rg.grad(lambda a: linalg.expm(a)[0, 1])(a)
    array([[0.5       , 1.        ],
           [0.16666667, 0.5       ]])
"""

from __future__ import annotations

import scipy.linalg as _linalg

from retrograd.autodiff import rules as _rules
from retrograd.autodiff.dropin import drop_in as _drop_in
from retrograd.scipy.linalg import banded, equations, factors, matrix_functions, structured

# The imports register what `__getattr__` looks up.
assert _rules
assert banded, equations
assert factors, matrix_functions
assert structured

__getattr__, __dir__ = _drop_in(_linalg)
