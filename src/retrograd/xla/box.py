"""The face of a value that XLA has yet to compute.

To the other modes it is a plain array: `value_of` stops here. Its comparisons, indices and casts
are values of XLA again; what needs the number itself (`if`, `int`, `np.asarray`) is refused.
`node` is the stand-in (`layout.py`).
"""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from retrograd.autodiff import interception
from retrograd.autodiff.box import Box, View
from retrograd.autodiff.primitive import Primitive
from retrograd.autodiff.trace import Traced
from retrograd.errors import CompilationError

if TYPE_CHECKING:
    from collections.abc import Callable


class PlainArrayError(CompilationError):
    """Plain NumPy asked for elements that are not known yet."""


class XLABox(Box):
    """An array or number of the program that is being compiled."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]
    abstract = True

    def __len__(self) -> int:
        return len(self.node)

    def snapshot(self) -> XLABox:
        """Another box with what this one stands for now."""
        return XLABox(self.value, self.node, self.owner)

    def __invert__(self) -> Any:
        return self.owner.apply(_INVERT, (self,), {})

    def __bool__(self) -> bool:
        trace: Any = self.owner
        quantifier = trace.quantifiers.get(id(self.value))
        if quantifier is not None and _called_by_a_rule():
            return quantifier[1]
        raise _control_flow("if, while, and, or, not, assert, max, min or bool")

    def __int__(self) -> int:
        raise _control_flow("int or range")

    def __index__(self) -> int:
        raise _control_flow("a Python index, a shape or range")

    __trunc__ = __floor__ = __ceil__ = __int__

    def __round__(self, ndigits: int | None = None) -> Any:
        return np.round(self, ndigits or 0)

    def __contains__(self, item: Any) -> bool:
        raise _control_flow("in")

    def __float__(self) -> float:
        raise _control_flow("float, math.f or an assignment into a plain array")

    def __complex__(self) -> complex:
        raise _control_flow("complex")

    def item(self, *args: Any) -> NoReturn:
        """Refused: the number is not known yet."""
        raise _control_flow("x.item()")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise PlainArrayError(
            "compile: plain NumPy asked for the elements of a value that is known only when the "
            "compiled program runs (np.array([x]), np.asarray(x), or a plain array a in a[x]). "
            "Use np.stack, retrograd.numpy.array, or retrograd.numpy.take(a, x); or pass the "
            "plain array to the compiled function as an argument."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and _ours(inputs, self):
            return self.owner.apply(Primitive(ufunc), inputs, {})
        if method == "reduce" and ufunc in _REDUCTIONS:
            return _REDUCTIONS[ufunc](*inputs, **{"axis": 0, **kwargs})
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        trace: Any = self.owner
        if not _ours((*args, *kwargs.values()), self):
            return super().__array_function__(function, types, args, kwargs)
        found = interception.stand_in(function)
        if found is None or function in trace.entered:
            return trace.call(function, args, kwargs)
        writes = kwargs.get("out") is not None or trace.writes(function)
        if not (isinstance(found, Primitive) or writes or trace.shows(function, args, kwargs)):
            return trace.call(function, args, kwargs)
        trace.entered.add(function)  # what stands for it may call it on what it takes for plain
        try:
            return super().__array_function__(function, types, args, kwargs)
        finally:
            trace.entered.discard(function)

    def __repr__(self) -> str:
        return f"XLABox({self.dtype}{list(self.shape)})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


class XLAView(XLABox, View):
    """A part of another value of XLA."""

    __slots__ = ()


XLABox.view_class = XLAView


_INVERT = Primitive(np.invert, differentiable=False)


def _called_by_a_rule() -> bool:
    """Whether the engine's own code asks, two calls up: its rules take short cuts by values.

    They ask `if np.any(special)` and `if np.all(ordinary)`, and the long way is right for all
    values: in a program, whose values may be anything, it is taken.
    """
    return sys._getframe(2).f_globals.get("__name__", "").startswith("retrograd.")


# Reductions whose results are no derivatives' business, and so are not the engine's.
_REDUCTIONS = {np.logical_or: np.any, np.logical_and: np.all}


def _ours(args: Any, box: XLABox) -> bool:
    """Whether all traced values belong to the same compilation as `box`, and no other trace."""
    if isinstance(args, Traced):
        return args.owner is box.owner
    return not isinstance(args, list | tuple) or all(_ours(part, box) for part in args)


def _control_flow(where: str) -> CompilationError:
    return CompilationError(
        f"compile: the program asks for a number ({where}) that is known only when the compiled "
        "program runs: its Python code must not depend on values. Choose with np.where, pass what "
        "decides as a Python int, bool or string (these are part of the program), or leave that "
        "part outside of the compiled function."
    )


def _comparison(name: str, ufunc: np.ufunc) -> None:
    primitive = Primitive(ufunc, differentiable=False)
    plain = getattr(operator, name)

    def compare(self: XLABox, other: Any) -> Any:
        while isinstance(other, Traced) and not other.abstract:
            other = other.value
        if other is None or isinstance(other, str):
            return plain(self.node, other)
        return self.owner.apply(primitive, (self, other), {})

    setattr(XLABox, f"__{name}__", compare)


def _bitwise(name: str, ufunc: np.ufunc) -> None:
    primitive = Primitive(ufunc, differentiable=False)
    setattr(XLABox, f"__{name}__", _applied(primitive, reflected=False))
    setattr(XLABox, f"__r{name}__", _applied(primitive, reflected=True))

    def in_place(self: XLABox, other: Any) -> Any:
        result = self.owner.apply(primitive, (self, other), {})
        if not isinstance(self.node, np.ndarray):
            return result
        self.assign(result)
        return self

    setattr(XLABox, f"__i{name}__", in_place)


def _applied(primitive: Primitive, *, reflected: bool) -> Callable[..., Any]:
    def apply(self: XLABox, other: Any) -> Any:
        return self.owner.apply(primitive, (other, self) if reflected else (self, other), {})

    return apply


def _method(name: str) -> None:
    function = getattr(np, name)

    def method(self: XLABox, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    setattr(XLABox, name, method)


for _name in ("all", "any", "argmax", "argmin", "argpartition", "argsort", "nonzero",
              "searchsorted"):  # fmt: skip
    _method(_name)
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    _comparison(_name, _ufunc)
for _name, _ufunc in {
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    _bitwise(_name, _ufunc)
