"""Kinds of numbers: what is complex, and conversion to a kind that rules can calculate with."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.trace import Traced


def is_complex(x: Any) -> bool:
    """Whether an array or number, traced or not, is complex."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, complex) if dtype is None else dtype.kind == "c"


def cast(x: Any, dtype: Any) -> Any:
    """An array or number in a dtype, itself if it has it; None asks for nothing."""
    if dtype is None:
        return x
    given = getattr(x, "dtype", None)
    if given is None:
        return np.asarray(x, dtype)[()]
    return x if given == dtype else x.astype(dtype)


def floats(x: Any) -> Any:
    """A plain list or array of whole numbers as floats, which rules can calculate with."""
    if isinstance(x, Traced):
        return x
    plain = np.asarray(x)
    return plain if plain.dtype.kind in "fc" else plain.astype(float)


def in_double(a: Any) -> Any:
    """An array in double precision, or higher, for functions that calculate in it throughout."""
    a = floats(a)
    return cast(a, np.result_type(a.dtype, np.float64))
