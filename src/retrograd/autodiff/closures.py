"""The traced values that a function has captured, as arguments of another function.

A function that is run again after its trace has ended must be given what it captured anew. Looked
through are the variables of enclosing functions, default values, partials, bound methods of
containers, and containers and functions found there. What has been given another value since (a
loop's variable, a list that has grown) is put back as it was.
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
    # The parts of a value, and the structure to put them together again if it is a container.
    Apart = tuple[list[Any], Any]


class Closure:
    """A function, and the traced values that it has captured (`values`)."""

    __slots__ = ("_cells", "_found", "_holders", "_parts", "_seen", "function", "values")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.values: list[Any] = []
        self._found: dict[int, int] = {}  # where in `values`, by the identity of the box
        self._seen: dict[int, Any] = {}
        self._parts: dict[int, Apart] = {}  # what functions and containers held, by identity
        self._cells: dict[int, tuple[CellType, Any]] = {}  # and the variables of functions
        self._holders: dict[int, list[int]] = {}  # what holds something, by identity
        self._look(function)

    def __call__(self, values: list[Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """The function's result with other values, or the same, for those that it has captured."""
        stale = self._stale()
        if not stale and (not values or values is self.values):
            return self.function(*args, **kwargs)
        new = {key: values[place] for key, place in self._found.items()}
        rebuilt = _Rebuilt(new, self._concerned(stale), self._parts, self._cells)
        result = rebuilt(self.function)(*args, **kwargs)
        rebuilt.check_unwritten()
        return result

    def as_it_was(self, *args: Any) -> Any:
        """The function's result with what it had captured at first."""
        return self(self.values, args, {})

    def _look(self, x: Any) -> None:
        self._seen[id(x)] = x
        if isinstance(x, Traced):
            if is_live(x):
                self._found[id(x)] = len(self.values)
                self.values.append(x)
            return
        self._parts[id(x)] = parts, _ = _taken_apart(x)
        if isinstance(x, FunctionType):
            for cell in x.__closure__ or ():
                self._cells[id(cell)] = cell, None if _is_empty(cell) else cell.cell_contents
        for part in parts:
            self._holders.setdefault(id(part), []).append(id(x))
            if id(part) not in self._seen:
                self._look(part)

    def _stale(self) -> set[int]:
        """The functions and containers that hold something else by now."""
        stale: set[int] = set()
        for key, (parts, _) in self._parts.items():
            now, _ = _taken_apart(self._seen[key])
            if len(now) != len(parts) or any(a is not b for a, b in zip(now, parts, strict=True)):
                stale.add(key)
        return stale

    def _concerned(self, stale: set[int]) -> set[int]:
        """The functions and containers that are stale or hold a captured value, at any depth."""
        concerned = set(stale)
        waiting = [*self._found, *stale]
        while waiting:
            for holder in self._holders.get(waiting.pop(), ()):
                if holder not in concerned:
                    concerned.add(holder)
                    waiting.append(holder)
        return concerned


class _Rebuilt:
    """Makes copies of functions and containers that hold other values in the place of boxes."""

    def __init__(
        self,
        new: dict[int, Any],
        concerned: set[int],
        parts: dict[int, Apart],
        given: dict[int, tuple[CellType, Any]],
    ) -> None:
        self.made, self.concerned, self.parts, self.given = new, concerned, parts, given
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
                    "a function that is run again assigns to a variable of an enclosing function "
                    "(nonlocal) that holds a traced value. Pass the value as an argument, and "
                    "return the new one"
                )

    def _made(self, x: Any) -> Any:
        if isinstance(x, MethodType):
            return MethodType(x.__func__, self(x.__self__))
        if isinstance(x, partial):
            return partial(self(x.func), *self(x.args), **self(x.keywords))
        leaves, structure = self.parts[id(x)]
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
                content = self.given[id(given)][1]
                cell.cell_contents = self(content)
                if cell.cell_contents is not content:
                    self.contents.append((cell, cell.cell_contents))
        return new

    def _emptied(self, cell: CellType) -> CellType:
        """An empty cell for what has to be replaced; functions that share one share the new one."""
        if id(cell) not in self.cells:
            _, content = self.given[id(cell)]
            held = id(content)
            stays = held not in self.concerned and held not in self.made
            stays = stays and (_is_empty(cell) or cell.cell_contents is content)
            self.cells[id(cell)] = cell if stays else CellType()
        return self.cells[id(cell)]


def _taken_apart(x: Any) -> Apart:
    """What a value may have captured traced values in, and the structure of a container."""
    if isinstance(x, FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or () if not _is_empty(cell)]
        return [*cells, x.__defaults__, x.__kwdefaults__], None
    if isinstance(x, MethodType):
        return [x.__self__], None
    if isinstance(x, partial):
        return [x.func, x.args, x.keywords], None
    leaves, structure = tree.flatten(x)
    return ([], None) if len(leaves) == 1 and leaves[0] is x else (leaves, structure)


def _is_empty(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
