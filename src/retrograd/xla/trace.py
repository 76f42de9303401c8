"""The mode that compiles: every primitive becomes operations of XLA.

The values of its boxes are JAX's tracers. Tapes and duals on top of it see plain arrays, so that
the engine's own rules become part of the compiled program.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import Primitive
from retrograd.autodiff.trace import Trace, Traced, escaped
from retrograd.errors import CompilationError
from retrograd.xla import layout
from retrograd.xla.box import XLABox
from retrograd.xla.lowering import LOWERINGS, counterpart, foreign, lower
from retrograd.xla.products import Sums

if TYPE_CHECKING:
    from collections.abc import Callable


class XLATrace(Trace):
    """One compilation.

    Attributes:
        places: the indices that are values of XLA, by identity and length of the axis, with the
            same indices counted from the front. XLA itself has no index errors.
        within: for each of them, whether it is within bounds.
        entered: functions of NumPy that are being calculated by what stands for them.
        sums: what is known about sums of matrix products.
        quantifiers: by identity, results of `any` and `all`, and what is to be expected of them.
        below: by identity, integers that are known to be in `range(bound)`, and this bound.
    """

    __slots__ = ("below", "entered", "places", "quantifiers", "sums", "within")

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[tuple[int, int], tuple[Any, Any]] = {}
        self.within: list[Any] = []
        self.below: dict[int, tuple[Any, int]] = {}
        self.entered: set[Any] = set()
        self.sums = Sums()
        self.quantifiers: dict[int, tuple[Any, bool]] = {}

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        super().__exit__(kind, error, traceback)
        if error is not None and isinstance(error.__cause__, CompilationError):
            raise error.__cause__  # NumPy hides it behind an error of its own

    def watch(self, value: Any, stand_in: Any) -> XLABox:
        """A box for an argument of the program."""
        return XLABox(_strong(value), stand_in, self)

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operations of XLA that stand for the primitive."""
        if self.closed:
            raise escaped("is used after its compilation has ended")
        args = tuple(map(_operand, args))
        if not self._is_sum(primitive, args):
            args = tuple(map(self._settled, args))
        plain = layout.stand_ins(args), layout.stand_ins(kwargs)
        result = lower(self, primitive, args, kwargs, *plain)
        boxed = self._boxed(result, primitive, *plain)
        if primitive.function in (np.any, np.all):
            self.quantifiers[id(boxed.value)] = boxed.value, primitive.function is np.any
        return boxed

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A function that no derivative is asked of."""
        return self.apply(Primitive(function), tuple(args), kwargs)

    def writes(self, function: Any) -> bool:
        """Whether a function of NumPy changes an argument."""
        return function in WITHOUT_RULE and function not in LOWERINGS

    def shows(self, function: Any, args: Any, kwargs: Any) -> bool:
        """Whether the result is a view of an argument, or XLA has no operations for it."""
        plain = layout.stand_ins(tuple(args)), layout.stand_ins(kwargs)
        return counterpart(function) is None or layout.is_view(function, *plain)

    def _is_sum(self, primitive: Primitive, args: tuple[Any, ...]) -> bool:
        added = primitive.function is operator.add or primitive.function is np.add
        return added and self.sums.are_sums(*(getattr(x, "value", None) for x in args))

    def _settled(self, x: Any) -> Any:
        if isinstance(x, XLABox):
            value = self.sums.settled(x.value)
            return x if value is x.value else XLABox(value, x.node, self)
        return type(x)(map(self._settled, x)) if type(x) in (list, tuple) else x

    def _boxed(self, result: Any, primitive: Primitive, args: Any, kwargs: Any) -> Any:
        if isinstance(result, tuple | list):
            parts = [self._boxed(part, primitive, args, kwargs) for part in result]
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        if not isinstance(result, jax.Array):
            return result
        result = _strong(result)
        if _of_numbers(primitive, args):
            return XLABox(result, result.dtype.type(0).item(), self)
        return XLABox(result, layout.of_result(primitive, args, kwargs, result), self)


def _of_numbers(primitive: Primitive, args: Any) -> bool:
    """Whether Python itself would calculate here, and give a Python number."""
    module = getattr(primitive.function, "__module__", "")
    return module == "_operator" and all(map(layout.is_number, args))


def _operand(x: Any) -> Any:
    """An argument without constants in boxes."""
    if isinstance(x, Traced):
        if x.owner is CONSTANT:
            return x.value
        if not x.abstract:
            raise foreign()
        return x
    if type(x) in (list, tuple):
        return type(x)(map(_operand, x))
    return x


def _strong(value: Any) -> Any:
    """A value with a dtype of its own: NumPy's rules decide about promotion, not JAX's."""
    value = jnp.asarray(value)
    return jax.lax.convert_element_type(value, np.dtype(value.dtype)) if value.weak_type else value
