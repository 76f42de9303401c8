"""Functions whose derivative the user states: `custom_vjp`, `custom_jvp`.

Both are for functions of containers, and ask for what `vjp` and `jvp` return. From the mode that is
stated the other one follows by transposition. For single operations on arrays, with one rule an
argument, there is `retrograd.extend`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrograd.autodiff import records, tree
from retrograd.autodiff.arguments import named_as
from retrograd.autodiff.closures import Closure
from retrograd.autodiff.opaque import Opaque, name_of
from retrograd.autodiff.operators import vjp
from retrograd.autodiff.own_rules import rules_met
from retrograd.autodiff.trace import Traced
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


def custom_vjp(f: Function, rule: Function) -> Function:
    """A function with a reverse-mode derivative of your own.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        rule: a function with the parameters of `f` that returns `(result, pullback)`, as `vjp`
            does: `pullback(cotangent)` takes a container shaped like the result and returns a tuple
            of cotangents, one an argument (None for zero). In forward mode and for derivatives of
            higher order, `rule` and `pullback` are differentiated themselves.

    Returns:
        A function like `f`. Both `f` and `rule` must not write to their arguments, nor use traced
        values that are not among them.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> def clipped(x):  # the identity, whose gradient is clipped
        ...     return x, lambda g: (np.clip(g, -1, 1),)
        >>> clip_gradient = rg.custom_vjp(lambda x: x, clipped)
        >>> rg.grad(lambda x: np.sum(5 * clip_gradient(x)))(np.zeros(2))
        array([1., 1.])
    """

    @named_as(f)
    def custom(*args: Any, **kwargs: Any) -> Any:
        args = _positional(f, args, kwargs)
        return _CustomVjp(name_of("custom_vjp", f), f, rule, args).result()

    return custom


def custom_jvp(f: Function, rule: Function) -> Function:
    """A function with a forward-mode derivative of your own.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        rule: called as `rule(primals, tangents)` with two tuples, one entry an argument, returns
            `(result, tangent)`, as `jvp` does. Tangents are zeros where nothing moves, and None in
            the places of leaves that are no floats. The tangent of the result must be linear in
            them; for reverse mode it is transposed.

    Returns:
        A function like `f`. Both `f` and `rule` must not write to their arguments, nor use traced
        values that are not among them.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> def rule(primals, tangents):
        ...     (x,), (d,) = primals, tangents
        ...     y = np.log1p(np.exp(x))
        ...     return y, d * (1 - np.exp(-y))
        >>> softplus = rg.custom_jvp(lambda x: np.log1p(np.exp(x)), rule)
        >>> (
        ...     round(float(rg.grad(softplus)(0.0)), 12),
        ...     round(float(rg.grad(rg.grad(softplus))(0.0)), 12),
        ... )
        (0.5, 0.25)
    """

    @named_as(f)
    def custom(*args: Any, **kwargs: Any) -> Any:
        args = _positional(f, args, kwargs)
        return _CustomJvp(name_of("custom_jvp", f), f, rule, args).result()

    return custom


def _positional(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments by position, as rules get them."""
    if not kwargs:
        return args
    bound = inspect.signature(f).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise ArgumentError(
            f"{getattr(f, '__name__', 'the function')}: {sorted(bound.kwargs)} can be given by "
            "keyword only, but rules get arguments by position; let the function take them so"
        )
    return bound.args


