"""What solvers call: a user's function of numbers and parameters, on plain values.

A solver of SciPy knows no traced value. Its parameters (`args`, a nest of containers) are taken
apart into leaves, which become arguments of a primitive; the solver itself runs on plain values.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

from retrograd.autodiff import tree
from retrograd.autodiff.constants import unboxed
from retrograd.autodiff.primitive import has_traced
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[..., Any]


def is_traced(*values: Any) -> bool:
    """Whether one of these values, or something inside of them, is traced."""
    return any(isinstance(leaf, Traced) for leaf in tree.leaves(values))


def plain(values: Any) -> Any:
    """The plain values of a nest of containers."""
    return tree.map(value_of, values)


class Callback:
    """A user's function with its parameters as leaves: `callback(x, ..., *leaves)`.

    Args:
        name: of the solver, for messages.
        function: the user's function `(x, ..., *args)`; it may return lists of numbers.
        structure: of `args`, from `tree.flatten`.
    """

    def __init__(self, name: str, function: Function, structure: Any) -> None:
        self.name = name
        self.function = function
        self.structure = structure

    def __call__(self, variables: Sequence[Any], leaves: Sequence[Any]) -> Any:
        """The function's value as one array, traced if something in it is."""
        return as_array(self.function(*variables, *self.args(leaves)))

    def args(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The parameters, put together again."""
        return tree.unflatten(self.structure, leaves)

    def checked(self, result: Any) -> Any:
        """What a solver gets from the function: it cannot take a traced value."""
        result = unboxed(result)
        if has_traced(result):
            raise InterceptionError(
                f"{self.name}: the function uses a traced value that is not among its arguments, "
                "and the solver cannot see its derivative. Pass it through args=, or take the "
                "plain value deliberately with retrograd.value_of(x)."
            )
        return result


def guarded(name: str, function: Any) -> Any:
    """A function for a solver that was called with plain values: a traced result is named."""
    if not callable(function):
        return function
    callback = Callback(name, function, None)
    return wraps(function)(lambda *args, **kwargs: callback.checked(function(*args, **kwargs)))


def also_by_position(original: Function) -> Callable[[Function], Function]:
    """Let a function take the options of SciPy's by position too, in SciPy's order.

    Args:
        original: SciPy's function, whose first parameters are those of the decorated one.
    """
    names = [*inspect.signature(original).parameters]

    def decorate(function: Function) -> Function:
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
        count = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) > len(names):
                raise TypeError(
                    f"{function.__name__}: {len(args)} arguments were given by position; it takes "
                    f"{len(names)} at most"
                )
            options = dict(zip(names[count:], args[count:], strict=False))
            return function(*args[:count], **options, **kwargs)

        return call

    return decorate


def unpacked(name: str, function: Function, args: Any) -> tuple[Callback, list[Any]]:
    """The callback of a function, and the leaves of its parameters."""
    leaves, structure = tree.flatten(args if isinstance(args, tuple) else (args,))
    return Callback(name, function, structure), leaves


def replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """The values, with new ones at some places."""
    changed = list(values)
    for place, value in zip(places, new, strict=True):
        changed[place] = value
    return changed


def refuse(name: str, argument: str, cure: str) -> MissingRuleError:
    """The error for an argument that no derivative rule covers."""
    return MissingRuleError(f"{name}: no derivative rule covers {argument}; {cure}")
