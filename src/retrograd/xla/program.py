"""One compiled program: a function at arguments of certain shapes and dtypes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.trace import Traced
from retrograd.errors import ArgumentError, CompilationError
from retrograd.xla import engine, indexing, layout, lowering
from retrograd.xla.box import PlainArrayError, XLABox
from retrograd.xla.captured import with_boxes
from retrograd.xla.trace import XLATrace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

assert engine  # registers lowerings
assert indexing

_let_others_run = getattr(os, "sched_yield", lambda: None)  # Windows has none


class Program:
    """A function of nested containers as one call into XLA.

    Args:
        function: the function.
        structure: the structure of its arguments, `(args, kwargs)`.
        leaves: their leaves, the first time.
        places: the numbers of the leaves that are values of the program; the others are part of it.
    """

    def __init__(
        self, function: Callable[..., Any], structure: Any, leaves: Sequence[Any], places: list[int]
    ) -> None:
        self.function, self.structure = function, structure
        self.leaves: list[Any] = [None if i in places else x for i, x in enumerate(leaves)]
        self.stand_ins = [_stand_in(leaves[i]) for i in places]
        self.places = places
        self.result_structure: Any = None
        # The leaves of the result: those that are no values of XLA as they are, and None.
        self.constants: list[Any] = []
        self.computed: list[int] = []
        self.arrays: list[int] = []
        self.checked = False
        self.executable = jax.jit(self._trace, compiler_options=_options())

    def __call__(self, values: Sequence[Any]) -> Any:
        """The result of the function, in arrays of the caller's own."""
        with jax.enable_x64(True):
            computed = self.executable(*values)
        if computed:
            _await(computed[-1])
        if self.checked and not np.asarray(computed[-1]):
            raise IndexError(
                f"{_name(self.function)}, compiled: an index is out of bounds of the array that "
                "it reads or writes"
            )
        leaves = [*self.constants]
        for place in self.arrays:
            leaves[place] = leaves[place].copy()
        for place, value in zip(self.computed, computed, strict=False):
            leaves[place] = plain(value)
        return tree.unflatten(self.result_structure, leaves)

    def _trace(self, *values: Any) -> list[Any]:
        try:
            results, trace = self._run(self.function, values)
        except PlainArrayError:
            # Perhaps an array of the closure was indexed: then its box will do.
            results, trace = self._run(with_boxes(self.function), values)
        except RecursionError:
            raise CompilationError(
                f"compile: {_name(self.function)} calls itself without end while it is compiled: "
                "what would end it depends on values. Leave that part outside of the compiled "
                "function."
            ) from None
        self.computed = [i for i, leaf in enumerate(results) if isinstance(leaf, jax.Array)]
        self.constants = [None if isinstance(x, jax.Array) else x for x in results]
        self.arrays = [i for i, x in enumerate(self.constants) if isinstance(x, np.ndarray)]
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


def _options() -> dict[str, Any] | None:
    """Options of the compiler.

    On CPUs it drops optimization barriers before it fuses operations, which is what they are meant
    to prevent: programs that roll arrays would take minutes to compile, and run at half the speed.
    """
    if jax.default_backend() != "cpu":
        return None
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}


# How often to look whether a result is there before going to sleep for it: to be woken costs more
# than many a program of small arrays takes.
_LOOKS = 100


def _await(value: Any) -> None:
    for _ in range(_LOOKS):
        if value.is_ready():
            break
        _let_others_run()


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
    return trace.sums.settled(leaf.value)


def _name(function: Any) -> str:
    return getattr(function, "__name__", repr(function))