class _Custom(Opaque):
    """One call of a function with a rule, which may run when its variables have changed."""

    __slots__ = ("f", "rule")

    def __init__(
        self, name: str, f: Function, rule: Function | Closure, args: tuple[Any, ...]
    ) -> None:
        super().__init__(name, args)
        rules_met()
        self.f = f
        self.rule = rule if isinstance(rule, Closure) else Closure(rule)

    def run(self, arguments: Any) -> Any:
        return self.f(*arguments)

    def again(self, values: Sequence[Any], result: Any) -> list[Any]:
        """The results, for the traces around this one too an operation with this rule."""
        if any(isinstance(value, Traced) for value in values):
            result = type(self)(self.name, self.f, self.rule, self.arguments(values)).result()
        return self.parts(result)

    def checked(self, given: Any, expected: Any, what: str) -> list[Any]:
        """The leaves of something that a rule returned, checked against what it belongs to."""
        like, structure = tree.flatten(expected)
        parts = tree.like(structure, given, f"{self.name}: {what}")
        return [
            records.along(part, leaf, f"{self.name}: {what}")
            if part is not None and records.carries(leaf)
            else None
            for part, leaf in zip(parts, like, strict=True)
        ]

    def pair(self, returned: Any, what: str) -> tuple[Any, Any]:
        """What a rule returned, if it is a pair."""
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ArgumentError(
                f"{self.name}: the rule returned {type(returned).__name__}; return a pair {what}"
            )
        return returned

    def filled(self, parts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """Derivatives, with zeros for None."""
        return [records.zeros(v) if d is None else d for d, v in zip(parts, values, strict=True)]


class _CustomVjp(_Custom):
    __slots__ = ("kept",)

    def __init__(
        self, name: str, f: Function, rule: Function | Closure, args: tuple[Any, ...]
    ) -> None:
        super().__init__(name, f, rule, args)
        self.kept: Function | None = None  # the pullback at plain values

    def run(self, arguments: Any) -> Any:
        if not self.shut:
            return super().run(arguments)
        result, self.kept = self._ruled(arguments)
        return result

    def pulled(
        self, values: Sequence[Any], wanted: Sequence[int], cotangents: Sequence[Any], ans: Any
    ) -> Sequence[Any]:
        pullback = self.kept
        if pullback is None or any(isinstance(value, Traced) for value in values):
            _, pullback = self._ruled(self.arguments(values))
        found = self._pulled(pullback, values, self.filled(cotangents, ans))
        return [found[i] for i in wanted]

    def pushed(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        result, pullback = self._ruled(self.arguments(values))
        results = self.again(values, result)
        moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

        def transposed(*cotangents: Any) -> list[Any]:
            found = self._pulled(pullback, values, cotangents)
            return [records.zeros(values[i]) if found[i] is None else found[i] for i in moving]

        _, push = vjp(transposed, *[records.zeros(part) for part in results])
        return results, push([tangents[i] for i in moving])

    def _ruled(self, arguments: Any) -> tuple[Any, Function]:
        result, pullback = self.pair(self.rule.as_it_was(*arguments), "(result, pullback)")
        return result, Closure(pullback).as_it_was

    def _pulled(
        self, pullback: Function, values: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """The cotangents of the operands; None for zero."""
        leaves = [None] * len(self.result_leaves)
        for place, c in zip(self.result_places, cotangents, strict=True):
            leaves[place] = records.own(c)
        found = pullback(tree.unflatten(self.result_structure, leaves))
        arguments = self.arguments(values)
        if not isinstance(found, tuple) or len(found) != len(arguments):
            raise ArgumentError(
                f"{self.name}: the pullback must return a tuple with one cotangent an argument "
                f"({len(arguments)}; None for zero), but returned {found!r:.60}"
            )
        parts: list[Any] = []
        for c, argument in zip(found, arguments, strict=True):
            nothing = [None] * len(tree.leaves(argument))
            parts += nothing if c is None else self.checked(c, argument, "cotangent")
        return [parts[place] for place in self.places]


class _CustomJvp(_Custom):
    __slots__ = ()

    def pulled(
        self, values: Sequence[Any], wanted: Sequence[int], cotangents: Sequence[Any], ans: Any
    ) -> Sequence[Any]:
        def pushed(*directions: Any) -> list[Any]:
            tangents: list[Any] = [None] * len(values)
            for i, direction in zip(wanted, directions, strict=True):
                tangents[i] = direction
            return self.filled(self._pushed(values, tangents)[1], ans)

        _, pullback = vjp(pushed, *[records.zeros(values[i]) for i in wanted])
        return pullback([*cotangents])

    def pushed(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        result, pushed = self._pushed(values, tangents)
        return self.again(values, result), pushed

    def _pushed(self, values: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The result, and the tangents of its float leaves."""
        primals = self.arguments(values)
        leaves, structure = tree.flatten(primals)
        along = [records.zeros(leaf) if records.carries(leaf) else None for leaf in leaves]
        for place, tangent in zip(self.places, tangents, strict=True):
            along[place] = along[place] if tangent is None else tangent
        ruled = self.rule.as_it_was(primals, tree.unflatten(structure, along))
        result, pushed = self.pair(ruled, "(result, tangent)")
        parts = self.checked(pushed, result, "tangent")
        carried = [records.carries(leaf) for leaf in tree.leaves(result)]
        return result, [part for part, one in zip(parts, carried, strict=True) if one]
