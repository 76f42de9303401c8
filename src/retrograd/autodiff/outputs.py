"""Where results go: `out=` and the other keywords of ufuncs, on traced values."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.constants import is_live, unboxed
from retrograd.autodiff.trace import Traced, innermost, value_of
from retrograd.errors import InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from retrograd.autodiff.primitive import Primitive


def position_of_out(function: Callable[..., Any]) -> int:
    """How many arguments may come before `out`; many if it comes by keyword alone."""
    if isinstance(function, np.ufunc):
        return function.nin
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):  # some functions written in C have no signature
        return 1 << 30
    return names.index("out") if "out" in names else 1 << 30


def ufunc_call(
    primitive: Primitive,
    args: tuple[Any, ...],
    *,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: str = "same_kind",
    order: str = "K",
    subok: bool = True,
) -> Any:
    """A ufunc with keywords: `where` calculates with the chosen elements alone."""
    if innermost(args) is None and innermost((where, out)) is None:
        return primitive.function(
            *args, out=out, where=where, dtype=dtype, casting=casting, order=order, subok=subok
        )
    out = out[0] if isinstance(out, tuple) else out
    where = True if where is np._NoValue else where
    if dtype is not None:
        kind = np.dtype(dtype).kind
        if kind not in "fc" or (kind == "f" and any(np.iscomplexobj(value_of(x)) for x in args)):
            raise primitive.uncovered(f"dtype={dtype!r} in")
        args = tuple(np.asarray(x).astype(dtype) if _is_plain(x) else x.astype(dtype) for x in args)
    if where is True:
        return primitive(*args) if out is None else primitive(*args, out=out)
    if out is None:
        raise InterceptionError(
            f"{primitive.name}: where= without out= leaves the other elements undefined; give "
            "out=, such as np.zeros_like(x), or use np.where"
        )
    mask = np.broadcast_to(value_of(where), np.shape(out))
    chosen = [np.broadcast_to(x, np.shape(out))[mask] for x in args]
    result = primitive(*chosen)
    if isinstance(result, Traced) and _is_plain(out):
        return written(out, result)
    out[mask] = result
    return out


def _is_plain(x: Any) -> bool:
    return not isinstance(x, Traced)


def written(out: Any, result: Any) -> Any:
    """The effect of `out=`: the traced array that was handed in takes the result."""
    if not isinstance(out, Traced):
        if not is_live(result):
            out[...] = unboxed(result)
            return out
        raise InterceptionError(
            "a traced value was to be written into a plain array (out=, or a -= x with a plain "
            "array a), which cannot hold a derivative. Write a = a - x, or create a inside the "
            "function, with retrograd.numpy (zeros, array, ...) or np.zeros_like(x) of a traced x."
        )
    out.assign(result)  # type: ignore[attr-defined]  # every traced value with a face is a Box
    return out
