"""What rules read: a tape keeps the values that the backward pass will ask for, and no others.

A linear function's transpose needs the shape of its argument, not its value; tanh's rule reads
the result alone. Keeping less is what makes the forward pass of a long program fast: memory that
is not kept is used again while it is still in the cache.

Which parameters a rule reads, its own code tells. What nobody reads is replaced by a `Shadow`.
"""

from __future__ import annotations

import dis
import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

# Positions of arguments whose values are read; `ANS` is the result, None stands for everything.
Reads = frozenset[int] | None
ANS = -1
# Arguments beyond this many are kept, whoever reads them.
MOST_ARGUMENTS = 8
# Bytes up to which keeping an array costs less than describing it.
SMALL = 1 << 10


class Shadow:
    """The shape and dtype of an array that has been let go."""

    __slots__ = ("dtype", "shape")
    __array_ufunc__ = None  # arithmetic with a shadow is a TypeError

    def __init__(self, x: Any) -> None:
        self.shape: tuple[int, ...] = x.shape
        self.dtype: np.dtype[Any] = x.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a derivative rule reads a value that it was said not to read")


class Plan:
    """What a tape keeps of a call: everything but the shadows, and the result or not."""

    __slots__ = ("drops_ans", "shadows")

    def __init__(self, reads: Reads, count: int) -> None:
        if reads is None:
            self.drops_ans = False
            self.shadows: tuple[int, ...] = ()
        else:
            self.drops_ans = ANS not in reads
            known = range(min(count, MOST_ARGUMENTS))
            self.shadows = tuple(i for i in known if i not in reads)


def shadow(x: Any) -> Any:
    """What a tape keeps of a value that no rule will read."""
    return Shadow(x) if type(x) is np.ndarray and x.nbytes > SMALL else x


def reads_of(rule: Rule, first: int = ANS) -> Reads:
    """The arguments that a rule reads.

    Args:
        rule: a function of `ans` and the arguments.
        first: the position of its first parameter; -2 if that is the cotangent.
    """
    if not isinstance(rule, FunctionType) or rule.__code__.co_flags & inspect.CO_VARARGS:
        return None
    code = rule.__code__
    named: set[str] = set()
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if isinstance(value, str | tuple):
            named.update(value if isinstance(value, tuple) else (value,))
    parameters = code.co_varnames[: code.co_argcount]
    return frozenset(i + first for i, name in enumerate(parameters) if name in named)
