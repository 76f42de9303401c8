"""Functions that XLA does not have: the running program calls them on NumPy's arrays.

Shapes and dtypes of the results must be known beforehand. NumPy's broadcasting tells those of a
ufunc; any other function is tried on harmless numbers of the shapes and dtypes of its arguments.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from retrograd.autodiff.trace import Traced
from retrograd.errors import CompilationError

if TYPE_CHECKING:
    from collections.abc import Callable


def call_ufunc(ufunc: np.ufunc, operands: list[Any], dtypes: Any) -> Any:
    """A ufunc of arrays of the right dtypes already."""
    shape = np.broadcast_shapes(*map(np.shape, operands))
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for dtype in dtypes]
    found = _call_back(lambda *arrays: ufunc(*arrays), ufunc.__name__, shapes, operands)
    return tuple(found) if ufunc.nout > 1 else found[0]


def call(function: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    """Any function of arguments with boxes among them.

    Raises:
        CompilationError: the function cannot be tried.
    """
    leaves, structure = jax.tree.flatten((args, kwargs), is_leaf=_is_leaf)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Traced)]
    values = [leaves[i].value for i in places]

    def on_arrays(*arrays: Any) -> Any:
        mixed = [*leaves]
        for place, x in zip(places, arrays, strict=True):
            mixed[place] = x
        given, keywords = jax.tree.unflatten(structure, mixed)
        return function(*given, **keywords)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tried = on_arrays(*[_harmless(leaves[i].node) for i in places])
    parts, result_structure = jax.tree.flatten(tried)
    if not all(np.result_type(part).kind in "biufc" for part in parts):
        raise CompilationError(f"compile: {name}: the result is no array of numbers")
    shapes = [jax.ShapeDtypeStruct(np.shape(part), np.result_type(part)) for part in parts]
    return jax.tree.unflatten(result_structure, _call_back(on_arrays, name, shapes, values))


def _is_leaf(x: Any) -> bool:
    return x is None or isinstance(x, Traced)


def _call_back(
    function: Callable[..., Any], name: str, shapes: list[Any], operands: list[Any]
) -> list[Any]:
    def run(*arrays: Any) -> tuple[Any, ...]:
        found = jax.tree.leaves(function(*(np.array(x)[()] for x in arrays)))
        for part, wanted in zip(found, shapes, strict=True):
            if np.shape(part) != wanted.shape or np.result_type(part) != wanted.dtype:
                raise CompilationError(
                    f"{name}, compiled: a result of shape {np.shape(part)} and dtype "
                    f"{np.result_type(part)} was found where {wanted.shape} and {wanted.dtype} "
                    "were expected: they depend on values. Leave the call outside."
                )
        return tuple(np.asarray(part) for part in found)

    return list(jax.pure_callback(run, tuple(shapes), *operands, vmap_method="sequential"))


def _harmless(stand_in: Any) -> Any:
    """Numbers that functions are defined for: positive, below one; matrices positive definite."""
    shape, dtype = np.shape(stand_in), np.result_type(stand_in)
    if dtype.kind not in "fc":
        return stand_in
    numbers = np.linspace(0.3, 0.6, int(np.prod(shape))).reshape(shape)
    if len(shape) > 1 and shape[-1] == shape[-2]:
        n = shape[-1]
        numbers = (numbers + np.swapaxes(numbers, -1, -2)) / (10 * n) + 0.4 * np.eye(n)
    return numbers.astype(dtype)[()]
