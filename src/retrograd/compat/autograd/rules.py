"""A function that Autograd's `primitive` made: its rules, and one call of it.

Its arguments and results may be containers, and one rule serves an argument as a whole. Where
forward mode is not stated, it is had from reverse mode by transposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from retrograd.autodiff import records, tree, vjp
from retrograd.autodiff.opaque import Opaque
from retrograd.autodiff.own_rules import rules_met
from retrograd.autodiff.trace import Traced
from retrograd.errors import ArgumentError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

__all__ = ["ZERO", "Call", "Stated", "call"]

# What a rule gives for an argument whose derivative has been stated to be zero.
ZERO: Any = type("Zero", (), {"__repr__": lambda _: "<zero>"})()


class Stated:
    """A function and its rules.

    Attributes:
        pull: `pull(argnums, ans, args, kwargs)` is a function from the cotangent of the result to
            the cotangents of those arguments; None if reverse mode is not stated.
        push: `push(argnums, tangents, ans, args, kwargs)` is the tangent of the result; None if
            forward mode is not stated.
    """

    def __init__(self, function: Rule) -> None:
        self.function = function
        self.name: str = getattr(function, "__name__", repr(function))
        self.pull: Rule | None = None
        self.push: Rule | None = None

    def missing(self, argnum: int | str, mode: str) -> MissingRuleError:
        """The error for a rule that nobody has stated."""
        if isinstance(argnum, str):
            return MissingRuleError(
                f"{self.name}: the keyword {argnum}= is traced, and rules are for arguments by "
                "position: pass it so"
            )
        return MissingRuleError(
            f"{self.name} has no {mode}-mode derivative with respect to argument {argnum}: state "
            f"it with {'defvjp' if mode == 'reverse' else 'defjvp'}"
        )


class _Place(NamedTuple):
    """Where an operand belongs: to which argument, and to which leaf of it."""

    argument: int | str
    leaf: int


class Call(Opaque):
    """One call of a function with rules.

    Args:
        stated: the function.
        args: its arguments.
        kwargs: the same, by keyword.
    """

    __slots__ = ("owners", "stated")

    def __init__(self, stated: Stated, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(stated.name, (args, kwargs))
        self.stated = stated
        ordered = [*enumerate(args), *sorted(kwargs.items())]
        self.owners = [
            _Place(name, i) for name, value in ordered for i in range(len(tree.leaves(value)))
        ]

    def run(self, arguments: Any) -> Any:
        """The value, by the function itself."""
        args, kwargs = arguments
        return self.stated.function(*args, **kwargs)

    def pulled(
        self, values: Sequence[Any], wanted: Sequence[int], cotangents: Sequence[Any], ans: Any
    ) -> Sequence[Any]:
        """The cotangents of the wanted operands."""
        if self.stated.pull is None:
            owner = self.owners[self.places[wanted[0]]]
            raise self.stated.missing(owner.argument, "reverse")
        g = [
            records.zeros(y) if c is None else records.own(c)
            for c, y in zip(cotangents, ans, strict=True)
        ]
        return self._pulled(self.arguments(values), wanted, g, ans)

    def pushed(
        self, values: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """The results and their tangents."""
        arguments = self.arguments(values)
        results = self._results(arguments)
        moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
        if self.stated.push is not None or self.stated.pull is None:
            along = dict(zip(moving, (tangents[i] for i in moving), strict=True))
            return results, self._pushed(arguments, along, results)

        def transposed(*g: Any) -> list[Any]:
            found = self._pulled(arguments, moving, g, results)
            return [
                records.zeros(values[i]) if c is None else c
                for i, c in zip(moving, found, strict=True)
            ]

        _, push = vjp(transposed, *map(records.zeros, results))
        return results, push([tangents[i] for i in moving])

    def _results(self, arguments: Any) -> list[Any]:
        """The results; for the traces around this one, too, an operation with these rules."""
        args, kwargs = arguments
        return self.parts(call(self.stated, args, kwargs))

    def _pulled(
        self, arguments: Any, wanted: Sequence[int], g: Sequence[Any], ans: Sequence[Any]
    ) -> list[Any]:
        """The cotangents of operands, those of arguments taken apart."""
        assert self.stated.pull is not None
        args, kwargs = arguments
        owners = [self.owners[self.places[i]] for i in wanted]
        argnums = self._numbers([owner.argument for owner in owners], "reverse")
        pull = self.stated.pull(argnums, self._whole(ans), args, kwargs)
        found = dict(zip(argnums, pull(self._whole(g)), strict=True))
        apart = {i: self._apart(found[i], args[i], f"cotangent of argument {i}") for i in argnums}
        return [apart[owner.argument][owner.leaf] for owner in owners]  # type: ignore[index]

    def _pushed(self, arguments: Any, along: dict[int, Any], ans: Sequence[Any]) -> list[Any]:
        """The tangents of the results, from those of operands."""
        args, kwargs = arguments
        owners = {self.owners[self.places[i]]: tangent for i, tangent in along.items()}
        argnums = self._numbers([owner.argument for owner in owners], "forward")
        if self.stated.push is None:
            raise self.stated.missing(argnums[0], "forward")
        tangents = []
        for i in argnums:
            leaves, structure = tree.flatten(args[i])
            parts = [owners.get(_Place(i, j)) for j in range(len(leaves))]
            filled = [_filled(part, leaf) for part, leaf in zip(parts, leaves, strict=True)]
            tangents.append(tree.unflatten(structure, filled))
        result = self._whole(ans)
        tangent = self.stated.push(argnums, tangents, result, args, kwargs)
        parts = self._apart(tangent, result, "tangent of the result")
        return [parts[place] for place in self.result_places]

    def _numbers(self, arguments: Sequence[int | str], mode: str) -> list[int]:
        for argument in arguments:
            if isinstance(argument, str):
                raise self.stated.missing(argument, mode)
        return sorted({argument for argument in arguments if isinstance(argument, int)})

    def _whole(self, parts: Sequence[Any]) -> Any:
        """The result with these in the place of its floats."""
        leaves = [*self.result_leaves]
        for place, part in zip(self.result_places, parts, strict=True):
            leaves[place] = part
        return tree.unflatten(self.result_structure, leaves)

    def _apart(self, derivative: Any, like: Any, what: str) -> list[Any]:
        """The leaves of what a rule returned, checked against what it belongs to."""
        leaves, structure = tree.flatten(like)
        if derivative is ZERO:
            return [None] * len(leaves)
        name = f"{self.name}: the {what}"
        if derivative is None:
            raise ArgumentError(
                f"{name} is None: let the rule return it, or state None as the rule"
            )
        parts = tree.like(structure, derivative, name)
        return [
            records.along(part, leaf, name) if part is not None and records.carries(leaf) else None
            for part, leaf in zip(parts, leaves, strict=True)
        ]


def _filled(derivative: Any, value: Any) -> Any:
    return records.zeros(value) if derivative is None and records.carries(value) else derivative


def call(stated: Stated, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function with rules: as one operation where something is traced."""
    if any(isinstance(leaf, Traced) for leaf in tree.leaves((args, kwargs))):
        rules_met()
        return Call(stated, args, kwargs).result()
    return stated.function(*args, **kwargs)
