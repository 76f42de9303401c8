"""Arrays made inside a differentiated function: constants, until a traced value is written in.

NumPy's `zeros` would give a plain array, and a plain array cannot hold a derivative. The creation
functions of `retrograd.numpy` (and `zeros_like` and its like, of a traced array) give a box of the
trace `CONSTANT` instead. It lies below every other trace, records nothing and never ends: what is
calculated from its boxes alone is calculated plainly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.trace import Trace, Traced, compilation_of
from retrograd.errors import CompilationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from retrograd.autodiff.primitive import Primitive


class Constants(Trace):
    """The trace of arrays that hold no traced value yet."""

    __slots__ = ()

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive on the plain values."""
        try:
            return plainly(primitive.function, args, kwargs)
        except CompilationError:  # plain, except for what is inside an index
            compilation = compilation_of(args)
            if compilation is None:
                raise
            return compilation.apply(primitive, args, kwargs)


CONSTANT = Constants()


def is_constant(x: Any) -> bool:
    """Whether a value is in a box, but holds no derivative."""
    return isinstance(x, Traced) and x.owner is CONSTANT


def is_live(x: Any) -> bool:
    """Whether a value, or a container of values, holds something traced."""
    if isinstance(x, Traced):
        return x.owner is not CONSTANT
    if isinstance(x, list | tuple):
        return any(map(is_live, x))
    return isinstance(x, dict) and any(map(is_live, x.values()))


def unboxed(x: Any) -> Any:
    """A value, or a container of values, with the plain arrays in the place of constants."""
    if isinstance(x, Traced):
        return x.value if x.owner is CONSTANT else x
    if type(x) in (list, tuple):
        return type(x)(map(unboxed, x))
    if type(x) is dict:
        return {name: unboxed(value) for name, value in x.items()}
    return x


def boxed(x: Any) -> Any:
    """A float or complex array that can take traced values; anything else as it is."""
    from retrograd.autodiff.box import Box  # which needs this file first

    if type(x) is np.ndarray and x.dtype.kind in "fc":
        return Box(x, None, CONSTANT)
    if type(x) is tuple:
        return tuple(map(boxed, x))
    return list(map(boxed, x)) if type(x) is list else x


def plainly(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Call a function on plain values, and let what it makes be written to later on."""
    return boxed(function(*unboxed(args), **unboxed(kwargs)))
