"""What in the program asked for a plain value of a traced one: the wording of `InterceptionError`.

NumPy and Python say only *that* a number or a plain array is wanted. The instruction that the
program is at tells why, and so which cure to name.
"""

from __future__ import annotations

import sys
from dis import get_instructions
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_CREATE = (
    "create a inside the function, with retrograd.numpy (zeros, array, ...) or np.zeros_like(x) of "
    "a traced x,"
)
_ASSIGNMENT = ("a[i] = x with a plain array a", _CREATE)
_INDEX = (
    "a[x] with a plain array a, or np.r_[x],",
    "use int(x) for an index, whose derivative is zero, retrograd.numpy for r_ and c_,",
)
_NUMBER = (
    "float(x), math.f(x) or another call that takes plain numbers only",
    "use the function of NumPy or retrograd.numpy instead of math's, x itself instead of float(x),",
)
_FORMAT = ("'%f' % x", 'write f"{x:f}"')
_ARRAY = (
    "np.array(x), np.asarray(x) or a function of plain NumPy on a list",
    "use retrograd.numpy (import retrograd.numpy as np), which takes lists of traced numbers, or "
    "np.stack and np.concatenate, x itself instead of np.asarray(x),",
)
_OPERATOR = (
    "an operator with a list or a masked array",
    "make an array of it with retrograd.numpy.array, np.stack or m.filled(),",
)


def of_a_number() -> tuple[str, str]:
    """What made a plain number of a traced value, and the cure."""
    frame = _asking()
    instruction = _instruction(frame)
    otherwise = _FORMAT if instruction == "BINARY_OP %" else _NUMBER
    return _scipy_or_assignment(frame, instruction) or otherwise


def of_an_array() -> tuple[str, str]:
    """What made a plain array of a traced value, or of a list with one, and the cure."""
    frame = _asking()
    instruction = _instruction(frame)
    if instruction in ("BINARY_SUBSCR", "BINARY_OP []"):  # the latter since Python 3.14
        otherwise = _INDEX
    else:
        otherwise = _OPERATOR if instruction.startswith("BINARY") else _ARRAY
    return _scipy_or_assignment(frame, instruction) or otherwise


def _scipy_or_assignment(frame: FrameType | None, instruction: str) -> tuple[str, str] | None:
    """What may make a number as well as an array: SciPy's code, or `a[i] = x`."""
    scipy = _scipy_at(frame)
    if scipy is not None:
        return scipy
    return _ASSIGNMENT if instruction.startswith("STORE_S") else None


def _asking() -> FrameType | None:
    """The innermost call that is neither ours nor NumPy's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _package(frame)[0] in ("retrograd", "numpy"):
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> list[str]:
    return frame.f_globals.get("__name__", "").split(".")


def _instruction(frame: FrameType | None) -> str:
    """What the frame is at: `STORE_SUBSCR`, `BINARY_OP @`, `CALL`, ..."""
    if frame is not None:
        for instruction in get_instructions(frame.f_code):
            if instruction.offset == frame.f_lasti:
                return f"{instruction.opname} {instruction.argrepr}".strip()
    return ""


def _scipy_at(frame: FrameType | None) -> tuple[str, str] | None:
    """The cure for a function of SciPy, which does not let us in; None if it was another's."""
    names: list[str] = []
    while frame is not None and _package(frame)[0] == "scipy":
        names = _package(frame)
        frame = frame.f_back
    if not names:
        return None
    home = ".".join(part for part in names[:2] if not part.startswith("_"))
    if find_spec(f"retrograd.{home}") is None:
        return f"a function of {home}", "write it with NumPy, or state a rule (retrograd.extend),"
    return (
        f"a function of {home}",
        f"take it from retrograd.{home} or, where that has no rule for it, write it with NumPy or "
        "state one (retrograd.extend),",
    )
