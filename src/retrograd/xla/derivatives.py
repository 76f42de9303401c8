"""Derivatives of compiled functions: a primitive whose rules are compiled functions themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import jvp, tree, vjp
from retrograd.autodiff.primitive import Everywhere, Primitive, rule
from retrograd.autodiff.trace import value_of
from retrograd.xla.compiled import Compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Differentiable:
    """A compiled function of its leaves, on traced values.

    Args:
        function: the function.
        structure: the structure of its arguments.
        parts: their leaves, with None for those that are values of the program.
    """

    def __init__(self, function: Callable[..., Any], structure: Any, parts: list[Any]) -> None:
        self.function, self.structure, self.parts = function, structure, parts
        self.places = [i for i, part in enumerate(parts) if part is None]
        self.values = Compiled(self._flat)
        self.pulled = Compiled(self._pulled)
        self.pushed = Compiled(self._pushed)
        self.result_structure: Any = None
        primitive = Primitive(self._leaves, outputs=True)
        rule(primitive, Everywhere(self._vjp), Everywhere(self._jvp))
        primitive.name = getattr(function, "__name__", repr(function))
        primitive.pullback = self._pullback
        self.primitive = primitive

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """The result for arguments with these leaves, some of which are traced."""
        parts = self.primitive(*[leaves[i] for i in self.places])
        parts = [part if tree.is_float(value_of(part)) else value_of(part) for part in parts]
        return tree.unflatten(self.result_structure, parts)

    def _flat(self, *values: Any) -> Any:
        leaves = [*self.parts]
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value
        args, kwargs = tree.unflatten(self.structure, leaves)
        return self.function(*args, **kwargs)

    def _leaves(self, *values: Any) -> tuple[Any, ...]:
        leaves, self.result_structure = tree.flatten(self.values(*values))
        return tuple(leaves)

    def _of(self, places: Sequence[int], values: Sequence[Any]) -> Callable[..., Any]:
        """The leaves of the result as a function of some of the values."""

        def result(*chosen: Any) -> Any:
            mixed = [*values]
            for place, value in zip(places, chosen, strict=True):
                mixed[place] = value
            return tree.leaves(self._flat(*mixed))

        return result

    def _pulled(self, places: tuple[int, ...], g: Any, values: Sequence[Any]) -> Any:
        _, pullback = vjp(self._of(places, values), *[values[i] for i in places])
        return pullback(g)

    def _pushed(self, place: int, d: Any, values: Sequence[Any]) -> Any:
        return jvp(self._of((place,), values), (values[place],), (d,))[1]

    def _pullback(self, argnums: Sequence[int], g: Any, ans: Any, *values: Any) -> Any:
        full = [_cotangent(part, value) for part, value in zip(g, ans, strict=True)]
        return self.pulled(tuple(argnums), full, list(values))

    def _vjp(self, argnum: int, g: Any, ans: Any, *values: Any) -> Any:
        return self._pullback([argnum], g, ans, *values)[0]

    def _jvp(self, argnum: int, d: Any, ans: Any, *values: Any) -> Any:
        return tuple(self.pushed(argnum, d, list(values)))


def _cotangent(g: Any, value: Any) -> Any:
    """A cotangent of a leaf of the result: zeros for None, and None for what is no float."""
    plain = value_of(value)
    if not tree.is_float(plain):
        return None
    return np.zeros(np.shape(plain), np.result_type(plain)) if g is None else g
