"""Forward mode: a trace whose nodes are tangents. It keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograd.autodiff.box import Box
from retrograd.autodiff.capture import operand
from retrograd.autodiff.tape import push_forward
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
        evaluate = primitive.function if self.level == 1 else primitive
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
