"""Which arguments of a function are differentiated, and the names of what the operators return."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

# Positions and names of arguments: argnum, as the operators take it.
Argnum = int | str | Sequence[int | str]


class Chosen:
    """One call of a function, seen as a function of the arguments that `argnum` names."""

    __slots__ = ("args", "function", "keywords", "places", "several")

    def __init__(
        self, function: Function, argnum: Argnum, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        self.function, self.args, self.keywords = function, args, kwargs
        self.several = isinstance(argnum, Sequence) and not isinstance(argnum, str)
        numbers = argnum if self.several else (argnum,)
        self.places = [self._place(number) for number in numbers]  # type: ignore[union-attr]
        if len(set(self.places)) < len(self.places):
            raise ArgumentError(f"argnum: {argnum} names an argument twice; give each one once")

    def _place(self, number: Any) -> int | str:
        """A position counted from the front, or the name of a keyword."""
        if isinstance(number, str):
            return self._named(number)
        if not isinstance(number, int | np.integer):
            raise ArgumentError(
                f"argnum: {number!r} was given; give the position or the name of an argument"
            )
        count = len(self.args)
        if not -count <= number < count:
            raise ArgumentError(
                f"argnum: {number} was given, but the function was called with {count} positional "
                "arguments; pass the differentiated argument by position, or give its name"
            )
        return int(number) % count

    def _named(self, name: str) -> int | str:
        if name in self.keywords:
            return name
        try:
            parameters = [*inspect.signature(self.function).parameters.values()]
        except (TypeError, ValueError):  # some functions written in C have no signature
            parameters = []
        by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, _EITHER)]
        if name in by_position[: len(self.args)]:
            return by_position.index(name)
        raise ArgumentError(
            f"argnum: {name!r} was given, but the function was called without an argument of this "
            f"name; pass it ({name}=...)"
        )

    @property
    def values(self) -> list[Any]:
        """The chosen arguments."""
        return [self.keywords[p] if isinstance(p, str) else self.args[p] for p in self.places]

    def __call__(self, *values: Any) -> Any:
        """The function with other values for the chosen arguments."""
        args, keywords = [*self.args], {**self.keywords}
        for place, value in zip(self.places, values, strict=True):
            if isinstance(place, str):
                keywords[place] = value
            else:
                args[place] = value
        return self.function(*args, **keywords)

    def shaped(self, derivatives: Sequence[Any]) -> Any:
        """The derivatives as `argnum` was: one, or a tuple of several."""
        return tuple(derivatives) if self.several else derivatives[0]


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def named_as(f: Function) -> Callable[[Function], Function]:
    """Give a new function the name, docstring and `__wrapped__` of the one that it came from.

    What has no name of its own (a partial) lends that of the function inside it.
    """
    if not callable(f):
        raise ArgumentError(
            f"f: a {type(f).__name__} ({f!r:.60}) was given where an operator takes a function: "
            "write grad(f)(x), not grad(f(x))"
        )

    def rename(new: Function) -> Function:
        new = wraps(f)(new)
        inner = f
        while isinstance(inner, partial):
            inner = inner.func
        if inner is not f:
            new.__doc__ = inner.__doc__
            new.__name__ = new.__qualname__ = getattr(inner, "__name__", new.__name__)
        return new

    return rename
