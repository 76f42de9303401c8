"""What a trace is: values in boxes, and the level that says which trace is innermost.

This file knows no array, no function and no mode. A *mode* is a subclass of `Trace` (`tape.py`
records, `dual.py` pushes tangents along); a `Traced` value belongs to one trace, and its
`value` may itself be a traced value of an outer trace, which is all that nesting needs.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from retrograd.errors import EscapedTraceError, InterceptionError

if TYPE_CHECKING:
    from retrograd.autodiff.primitive import Primitive

# The level of the innermost running trace. A context variable, so that threads and coroutines
# nest independently and an exception leaves nothing behind.
_level: ContextVar[int] = ContextVar("retrograd_level", default=0)


class Traced:
    """A value inside a trace: `value` is what the program sees, `node` is the mode's own note."""

    # `views` is set where there are some: see box.py.
    __slots__ = ("node", "owner", "value", "views")
    # Whether the value is not known yet, so that `value_of` cannot look behind it.
    abstract = False

    def __init__(self, value: Any, node: Any, owner: Trace) -> None:
        self.value = value
        self.node = node
        self.owner = owner


def is_tracing() -> bool:
    """Whether a trace is running."""
    return _level.get() > 0


class Trace:
    """One activation of a mode: the innermost trace inside its `with` block, closed after it."""

    __slots__ = ("closed", "level", "token")

    def __init__(self) -> None:
        self.closed = False
        self.level = 0
        self.token: Token[int] | None = None

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate `primitive` on arguments of which at least one belongs to this trace."""
        raise NotImplementedError

    def unary(self, primitive: Primitive, x: Traced) -> Any:
        """`apply` to one value of this trace; a mode may have a quicker way."""
        return self.apply(primitive, (x,), {})

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`apply` to two values, one of this trace at least, neither of an inner one."""
        return self.apply(primitive, (x, y), {})

    def __enter__(self) -> Self:
        self.level = _level.get() + 1
        self.token = _level.set(self.level)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if self.token is not None:
            _level.reset(self.token)
        self.closed = True
        if error is not None and isinstance(error.__cause__, InterceptionError):
            raise error.__cause__  # NumPy hides it behind an error of its own


def innermost(args: tuple[Any, ...]) -> Trace | None:
    """The innermost trace among the traced values in `args`, or None."""
    found: Trace | None = None
    for arg in args:
        if isinstance(arg, Traced):
            trace = arg.owner
            if found is None or trace.level > found.level:
                found = trace
            elif trace is not found and trace.level == found.level:
                raise escaped("is mixed with a value of another trace of the same depth")
    return found


def escaped(how: str) -> EscapedTraceError:
    """The error for a traced value that outlived, or left, its trace."""
    return EscapedTraceError(
        f"a traced value {how}. It was probably stored outside the differentiated function (in a "
        "global, an attribute or a list), or handed to another thread. Return it with "
        "has_aux=True, store retrograd.value_of(x), or start threads with "
        "contextvars.copy_context().run."
    )


def value_of(x: Any) -> Any:
    """The plain value behind a traced one; anything else, containers too, is returned as it is.

    The result carries no derivative: use it for printing, logging and control flow.

    Example:
        >>> import retrograd as rg
        >>> def f(x):
        ...     print("x is", rg.value_of(x))
        ...     return x * x
        >>> float(rg.grad(f)(3.0))
        x is 3.0
        6.0
    """
    while isinstance(x, Traced) and not x.abstract:
        x = x.value
    return x


def compilation_of(x: Any) -> Trace | None:
    """The trace of the values that are not known yet among values and containers, or None."""
    if isinstance(x, Traced):
        x = value_of(x)
        return x.owner if isinstance(x, Traced) else None
    if isinstance(x, list | tuple):
        return next((found for found in map(compilation_of, x) if found is not None), None)
    return None


def stand_in_of(x: Any) -> Any:
    """The plain value or, where it is not known yet, one of its kind, shape, dtype and layout."""
    x = value_of(x)
    return x.node if isinstance(x, Traced) else x
