"""What a tape keeps of the plain arrays that it meets: the program may still write to them.

The backward pass needs the values of the forward pass, and NumPy does not tell when an array
changes. Small arrays are copied. Large ones are locked (read-only) until the trace ends, so that
a write to one of them raises an error instead of changing the gradient.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

# Bytes up to which a copy costs no more than the operation that reads the array.
SMALL = 1 << 14

# Arrays that could not be unlocked yet, because another thread's trace still locks their base.
_waiting: list[np.ndarray[Any, Any]] = []
_guard = Lock()


def operand(function: Any, arg: Any) -> Any:
    """`arg` as rules of elementwise functions can calculate with it: lists become arrays."""
    if isinstance(arg, list | tuple) and isinstance(function, np.ufunc):
        return np.asarray(arg)
    return arg


def keep(arg: Any, locked: list[np.ndarray[Any, Any]]) -> Any:
    """`arg` as it is now, whatever the program does to it; what is locked is noted in `locked`."""
    if isinstance(arg, np.ndarray):
        return keep_array(arg, locked)
    if isinstance(arg, list):
        return [keep(part, locked) for part in arg]
    if type(arg) is tuple:
        return tuple(keep(part, locked) for part in arg)
    return arg


def release(locked: list[np.ndarray[Any, Any]]) -> None:
    """Unlock the arrays, in the order in which they were locked: bases before their views."""
    with _guard:
        _waiting.extend(locked)
        locked.clear()
        _waiting[:] = [array for array in _waiting if not _unlock(array)]


def keep_array(
    array: np.ndarray[Any, Any], locked: list[np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    """An array as it is now: itself if it cannot be written to, a copy, or itself locked."""
    if not array.flags.writeable:
        return array
    if array.nbytes <= SMALL:
        return array.copy(order="K")
    with _guard:
        for one in (array.base, array):
            if isinstance(one, np.ndarray) and one.flags.writeable:
                one.flags.writeable = False
                locked.append(one)
    return array


def _unlock(array: np.ndarray[Any, Any]) -> bool:
    try:
        array.flags.writeable = True
    except ValueError:
        return False
    return True
