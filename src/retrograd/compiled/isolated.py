"""One function in two compiled programs, with the same bits in both.

What a compiler fuses with a function, and which of its intermediate results it writes to memory,
can change the last bits of its results: whether a product and a sum are rounded once or twice, for
example. A branch of a condition is compiled by itself. So a function that stands in one, and gives
the same intermediate results away, is the same machine code wherever it stands. But XLA compiles a
short loop on a CPU as a whole, by other rules, unless there is something in it that it cannot
compile so: a sort. It stands in the branch that is never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

__all__ = ["isolated"]


def isolated(
    function: Callable[..., tuple[Any, Any]],
    args: Sequence[Any],
    *,
    whole: bool = True,
    after: Any = (),
) -> tuple[Any, Any]:
    """`function(*args)`, compiled by itself.

    Args:
        function: gives results, a number the first of them, and, as second, a pytree of what else
            it computes (such as the linear function of `jax.linearize`).
        args: pytrees of arrays, floats among them.
        whole: False says that the second result is not used. It is computed all the same.
        after: a pytree of what is computed before. A compiler copies an array that is changed in
            place unless it can tell that what reads the old one comes first.

    Returns:
        The results, and the second pytree.
    """
    given, structure = jax.tree.flatten(tuple(args))
    made: dict[str, Any] = {}

    def branch(given: list[Any]) -> tuple[list[Any], list[Any]]:
        results, rest = function(*jax.tree.unflatten(structure, given))
        flat, made["results"] = jax.tree.flatten(results)
        others, made["rest"] = jax.tree.flatten(rest)
        # What is handed through would be copied.
        own = {id(x): i for i, x in enumerate(given)}
        made["places"] = [own.get(id(x)) for x in others]
        return flat, [x for x in others if id(x) not in own]

    shapes = jax.eval_shape(branch, given)
    number = _tied_sum(_some_number(given), jax.tree.leaves(after))
    flat, computed = lax.cond(
        _impossible(number), lambda _: _like(shapes, _sorted(number)), branch, given
    )
    if not whole and computed:
        # What nobody uses would be left out, and with it some of the writing.
        flat = [_tied(flat[0], computed), *flat[1:]]
    left = iter(computed)
    others = [next(left) if place is None else given[place] for place in made["places"]]
    results = jax.tree.unflatten(made["results"], flat)
    return results, jax.tree.unflatten(made["rest"], others)


def _some_number(arrays: Sequence[Any]) -> Any:
    """A real number that stands in one of the arrays."""
    floats = (x for x in arrays if x.size and jnp.issubdtype(x.dtype, jnp.inexact))
    return next(floats, jnp.zeros(1)).reshape(-1)[0].real


@custom_vmap
def _impossible(number: Any) -> Any:
    """False, which no compiler knows: a number is not NaN and infinite."""
    return jnp.isnan(number) & jnp.isinf(number)


@_impossible.def_vmap
def _impossible_for_all(_: int, batched: Sequence[Any], numbers: Any) -> tuple[Any, bool]:
    # A condition for each of them would be no branch: both sides would be computed among the rest.
    (is_batched,) = batched
    return _impossible(numbers[0] if is_batched else numbers), False


def _sorted(number: Any) -> Any:
    return lax.sort(number * jnp.arange(2, dtype=number.dtype))[-1]


def _like(shapes: Any, number: Any) -> Any:
    return jax.tree.map(lambda kind: jnp.full(kind.shape, number.astype(kind.dtype)), shapes)


def _tied(x: Any, others: Sequence[Any]) -> Any:
    """x, which depends on the others for all that a compiler knows."""
    token = _tied_sum(jnp.zeros((), x.dtype), others)
    # A loop, of no rounds, because it is fused with nothing that comes after.
    return lax.fori_loop(0, _impossible(token).astype(jnp.int32), lambda _, x: x + 1, x)


def _tied_sum(number: Any, others: Sequence[Any]) -> Any:
    """A number that depends on all arrays."""
    for other in others:
        if jnp.issubdtype(other.dtype, jnp.number) and other.size:
            number = number + other.reshape(-1)[0].real.astype(number.dtype)
    return number
