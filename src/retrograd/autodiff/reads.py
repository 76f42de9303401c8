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
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

# Positions of arguments whose values are read; `ANS` is the result, None stands for everything.
Reads = frozenset[int] | None
ANS = -1
# What lets code reach parameters that it does not name.
_BY_OTHER_MEANS = frozenset(
    {"locals", "vars", "eval", "exec", "_getframe", "currentframe", "stack"}
)
# Functions of the shape and dtype alone.
_DESCRIBING = frozenset({
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.full_like,
    np.result_type, np.iscomplexobj, np.isrealobj,
})  # fmt: skip
# Arguments beyond this many are kept, whoever reads them.
MOST_ARGUMENTS = 8
# Bytes up to which keeping an array costs less than describing it.
SMALL = 1 << 10


class Shadow:
    """The shape and dtype of an array that has been let go; every other use raises."""

    __slots__ = ("dtype", "shape")

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

    @property
    def __class__(self) -> type:  # type: ignore[override]  # a rule may branch on isinstance
        return np.ndarray

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a number")
        return self.shape[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in _DESCRIBING:
            self._refuse()
        return function(*[_described(x) for x in args], **kwargs)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "a derivative rule reads the value of an argument of which it was said that it reads "
            "shape and dtype alone: the transpose of a linear function cannot depend on its "
            "argument, and what else is not read is stated by reads="
        )

    __array__ = __array_ufunc__ = __bool__ = __iter__ = __getitem__ = __contains__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = None  # type: ignore[assignment]  # as of an ndarray


for _name in dir(np.ndarray):  # a `__getattr__` would make the other attributes slow
    if not _name.startswith("__") and not hasattr(Shadow, _name):
        setattr(Shadow, _name, property(Shadow._refuse))


def _described(x: Any) -> Any:
    """An array of the shape and dtype of a shadow, which needs no memory."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if type(x) is Shadow else x


class Plan:
    """What a tape keeps of a call: everything but the shadows, and the result or not."""

    __slots__ = ("drops_ans", "drops_first", "drops_second", "shadows")

    def __init__(self, reads: Reads, count: int) -> None:
        if reads is None:
            self.drops_ans = False
            self.shadows: tuple[int, ...] = ()
        else:
            self.drops_ans = ANS not in reads
            known = range(min(count, MOST_ARGUMENTS) if reads else count)
            self.shadows = tuple(i for i in known if i not in reads)
        self.drops_first, self.drops_second = 0 in self.shadows, 1 in self.shadows


def shadow(x: Any) -> Any:
    """What a tape keeps of a value that no rule will read."""
    return Shadow(x) if type(x) is np.ndarray and x.nbytes > SMALL else x


def reads_of(rule: Rule, first: int = ANS) -> Reads:
    """The arguments that a rule reads.

    Args:
        rule: a function of `ans` and the arguments.
        first: the position of its first parameter; -2 if that is the cotangent.
    """
    if type(rule) is not FunctionType or rule.__code__.co_flags & inspect.CO_VARARGS:
        return None
    code = rule.__code__
    named: set[str] = set()
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if isinstance(value, str | tuple):
            named.update(value if isinstance(value, tuple) else (value,))
    if not _BY_OTHER_MEANS.isdisjoint(named):
        return None
    parameters = code.co_varnames[: code.co_argcount]
    return frozenset(i + first for i, name in enumerate(parameters) if name in named)
