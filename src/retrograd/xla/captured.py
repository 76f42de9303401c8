"""Plain arrays that a function finds outside of its arguments, put in boxes.

`a[i]` with a plain array `a` and an index that XLA has yet to compute is decided inside NumPy,
which lets nobody in. A constant in a box behaves as the plain array does, and lets us in. This file
makes a copy of a function in which the arrays of its closure, defaults and globals, and those of
the functions that it calls by name, are such constants. The function itself is left alone.
"""

from __future__ import annotations

from functools import partial
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import Box
from retrograd.autodiff.constants import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Packages whose functions have no arrays of the user's among their globals.
_LIBRARIES = frozenset({"numpy", "scipy", "jax", "retrograd", "optree", "functools", "builtins"})


def with_boxes(x: Any, seen: dict[int, Any] | None = None) -> Any:
    """A function (or a container that it uses) with constants in the place of plain arrays."""
    seen = {} if seen is None else seen
    if id(x) in seen:
        return seen[id(x)]
    if type(x) is np.ndarray:
        seen[id(x)] = Box(x, None, CONSTANT)
    elif isinstance(x, FunctionType):
        _copy(x, seen)
    elif type(x) is partial:
        args, keywords = with_boxes(x.args, seen), with_boxes(x.keywords, seen)
        seen[id(x)] = partial(with_boxes(x.func, seen), *args, **keywords)
    elif type(x) in (list, tuple):
        seen[id(x)] = type(x)(with_boxes(part, seen) for part in x)
    elif type(x) is dict:
        seen[id(x)] = {name: with_boxes(part, seen) for name, part in x.items()}
    else:
        return x
    return seen[id(x)]


def _copy(function: FunctionType, seen: dict[int, Any]) -> None:
    cells = tuple(CellType() for _ in function.__closure__ or ())
    names = {} if _is_library(function) else dict(function.__globals__)
    new = FunctionType(
        function.__code__, names or function.__globals__, function.__name__, None, cells
    )
    seen[id(function)] = new  # before the rest, which may lead back here
    new.__dict__.update(function.__dict__)
    new.__defaults__ = with_boxes(function.__defaults__, seen)
    new.__kwdefaults__ = with_boxes(function.__kwdefaults__, seen)
    for cell, old in zip(cells, function.__closure__ or (), strict=True):
        try:
            cell.cell_contents = with_boxes(old.cell_contents, seen)
        except ValueError:  # a name that has no value yet
            continue
    for name in _names(function.__code__):
        if name in names:
            names[name] = with_boxes(names[name], seen)


def _is_library(function: FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in _LIBRARIES


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function and the functions inside it look up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
