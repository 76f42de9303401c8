"""A call of a function of containers as one operation, whose inside no trace looks into.

`checkpoint`, `custom_vjp` and `custom_jvp` are subclasses of `Opaque`: they say what runs and what
its two derivatives are; here, containers are taken apart and the operation meets the modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import records, tree
from retrograd.autodiff.box import Box
from retrograd.autodiff.constants import is_constant
from retrograd.autodiff.dual import Dual
from retrograd.autodiff.primitive import Everywhere, Primitive
from retrograd.autodiff.tape import Tape
from retrograd.autodiff.trace import Trace, Traced, innermost
from retrograd.errors import EscapedTraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


class Opaque(Primitive):
    """One call of a function.

    Its operands are those leaves of the arguments that are arrays or traced, its results the leaves
    of the result that are floats; the other leaves are constants of the call.

    Args:
        name: for messages.
        arguments: a container of everything that the function is given.
    """

    __slots__ = (
        "leaves", "places", "result_leaves", "result_places", "result_structure", "shut",
        "structure", "traced",
    )  # fmt: skip

    def __init__(self, name: str, arguments: Any) -> None:
        self.name = name
        super().__init__(self._evaluate, outputs=True)
        self.name = name
        self.leaves, self.structure = tree.flatten(arguments)
        self.places: list[int] = []
        self.traced: list[int] = []  # the operands that are traced, by their numbers
        # Traces that are closed while the inside runs: it may use nothing of theirs.
        self.shut: list[Trace] = []
        self.result_structure: Any = None
        self.result_places: list[int] = []
        self.result_leaves: list[Any] = []
        self.pullback = self._pullback
        self.jvps = Everywhere(self._push)

    def run(self, arguments: Any) -> Any:
        """The result, for plain values in the places of the operands."""
        raise NotImplementedError

    def pulled(
        self, values: Sequence[Any], wanted: Sequence[int], cotangents: Sequence[Any], ans: Any
    ) -> Sequence[Any]:
        """The cotangents of the wanted operands, given those of the results (None for zero)."""
        raise NotImplementedError

    def pushed(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """The results and their tangents, given those of the operands (None for zero)."""
        raise NotImplementedError

    def result(self) -> Any:
        """Make the call."""
        operands = self._operands()
        parts = self(*operands)
        leaves = [*self.result_leaves]
        for place, part in zip(self.result_places, parts, strict=True):
            leaves[place] = part
        return tree.unflatten(self.result_structure, leaves)

    def _operands(self) -> list[Any]:
        """The leaves that are arrays or traced, taken out of the others."""
        operands: list[Any] = []
        for i, leaf in enumerate(self.leaves):
            if is_constant(leaf):
                leaf = leaf.value
            if isinstance(leaf, Traced):
                self.traced.append(len(operands))
            elif type(leaf) is np.ndarray:
                leaf = leaf.view()
                leaf.flags.writeable = False
            else:
                continue
            self.places.append(i)
            operands.append(leaf)
            self.leaves[i] = None
        return operands

    def arguments(self, values: Sequence[Any]) -> Any:
        """The arguments with these values for the operands."""
        leaves = [*self.leaves]
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value
        return tree.unflatten(self.structure, leaves)

    def parts(self, result: Any) -> list[Any]:
        """The leaves of a result that are floats; the others are noted."""
        leaves, self.result_structure = tree.flatten(result)
        places = [i for i, leaf in enumerate(leaves) if records.carries(leaf)]
        parts = [leaves[i] for i in places]
        for i in places:
            leaves[i] = None
        self.result_places, self.result_leaves = places, leaves
        return parts

    def __call__(self, *values: Any) -> Any:
        """The results; one operation for a tape or in forward mode, as it is for other modes."""
        trace = innermost(values)
        if isinstance(trace, Dual):
            return self._through(trace, values)
        if not isinstance(trace, Tape):
            return self._evaluate(*values)
        self.shut.append(trace)
        try:
            return trace.apply(self, values, {})
        finally:
            self.shut.remove(trace)

    def _through(self, trace: Dual, values: Sequence[Any]) -> tuple[Any, ...]:
        """Forward mode, in all operands together."""
        own = [isinstance(value, Traced) and value.owner is trace for value in values]
        primals = [v.value if mine else v for v, mine in zip(values, own, strict=True)]
        tangents = [v.node if mine else None for v, mine in zip(values, own, strict=True)]
        self.shut.append(trace)
        try:
            results, pushed = self._guarded(lambda: self.pushed(primals, tangents))
        finally:
            self.shut.remove(trace)
        return tuple(
            y if d is None else Box(y, d, trace) for y, d in zip(results, pushed, strict=True)
        )

    def _evaluate(self, *values: Any) -> tuple[Any, ...]:
        return self._guarded(lambda: tuple(self.parts(self.run(self.arguments(values)))))

    def _guarded(self, evaluate: Function) -> Any:
        """Evaluate the inside, for which the values of the traces around it are out of reach."""
        open_traces = [trace for trace in self.shut if not trace.closed]
        for trace in open_traces:
            trace.closed = True
        try:
            return evaluate()
        except EscapedTraceError as error:
            raise EscapedTraceError(
                f"{self.name} uses a traced value that is not among its arguments (a global, an "
                "attribute of an object, an element of a container that was changed): pass it as "
                "an argument"
            ) from error
        finally:
            for trace in open_traces:
                trace.closed = False

    def _pullback(self, argnums: list[int], g: Any, ans: Any, *values: Any) -> Sequence[Any]:
        return self.pulled(values, argnums, g, ans)

    def _push(self, argnum: int, d: Any, ans: Any, *values: Any) -> tuple[Any, ...]:
        return tuple(
            self.pushed(values, [d if i == argnum else None for i in range(len(values))])[1]
        )


def name_of(operator: str, f: Function) -> str:
    """The name of a function behind an operator, for messages."""
    return f"{operator}({getattr(f, '__name__', type(f).__name__)})"
