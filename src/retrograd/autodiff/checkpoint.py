"""`checkpoint`: calculate a part of a program again instead of keeping its intermediate values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import records
from retrograd.autodiff.arguments import named_as
from retrograd.autodiff.box import Box
from retrograd.autodiff.closures import Closure
from retrograd.autodiff.constants import is_live
from retrograd.autodiff.opaque import Opaque, name_of
from retrograd.autodiff.operators import jvp
from retrograd.autodiff.primitive import Primitive
from retrograd.autodiff.records import Record
from retrograd.autodiff.trace import Trace, Traced, escaped, value_of
from retrograd.errors import DifferentiationError, InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


def checkpoint(f: Function) -> Function:
    """The same function, of which reverse mode keeps the arguments only and runs it again.

    The gradient of a chain of checkpointed functions needs the memory of one of them, and the time
    of one more evaluation. This holds for derivatives of any order, in both modes. Traced values
    that `f` has captured from enclosing functions are treated as arguments; other variables of
    these functions have the values again that they had at the call.

    Args:
        f: a function of containers of arrays. Run again, it must give the same result: random
            numbers, for example, must come from a seed among its arguments.

    Returns:
        A function with the same arguments and results.

    Raises:
        DifferentiationError: run again, `f` gave another result.
        InterceptionError: `f` writes to an argument in place.
        EscapedTraceError: `f` uses a traced value from elsewhere than arguments and enclosing
            functions.

    References:
        Griewank & Walther, "Revolve: an implementation of checkpointing" (2000).

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> @rg.checkpoint
        ... def block(x):
        ...     return np.tanh(np.sin(x) * 2)
        >>> rg.grad(lambda x: np.sum(block(block(x))))(np.zeros(2))
        array([4., 4.])
    """

    @named_as(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        closure = Closure(f)
        call = _Checkpointed(name_of("checkpoint", f), closure, (closure.values, args, kwargs))
        if not any(isinstance(leaf, Traced) and is_live(leaf) for leaf in call.leaves):
            return f(*args, **kwargs)
        return call.result()

    return checkpointed


class _Checkpointed(Opaque):
    """One call of a checkpointed function."""

    __slots__ = ("closure",)

    def __init__(self, name: str, closure: Closure, arguments: Any) -> None:
        super().__init__(name, arguments)
        self.closure = closure

    def run(self, arguments: Any) -> Any:
        with _Shield() as shield:
            leaves = [
                Box(leaf, None, shield) if i in self.boxed else leaf
                for i, leaf in enumerate(arguments)
            ]
            result = self._inside(leaves)
            return [records.own_value(part, shield) for part in result]

    def arguments(self, values: Sequence[Any]) -> Any:
        """The operands: containers are put together inside."""
        return values

    def parts(self, result: Any) -> list[Any]:
        return result

    @property
    def boxed(self) -> frozenset[int]:
        return frozenset(self.traced)

    def _inside(self, values: Sequence[Any]) -> list[Any]:
        """The float leaves of the result; the arguments may not be written to."""
        before = [(x, x.value, x.node) for x in values if isinstance(x, Box)]
        captured, args, kwargs = super().arguments(values)
        result = super().parts(self.closure(captured, args, kwargs))
        if any(x.value is not value or x.node is not node for x, value, node in before):
            raise InterceptionError(
                f"{self.name} writes to an argument in place, which the caller would not see: "
                "write to a copy (x = x.copy()), and return it"
            )
        return result

    def pulled(
        self, values: Sequence[Any], wanted: Sequence[int], cotangents: Sequence[Any], ans: Any
    ) -> Sequence[Any]:
        expected = [value_of(part) for part in ans]

        def sweep(values: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Any, ...]:
            inside = self._of(wanted, values)
            record = Record(inside, [values[i] for i in wanted], lean=True)
            self._check_same(record.values, expected)
            found = record.tape.pull(record.seeds(cotangents), consume=True)
            return tuple(records.cotangents(found, record.inputs))

        return checkpoint(sweep)(tuple(values), tuple(cotangents))

    def pushed(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

        def along(values: Sequence[Any], directions: Sequence[Any]) -> tuple[Any, ...]:
            return jvp(self._of(moving, values), [values[i] for i in moving], directions)

        return checkpoint(along)(tuple(values), tuple(tangents[i] for i in moving))

    def _of(self, numbers: Sequence[int], values: Sequence[Any]) -> Function:
        """The inside as a function of some of the operands."""

        def inside(*chosen: Any) -> tuple[Any, ...]:
            operands = [*values]
            for i, value in zip(numbers, chosen, strict=True):
                operands[i] = value
            return tuple(self._inside(operands))

        return inside

    def _check_same(self, found: Sequence[Any], expected: Sequence[Any]) -> None:
        for again, first in zip(map(value_of, found), expected, strict=True):
            if isinstance(again, Traced) or isinstance(first, Traced):
                continue  # not known yet
            if np.shape(again) != np.shape(first) or not _is_close(again, first):
                raise DifferentiationError(
                    f"{self.name} gave another result when it was run again: it depends on "
                    "something that changes (random numbers, a counter, an array that is written "
                    "to). Pass that as an argument, such as a seed"
                )


def _is_close(a: Any, b: Any) -> bool:
    tolerance = np.sqrt(np.finfo(np.result_type(b)).eps)
    size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    return np.allclose(a, b, rtol=tolerance, atol=tolerance * size, equal_nan=True)


class _Shield(Trace):
    """A mode that calculates and keeps nothing: in-place code does not reach the operands."""

    __slots__ = ()

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive."""
        if self.closed:
            raise escaped("is used after its trace has ended")
        values = [
            arg.value if isinstance(arg, Traced) and arg.owner is self else arg for arg in args
        ]
        ans = primitive(*values, **kwargs)
        if not primitive.differentiable:
            return ans
        if primitive.outputs:
            return tuple(Box(part, None, self) for part in ans)
        return Box(ans, None, self)
