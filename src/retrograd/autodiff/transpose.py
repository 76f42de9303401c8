"""One mode from the other: a VJP is the transpose of a JVP, and the reverse.

Both are linear in their first argument. So the one that is stated can be recorded on a tape of
its own, as a function of that argument, and the tape pulled gives the one that is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.primitive import Primitive, match, shape_of
from retrograd.autodiff.tape import Tape
from retrograd.autodiff.trace import Traced, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]


def vjp_of(
    primitive: Primitive, jvp: Rule, argnum: int, g: Any, ans: Any, *args: Any, **kwargs: Any
) -> Any:
    """The cotangent of argument `argnum`, from the JVP in that argument."""
    with Tape(lean=True) as tape:
        direction = tape.watch(_zeros(args[argnum]))
        pushed = jvp(direction, ans, *args, **kwargs)
    return _pulled(tape, pushed, g).get(0)


def jvp_of(
    primitive: Primitive, vjp: Rule, argnum: int, d: Any, ans: Any, *args: Any, **kwargs: Any
) -> Any:
    """The tangent of the result along `d` in argument `argnum`, from the VJP of that argument."""
    with Tape(lean=True) as tape:
        parts = ans if primitive.outputs else (ans,)
        cotangents = tuple(tape.watch(_zeros(part)) for part in parts)
        pulled = vjp(cotangents if primitive.outputs else cotangents[0], ans, *args, **kwargs)
    found = _pulled(tape, pulled, d)
    tangents = tuple(found.get(i) for i in range(len(parts)))
    return tangents if primitive.outputs else tangents[0]


def _pulled(tape: Tape, results: Any, cotangents: Any) -> dict[int, Any]:
    """Pull cotangents of one result, or of a tuple of them, to what the tape watched."""
    if not isinstance(results, tuple):
        results, cotangents = (results,), (cotangents,)
    seeds: dict[int, Any] = {}
    for result, cotangent in zip(results, cotangents, strict=True):
        if cotangent is None or not isinstance(result, Traced) or result.owner is not tape:
            continue
        cotangent = match(np.broadcast_to(cotangent, shape_of(result)), result)
        node = result.node
        seeds[node] = cotangent if node not in seeds else seeds[node] + cotangent
    return tape.pull(seeds)


def _zeros(x: Any) -> Any:
    """Where a linear map is recorded: the direction does not matter, its shape and kind do."""
    plain = value_of(x)
    dtype = getattr(plain, "dtype", None)
    if dtype is None or dtype.kind not in "fc":
        dtype = np.dtype(complex if isinstance(plain, complex) else float)
    return np.zeros(shape_of(plain), dtype)
