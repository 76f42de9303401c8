"""A drop-in for NumPy: `import retrograd.numpy as np`.

Functions with a derivative rule work on traced values at the lowest cost, and `array`, `full` and
their like accept traced numbers. Float arrays that are created inside a differentiated function
can be written to: `a = np.zeros(3)`, then `a[0] = x`. Everything else is NumPy's own.

Example:
    >>> import retrograd as rg
    >>> import retrograd.numpy as np
    >>> def fibonacci(x):
    ...     a = np.ones(5)
    ...     a[1] = x
    ...     for i in range(2, 5):
    ...         a[i] = a[i - 1] + a[i - 2] * x
    ...     return a[4]
    >>> float(rg.grad(fibonacci)(2.0))
    14.0
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as _numpy

from retrograd.autodiff import rules as _rules
from retrograd.autodiff.interception import stand_in as _stand_in
from retrograd.autodiff.primitive import Primitive as _Primitive
from retrograd.autodiff.rules.creation import CREATION as _CREATION
from retrograd.numpy.concatenators import c_, r_

assert c_, r_  # found before NumPy's own
assert _rules  # the import registers what `__getattr__` looks up

_SUBMODULES = ("fft", "linalg", "polynomial", "random")
globals().update(_CREATION)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    original = getattr(_numpy, name)
    if not callable(original):
        return original
    found = _stand_in(original)
    if isinstance(found, _Primitive):  # it stays the same; a rule for another may come any time
        globals()[name] = found
    return found or original


def __dir__() -> list[str]:
    return dir(_numpy)
