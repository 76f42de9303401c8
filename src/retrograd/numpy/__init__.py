"""A drop-in for NumPy: `import retrograd.numpy as np`.

Functions with a derivative rule work on traced values at the lowest cost, and `array` accepts
lists that hold traced numbers; everything else is NumPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as _numpy

from retrograd.autodiff import rules as _rules
from retrograd.autodiff.primitive import REGISTRY as _REGISTRY

assert _rules  # the import registers what `__getattr__` looks up


def __getattr__(name: str) -> Any:
    found = getattr(_numpy, name)
    try:
        return _REGISTRY.get(found, found)
    except TypeError:  # unhashable: no function
        return found


def __dir__() -> list[str]:
    return dir(_numpy)
