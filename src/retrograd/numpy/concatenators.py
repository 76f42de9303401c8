"""`r_` and `c_` for traced arrays, which plain NumPy's do not let us in to."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.constants import is_live, unboxed
from retrograd.autodiff.rules.joining import array as as_array
from retrograd.errors import MissingRuleError

__all__ = ["c_", "r_"]


class Concatenator:
    """`numpy.r_` or `numpy.c_`; arrays may be traced, slices may not.

    Example:
        >>> import retrograd as rg
        >>> import retrograd.numpy as np
        >>> rg.grad(lambda x: np.sum(np.r_[x, 1:3, 2.0 * x] ** 2))(1.0)
        np.float64(10.0)

    Args:
        name: of the two.
        original: NumPy's object.
        axis: along which the parts are joined.
        minimum: how many dimensions each part has at least; new ones come last.
    """

    def __init__(self, name: str, original: Any, axis: int, minimum: int) -> None:
        self._name, self._original = name, original
        self._axis, self._minimum = axis, minimum

    def __getitem__(self, parts: Any) -> Any:
        parts = parts if isinstance(parts, tuple) else (parts,)
        if not is_live(parts):
            return self._original[unboxed(parts)]
        return np.concatenate([self._part(part) for part in parts], self._axis)

    def _part(self, part: Any) -> Any:
        if isinstance(part, str):
            raise MissingRuleError(
                f"{self._name}: no derivative rule covers the directive {part!r}; use "
                "np.concatenate or np.stack"
            )
        array = self._original[part] if isinstance(part, slice) else as_array(part)
        missing = self._minimum - np.ndim(array)
        return np.reshape(array, np.shape(array) + (1,) * missing) if missing > 0 else array


r_ = Concatenator("r_", np.r_, 0, 1)
c_ = Concatenator("c_", np.c_, -1, 2)
