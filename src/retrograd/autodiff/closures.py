"""The traced values that a function has captured, as arguments of another function.

A function that is run again after its trace has ended must be given what it captured anew. Looked
through are the variables of enclosing functions, default values, partials, bound methods of
containers, and containers and functions found there.
"""

from __future__ import annotations

from functools import partial
from types import CellType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from retrograd.autodiff import tree
from retrograd.autodiff.constants import is_live
from retrograd.autodiff.trace import Traced
from retrograd.errors import InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


class Closure:
    """A function, and the traced values that it has captured (`values`)."""

    __slots__ = ("_found", "_holders", "_seen", "function", "values")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.values: list[Any] = []
        self._found: dict[int, int] = {}  # where in `values`, by the identity of the box
        self._seen: dict[int, Any] = {}
        self._holders: dict[int, list[int]] = {}  # what holds something, by identity
        self._look(function)

    def __call__(self, values: list[Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """The function's result with other values for those that it has captured."""
        if not values:
            return self.function(*args, **kwargs)
        new = {key: values[place] for key, place in self._found.items()}
        rebuilt = _Rebuilt(new, self._concerned())
        result = rebuilt(self.function)(*args, **kwargs)
        rebuilt.check_unwritten()
        return result

    def _look(self, x: Any) -> None:
        self._seen[id(x)] = x
        if isinstance(x, Traced):
            if is_live(x):
                self._found[id(x)] = len(self.values)
                self.values.append(x)
            return
        for part in _parts(x):
            self._holders.setdefault(id(part), []).append(id(x))
            if id(part) not in self._seen:
                self._look(part)

    def _concerned(self) -> set[int]:
        """The functions and containers that hold a captured value, at any depth."""
        concerned: set[int] = set()
        waiting = [*self._found]
        while waiting:
            for holder in self._holders.get(waiting.pop(), ()):
                if holder not in concerned:
                    concerned.add(holder)
                    waiting.append(holder)
        return concerned


class _Rebuilt:
    """Makes copies of functions and containers that hold other values in the place of boxes."""

    def __init__(self, new: dict[int, Any], concerned: set[int]) -> None:
        self.made, self.concerned = new, concerned
        self.cells: dict[int, CellType] = {}  # the new ones, by the identity of the old
        self.contents: list[tuple[CellType, Any]] = []

    def __call__(self, x: Any) -> Any:
        if id(x) in self.made:
            return self.made[id(x)]
        if id(x) not in self.concerned:
            return x
        if isinstance(x, FunctionType):
            return self._function(x)
        self.made[id(x)] = made = self._made(x)
        return made

    def check_unwritten(self) -> None:
        """Refuse a function that has given an enclosing function's variable another value."""
        for cell, content in self.contents:
            if cell.cell_contents is not content:
                raise InterceptionError(
                    "checkpoint: the function assigns to a variable of an enclosing function "
                    "(nonlocal) that holds a traced value. Pass the value as an argument, and "
                    "return the new one"
                )

    def _made(self, x: Any) -> Any:
        if isinstance(x, MethodType):
            return MethodType(x.__func__, self(x.__self__))
        if isinstance(x, partial):
            return partial(self(x.func), *self(x.args), **self(x.keywords))
        leaves, structure = _taken_apart(x)
        return tree.unflatten(structure, [self(leaf) for leaf in leaves])

    def _function(self, f: FunctionType) -> FunctionType:
        """A copy of a function; it is known before its cells are filled: it may know itself."""
        old = f.__closure__ or ()
        cells = tuple(self._emptied(cell) for cell in old)
        new = FunctionType(f.__code__, f.__globals__, f.__name__, None, cells)
        self.made[id(f)] = new
        new.__defaults__, new.__kwdefaults__ = self(f.__defaults__), self(f.__kwdefaults__)
        new.__dict__.update(f.__dict__)
        for cell, given in zip(cells, old, strict=True):
            if cell is not given and _is_empty(cell):
                cell.cell_contents = content = self(given.cell_contents)
                self.contents.append((cell, content))
        return new

    def _emptied(self, cell: CellType) -> CellType:
        """An empty cell for what has to be replaced; functions that share one share the new one."""
        if id(cell) not in self.cells:
            held = None if _is_empty(cell) else id(cell.cell_contents)
            stays = held not in self.concerned and held not in self.made
            self.cells[id(cell)] = cell if stays else CellType()
        return self.cells[id(cell)]


def _parts(x: Any) -> list[Any]:
    """What a value may have captured traced values in."""
    if isinstance(x, FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or () if not _is_empty(cell)]
        return [*cells, x.__defaults__, x.__kwdefaults__]
    if isinstance(x, MethodType):
        return [x.__self__]
    if isinstance(x, partial):
        return [x.func, x.args, x.keywords]
    leaves, _ = _taken_apart(x)
    return leaves


def _taken_apart(x: Any) -> tuple[list[Any], Any]:
    leaves, structure = tree.flatten(x)
    return ([], None) if len(leaves) == 1 and leaves[0] is x else (leaves, structure)


def _is_empty(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
