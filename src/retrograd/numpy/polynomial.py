"""A drop-in for `numpy.polynomial`: the values of series in `chebyshev`, `legendre` and the rest.

NumPy does not let us into these functions: `np.polynomial.chebyshev.chebval` takes traced values
when `np` is `retrograd.numpy`. The classes of series cannot hold traced coefficients.

Example:
    >>> import retrograd as rg
    >>> import retrograd.numpy as np
    >>> value = lambda x: np.polynomial.chebyshev.chebval(x, [0.0, 0.0, 1.0])  # 2 x^2 - 1
    >>> float(rg.grad(value)(0.5))
    2.0
"""

from __future__ import annotations

from types import ModuleType

import numpy.polynomial

from retrograd.autodiff import rules
from retrograd.autodiff.dropin import drop_in

assert rules  # the import registers what is looked up


def _drop_in_of(name: str) -> ModuleType:
    """One module of series."""
    original = getattr(numpy.polynomial, name)
    module = ModuleType(f"{__name__}.{name}", original.__doc__)
    look_up, names = drop_in(original)
    module.__dict__.update(__getattr__=look_up, __dir__=names)
    return module


polynomial = _drop_in_of("polynomial")
chebyshev = _drop_in_of("chebyshev")
legendre = _drop_in_of("legendre")
hermite = _drop_in_of("hermite")
hermite_e = _drop_in_of("hermite_e")
laguerre = _drop_in_of("laguerre")

__getattr__, __dir__ = drop_in(numpy.polynomial)
