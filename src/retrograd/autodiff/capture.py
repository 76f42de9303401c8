"""What a tape keeps of the plain arrays that it meets: the program may still write to them.

The backward pass needs the values of the forward pass, and NumPy does not tell when an array
changes. Small arrays are copied. Large ones are locked (read-only) until the trace ends, so that
a write to one of them raises an error instead of changing the gradient. A lock is on the array
that owns the memory, and counted, because traces nest and run in several threads at a time.

One way to write remains: through another view that existed before its base was locked.
"""

from __future__ import annotations

import operator
from threading import Lock
from typing import Any

import numpy as np

from retrograd.autodiff.constants import is_live
from retrograd.errors import InterceptionError

Array = np.ndarray[Any, Any]

# Bytes up to which a copy costs no more than the operation that reads the array.
SMALL = 1 << 14

_OPERATORS = frozenset(
    {operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul}
)


class _Locked:
    """An array that owns memory, how many tapes need it unchanged, and its views among them."""

    def __init__(self, owner: Array) -> None:
        self.owner = owner
        self.tapes = 0
        self.views: list[Array] = []


_locked: dict[int, _Locked] = {}
_guard = Lock()


def is_of_numpy(function: Any) -> bool:
    """Whether a function is NumPy's or SciPy's, so that lists among its operands are arrays."""
    home = getattr(function, "__module__", None)
    return isinstance(function, np.ufunc) or str(home).partition(".")[0] in ("numpy", "scipy")


def operand(function: Any, arg: Any) -> Any:
    """`arg` as the rules can calculate with it: lists become arrays, foreign arrays are refused."""
    if isinstance(arg, list | tuple):
        as_array = isinstance(function, np.ufunc) or function in _OPERATORS
        if not as_array and is_live(arg):  # refused before an outer trace sees what is not of it
            as_array = is_of_numpy(function)
        return operand(function, np.asarray(arg)) if as_array else arg
    if type(arg) is np.ndarray:
        if arg.dtype.hasobject:
            raise _object_array()
    elif isinstance(arg, np.ndarray) or hasattr(arg, "toarray"):
        raise InterceptionError(
            f"a {type(arg).__name__} meets a traced value, and multiplies by rules of its own: "
            "use retrograd.scipy.sparse.matmul(S, x) for a sparse one, or convert it first "
            "(S.toarray(), np.asarray(m) of a np.matrix, m.filled() of a masked array)"
        )
    return arg


def keep(arg: Any, locked: set[int]) -> Any:
    """`arg` as it is now, whatever the program does to it; what is locked is noted in `locked`."""
    if isinstance(arg, np.ndarray):
        return keep_array(arg, locked)
    if isinstance(arg, list):
        return [keep(part, locked) for part in arg]
    if type(arg) is tuple:
        return tuple(keep(part, locked) for part in arg)
    return arg


def _object_array() -> InterceptionError:
    return InterceptionError(
        "an array of dtype object meets a traced value, and derivatives are of numbers: convert "
        "it first (a.astype(float)), or build it with retrograd.numpy.array"
    )


def keep_array(array: Array, locked: set[int]) -> Array:
    """An array as it is now: itself if nobody can write to it, a copy, or itself locked."""
    if array.dtype.hasobject:
        raise _object_array()
    if array.nbytes <= SMALL and (array.flags.writeable or array.base is not None):
        return array.copy(order="K")
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if owner.base is None and not owner.flags.writeable:
        if id(owner) in locked and not array.flags.writeable:
            return array
        with _guard:
            if id(owner) not in _locked:
                return array
    if array.nbytes <= SMALL or owner.base is not None:  # the memory of something else
        return array.copy(order="K")
    with _guard:
        entry = _locked.setdefault(id(owner), _Locked(owner))
        entry.tapes += id(owner) not in locked
        locked.add(id(owner))
        if array is not owner and array.flags.writeable:
            entry.views.append(array)
        array.flags.writeable = owner.flags.writeable = False
    return array


def release(locked: set[int]) -> None:
    """Let the arrays go that were noted in `locked`."""
    with _guard:
        for key in locked:
            entry = _locked[key]
            entry.tapes -= 1
            if entry.tapes == 0:
                del _locked[key]
                for array in (entry.owner, *entry.views):
                    array.flags.writeable = True
        locked.clear()
