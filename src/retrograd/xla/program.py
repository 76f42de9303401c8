"""One compiled program: a function at arguments of certain shapes and dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.trace import Traced
from retrograd.errors import ArgumentError
from retrograd.xla import engine, indexing, layout, lowering
from retrograd.xla.box import PlainArrayError, XLABox
from retrograd.xla.captured import with_boxes
from retrograd.xla.trace import XLATrace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

assert engine
assert indexing


class Program:
    """A function of nested containers as one call into XLA.

    Args:
        function: the function.
        structure: the structure of its arguments, `(args, kwargs)`.
        leaves: their leaves, the first time.
        places: the numbers of the leaves that are values of the program; the others are part of it.
    """

    def __init__(
        self, function: Callable[..., Any], structure: Any, leaves: list[Any], places: list[int]
    ) -> None:
        self.function, self.structure = function, structure
        self.leaves: list[Any] = [None if i in places else x for i, x in enumerate(leaves)]
        self.stand_ins = [_stand_in(leaves[i]) for i in places]
        self.places = places
        self.result_structure: Any = None
        # The leaves of the result: those that are no values of XLA as they are, and None.
        self.constants: list[Any] = []
        self.computed: list[int] = []
        self.checked = False
        self.executable = jax.jit(self._trace)

    def __call__(self, values: Sequence[Any]) -> Any:
        """The result of the function, in arrays of the caller's own."""
        with jax.enable_x64(True):
            computed = self.executable(*values)
        if self.checked and not np.asarray(computed[-1]):
            raise IndexError(
                f"{_name(self.function)}, compiled: an index is out of bounds of the array that "
                "it reads or writes"
            )
        leaves = [x.copy() if isinstance(x, np.ndarray) else x for x in self.constants]
        for place, value in zip(self.computed, computed, strict=False):
            leaves[place] = plain(value)
        return tree.unflatten(self.result_structure, leaves)

    def _trace(self, *values: Any) -> list[Any]:
        try:
            results, trace = self._run(self.function, values)
        except PlainArrayError:
            # Perhaps an array of the closure was indexed: then its box will do.
            results, trace = self._run(with_boxes(self.function), values)
        self.computed = [i for i, leaf in enumerate(results) if isinstance(leaf, jax.Array)]
        self.constants = [None if isinstance(x, jax.Array) else x for x in results]
        self.checked = bool(trace.within)
        checks = [jnp.all(jnp.stack(trace.within))] if self.checked else []
        return [results[i] for i in self.computed] + checks


    def _run(self, function: Callable[..., Any], values: Sequence[Any]) -> tuple[list[Any], Any]:
        """The leaves of the result, in JAX's arrays where these are values of XLA."""
        with XLATrace() as trace:
            leaves = [*self.leaves]
            for place, value, stand_in in zip(self.places, values, self.stand_ins, strict=True):
                leaves[place] = trace.watch(value, stand_in)
            args, kwargs = tree.unflatten(self.structure, leaves)
            results, self.result_structure = tree.flatten(function(*args, **kwargs))
        return [_unboxed(leaf, trace) for leaf in results], trace


def plain(value: Any) -> Any:
    """An array of XLA as NumPy's, which the caller may write to; a number as NumPy's scalar."""
    found = np.asarray(value)
    return found.copy() if found.ndim else found[()]


def _stand_in(leaf: Any) -> Any:
    """What has the kind and layout of an argument, without keeping it alive."""
    if layout.is_number(leaf):
        return type(leaf)(0)
    if isinstance(leaf, np.ndarray):
        if leaf.dtype.kind not in "biufc" or leaf.dtype.char in "gG":
            raise ArgumentError(
                f"compile: an argument has dtype {leaf.dtype}, which XLA does not have; convert it "
                "(x.astype(float))"
            )
        if not leaf.flags.c_contiguous:
            return np.zeros_like(leaf)
        return np.zeros(leaf.shape, leaf.dtype)
    return layout.fresh(leaf.shape, leaf.dtype)


def _unboxed(leaf: Any, trace: XLATrace) -> Any:
    if not isinstance(leaf, Traced):
        return leaf
    if leaf.owner is CONSTANT:
        return leaf.value
    if not isinstance(leaf, XLABox) or leaf.owner is not trace:
        raise lowering.foreign()
    return leaf.value


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))
