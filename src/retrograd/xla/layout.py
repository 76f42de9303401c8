"""Stand-ins: what NumPy would hold in the place of a value that XLA has yet to compute.

A stand-in has the kind (array, NumPy scalar, Python number), shape, dtype and memory layout of the
value; its elements mean nothing. It decides what NumPy decides by these: promotion, and whether
`x.reshape(...)` or `x[...]` shows the memory of `x`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import ViewPrimitive
from retrograd.autodiff.trace import Traced

if TYPE_CHECKING:
    from retrograd.autodiff.primitive import Primitive

# Functions whose results may be laid out otherwise than in C order, whatever they are given.
_FREE = frozenset({"_get_item", "einsum", "tensordot", "copy", "take"})


# The engine's writes in place: what is written to stays where it is.
_CHANGED = frozenset({"_set_item", "_added_at"})


def fresh(shape: tuple[int, ...], dtype: Any) -> Any:
    """The stand-in of a new value: a scalar, or an array in C order."""
    dtype = np.dtype(dtype)
    return np.zeros(shape, dtype) if shape else dtype.type(0)


def stand_ins(x: Any) -> Any:
    """An argument, with stand-ins for the traced values in it."""
    if isinstance(x, Traced):
        return x.node
    if isinstance(x, list):
        return [stand_ins(part) for part in x]
    if type(x) is tuple:
        return tuple(stand_ins(part) for part in x)
    return {name: stand_ins(part) for name, part in x.items()} if type(x) is dict else x


def is_number(x: Any) -> bool:
    """Whether something is a Python number, which promotes nothing."""
    return type(x) in (float, int, complex)


def of_result(primitive: Primitive, args: tuple[Any, ...], kwargs: Any, value: Any) -> Any:
    """The stand-in of one result of a primitive, given those of its arguments."""
    if primitive.name in _CHANGED:
        return np.zeros_like(args[0])
    if isinstance(primitive, ViewPrimitive) or primitive.name in _FREE or _unusual(args):
        found = _evaluated(primitive.function, args, kwargs)
        if getattr(found, "shape", None) == value.shape:
            return found if found.dtype == value.dtype else found.astype(value.dtype, order="K")
    return fresh(value.shape, value.dtype)


def is_view(function: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether NumPy's result shows the memory of an argument."""
    found = _arrays(_evaluated(function, args, kwargs))
    given = _arrays(args)
    return any(np.may_share_memory(a, b) for a in found for b in given)


def _arrays(x: Any) -> list[Any]:
    if isinstance(x, np.ndarray):
        return [x]
    return [a for part in x for a in _arrays(part)] if isinstance(x, list | tuple) else []


def _unusual(args: tuple[Any, ...]) -> bool:
    return any(isinstance(x, np.ndarray) and not x.flags.c_contiguous for x in args)


def _evaluated(function: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """What NumPy makes of the stand-ins; None where it makes nothing of zeros."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except (IndexError, ValueError, TypeError, np.linalg.LinAlgError):
            return None
