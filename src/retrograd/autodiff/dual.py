"""Forward mode: a trace whose nodes are tangents. It keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import Box
from retrograd.autodiff.capture import operand
from retrograd.autodiff.tape import full, push_binary, push_forward
from retrograd.autodiff.trace import Trace, Traced, escaped

if TYPE_CHECKING:
    from retrograd.autodiff.primitive import Primitive


class Dual(Trace):
    """Every value carries its directional derivative along."""

    __slots__ = ()

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive, and its tangent with it."""
        if self.closed:
            raise escaped("is used after its trace has ended")
        values: list[Any] = []
        active: list[tuple[int, Any]] = []
        for argnum, arg in enumerate(args):
            if isinstance(arg, Traced) and arg.owner is self:
                values.append(arg.value)
                active.append((argnum, arg.node))
            elif isinstance(arg, Box):
                values.append(arg.snapshot())
            else:
                values.append(operand(primitive.function, arg))
        # On the first level there is no outer trace to ask.
        evaluate = primitive.evaluate if self.level == 1 else primitive
        ans = evaluate(*values, **kwargs)
        if not primitive.differentiable:
            return ans
        tangent = push_forward(primitive, active, ans, values, kwargs)
        if tangent is None:
            return ans
        if primitive.outputs:
            parts = zip(ans, tangent, strict=True)
            return tuple(a if t is None else Box(a, t, self) for a, t in parts)
        return Box(ans, tangent, self)

    def unary(self, primitive: Primitive, x: Traced) -> Any:
        """`apply` to one value of this trace: without its loops and lists."""
        if self.closed or primitive.outputs or not primitive.differentiable or not primitive.jvps:
            return self.apply(primitive, (x,), {})
        value = x.value
        ans = primitive.evaluate(value) if self.level == 1 else primitive(value)
        return self._moving(ans, full(primitive.jvps[0](x.node, ans, value), ans))

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`apply` to two values, if both are of this trace or plain numbers and arrays."""
        if (
            self.closed
            or primitive.outputs
            or not primitive.differentiable
            or len(primitive.jvps) < 2
            or not (_is_known(x, self) and _is_known(y, self))
        ):
            return self.apply(primitive, (x, y), {})
        first = second = None
        if isinstance(x, Traced):
            x, first = x.value, x.node
        if isinstance(y, Traced):
            y, second = y.value, y.node
        ans = primitive.evaluate(x, y) if self.level == 1 else primitive(x, y)
        return self._moving(ans, push_binary(primitive, first, second, ans, x, y))

    def _moving(self, ans: Any, tangent: Any) -> Any:
        """A value with its tangent, of which None is zero."""
        return ans if tangent is None else Box(ans, tangent, self)


def _is_known(x: Any, trace: Dual) -> bool:
    """Whether a value needs no further look: of a trace, or of a common plain kind."""
    if isinstance(x, Traced):
        return x.owner is trace
    return type(x) in (float, int, np.float64) or (type(x) is np.ndarray and not x.dtype.hasobject)
