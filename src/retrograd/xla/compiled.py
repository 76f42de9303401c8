"""`compile`: the same NumPy-style function through XLA."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.arguments import named_as
from retrograd.autodiff.constants import unboxed
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError, CompilationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[..., Any]

__all__ = ["compile"]


def compile(f: Function) -> Function:
    """The function `f`, compiled by XLA at its first call; needs JAX.

    `f` is written with NumPy or `retrograd.numpy`, as for `grad`, and may be made by the operators:
    `compile(grad(f))`, `compile(hvp(f))`, `compile(jacobian(f))`.

    It is run once for each new combination of containers, shapes and dtypes, on values that are not
    known yet, and what it did becomes a program. Arrays and floating-point numbers among its
    arguments are values of that program. Python integers, truth values, strings and None are part
    of it: new ones make a new program, and Python code may depend on them. So are all other values
    that `f` finds outside of its arguments, as they are at the first call.

    Args:
        f: a function of nested containers of arrays, without side effects.

    Returns:
        A function of the same arguments and results. Results are NumPy arrays of the caller's own,
        of the dtypes that NumPy gives, 64-bit ones included; numbers are NumPy scalars. It can be
        differentiated itself, and its derivatives are compiled as well.

    Raises:
        CompilationError: JAX is missing; or, at the first call, `f` decides by a value (`if x > 0`)
            or uses a function that XLA does not have.
        IndexError: an index of the running program is out of bounds.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> slope = rg.compile(rg.grad(lambda x: np.sum(np.tanh(x) ** 2)))
        >>> slope(np.array([0.0, 1.0])).round(6)
        array([0.    , 0.6397])
    """
    if find_spec("jax") is None:
        raise CompilationError(
            'compile: it needs JAX, which is not installed; pip install "retrograd[jax]"'
        )
    programs = Compiled(f)

    @named_as(f)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        return programs.call(args, kwargs)

    return compiled


class Compiled:
    """A function with its programs, by what they depend on."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.programs: dict[Any, Any] = {}

    def __call__(self, *args: Any) -> Any:
        return self.call(args, {})

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of the function, by the program for arguments of this kind."""
        leaves, structure = _flatten(args, kwargs)
        key = [structure]
        values = []
        for leaf in leaves:
            kind = type(leaf)
            if kind is np.ndarray:
                contiguous = leaf.flags.c_contiguous
                key += kind, leaf.shape, leaf.dtype, None if contiguous else leaf.strides
                values.append(leaf)
            elif kind is float or kind is complex:
                key.append(kind)
                values.append(leaf)
            elif kind in _PARTS:
                key += kind, leaf
            elif isinstance(leaf, Traced):
                return self._within_another_trace(leaves, structure)
            else:
                values += _other(leaf, key)
        key = tuple(key)
        program = self.programs.get(key)
        if program is None:
            program = self.programs[key] = self._program(leaves, structure)
        return program(values)

    def _program(self, leaves: Sequence[Any], structure: Any) -> Any:
        from retrograd.xla.program import Program  # which needs JAX

        places = [i for i, leaf in enumerate(leaves) if is_value(leaf)]
        if isinstance(structure, int):
            structure = tree.flatten((tuple(leaves), {}))[1]
        return Program(self.function, structure, leaves, places)

    def _within_another_trace(self, leaves: Sequence[Any], structure: Any) -> Any:
        leaves = [unboxed(leaf) for leaf in leaves]
        if any(isinstance(value_of(leaf), Traced) for leaf in leaves):
            args, kwargs = tree.unflatten(structure, leaves)  # it is being compiled already
            return self.function(*args, **kwargs)
        if not any(isinstance(leaf, Traced) for leaf in leaves):
            args, kwargs = tree.unflatten(structure, leaves)
            return self.call(args, kwargs)
        return self._differentiable(leaves, structure)(leaves)

    def _differentiable(self, leaves: list[Any], structure: Any) -> Any:
        from retrograd.xla.derivatives import Differentiable  # which needs this file

        parts: list[Any] = [None if is_value(value_of(leaf)) else leaf for leaf in leaves]
        key = (Differentiable, structure, *((type(x), x) for x in parts))
        if key not in self.programs:
            self.programs[key] = Differentiable(self.function, structure, parts)
        return self.programs[key]


def _flatten(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Sequence[Any], Any]:
    """The leaves of the arguments and their structure; how many, where all are plain arrays."""
    if not kwargs and all(type(x) is np.ndarray for x in args):
        return args, len(args)
    return tree.flatten((args, kwargs))


# What is part of a program instead of a value in it. None is a container without leaves.
_PARTS = frozenset({int, bool, str, bytes})


def is_value(leaf: Any) -> bool:
    """Whether an argument is a value of the program; otherwise it is a part of it."""
    return (
        isinstance(leaf, float | complex | np.ndarray | np.generic)
        or hasattr(leaf, "__jax_array__")
        or (hasattr(leaf, "dtype") and hasattr(leaf, "shape"))
    )


def _other(leaf: Any, key: list[Any]) -> list[Any]:
    """Note the signature of an argument; the value that is handed to the program, if it is one."""
    if is_value(leaf):
        key += type(leaf), leaf.shape, leaf.dtype
        return [leaf]
    try:
        hash(leaf)
    except TypeError:
        raise ArgumentError(
            f"compile: an argument of type {type(leaf).__name__} was given, which is neither an "
            "array nor hashable, so that no program can be kept for it. Give arrays, numbers, "
            "strings, or containers of them (retrograd.tree)."
        ) from None
    key += type(leaf), leaf
    return []
