"""`numpy.einsum` of every kind, by one rule.

Every call is brought into one form: subscripts with a letter for each axis, no ellipsis, and an
output. The sum is linear in each operand, and the cotangent of one of them is again an einsum, of
`g` and the other operands, over the letters of that operand. Letters that it has alone are
broadcast, letters that it has twice are put on the diagonal.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import chain
from string import ascii_letters, ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from retrograd.autodiff.box import view
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import (
    Everywhere,
    Primitive,
    linear,
    match,
    rule,
    shape_of,
    stands_for,
)
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import stand_in_of
from retrograd.autodiff.ufunc_methods import delivered
from retrograd.errors import ArgumentError

# NumPy's numbers of letters, for operands with lists of axes: it sorts capitals first.
_NUMBERED = ascii_uppercase + ascii_letters[:26]
# Multiplications from which it pays to look for a good order of the sums.
_LARGE = 1 << 16


def _letters(subscripts: str) -> tuple[list[str], str]:
    """The letters of each operand, and those of the result."""
    given, result = subscripts.split("->")
    return given.split(","), result


class _Plan(NamedTuple):
    """How to pull a cotangent back to one operand."""

    subscripts: str  # of the einsum of `g` and the other operands
    axes: tuple[int, ...]  # of the operand: which of them that einsum gives, as positions there
    repeated: tuple[tuple[int, int], ...]  # axes with the same letter
    is_large: bool


@lru_cache(maxsize=1024)
def _plan(subscripts: str, number: int, shapes: tuple[tuple[int, ...], ...]) -> _Plan:
    """The plan for operand `number`: axes that the einsum does not give are broadcast."""
    given, result = _letters(subscripts)
    lengths: dict[str, int] = {}
    for letter, n in zip("".join(given), chain.from_iterable(shapes), strict=True):
        lengths[letter] = n if lengths.get(letter, 1) == 1 else lengths[letter]
    mine, shape = given[number], shapes[number]
    others = [result, *given[:number], *given[number + 1 :]]
    # An axis of length 1 that was broadcast takes the sum over its letter.
    axes = [
        i
        for i, (c, n) in enumerate(zip(mine, shape, strict=True))
        if mine.index(c) == i and n == lengths[c] and any(c in other for other in others)
    ]
    return _Plan(
        f"{','.join(others)}->{''.join(mine[i] for i in axes)}",
        tuple(axes),
        tuple((mine.index(c), i) for i, c in enumerate(mine) if mine.index(c) != i),
        math.prod(lengths.values()) >= _LARGE,
    )


def _einsum_vjp(
    argnum: int, g: Any, ans: Any, subscripts: str, *operands: Any, optimize: Any = False
) -> Any:
    number = argnum - 1  # argument 0 is the subscripts
    plan = _plan(subscripts, number, tuple(map(shape_of, operands)))
    rest = (*operands[:number], *operands[number + 1 :])
    if plan.is_large or optimize is not False:
        pulled = contraction(plan.subscripts, g, *rest, optimize=True)
    else:
        pulled = contraction(plan.subscripts, g, *rest)
    return match(_spread(pulled, plan, shape_of(operands[number])), operands[number])


def _spread(pulled: Any, plan: _Plan, shape: tuple[int, ...]) -> Any:
    """What the einsum gave, in the shape of the operand."""
    if shape_of(pulled) == shape:
        return pulled
    thin = [1] * len(shape)
    for axis, length in zip(plan.axes, shape_of(pulled), strict=True):
        thin[axis] = length
    pulled = np.reshape(pulled, thin)
    for i, j in plan.repeated:
        pulled = np.where(_diagonal(shape, i, j), pulled, 0)
    return pulled if shape_of(pulled) == shape else np.broadcast_to(pulled, shape)


def _diagonal(shape: tuple[int, ...], i: int, j: int) -> Any:
    """Where two axes have the same place."""
    axes = [n if a in (i, j) else 1 for a, n in enumerate(shape)]
    return np.eye(shape[i], dtype=bool).reshape(axes)


def _einsum_jvp(
    argnum: int, d: Any, ans: Any, subscripts: str, *operands: Any, optimize: Any = False
) -> Any:
    changed = [d if i == argnum - 1 else x for i, x in enumerate(operands)]
    return contraction(subscripts, *changed, optimize=optimize)


# The first argument is the subscripts, in the form that this file starts with.
contraction = rule(Primitive(np.einsum), vjps=Everywhere(_einsum_vjp), jvps=Everywhere(_einsum_jvp))
contraction.positional = 1 << 30  # `out`, which np.einsum names next, comes by keyword only


def _rearranged(x: Any, subscripts: str) -> Any:
    """A transpose or diagonal: einsum without a sum shows its operand, as in NumPy."""
    return contraction(subscripts, x)


def _rewritten(base: Any, new: Any, subscripts: str) -> Any:
    (mine,), _ = _letters(subscripts)
    changed = _rearranged_vjp(new, None, base, subscripts)
    for i, letter in enumerate(mine):
        first = mine.index(letter)
        if first != i:
            changed = np.where(_diagonal(np.shape(base), first, i), changed, base)
    return changed


def _rearranged_vjp(g: Any, ans: Any, x: Any, subscripts: str) -> Any:
    return _einsum_vjp(1, g, ans, subscripts, x)


rearranged = view(_rearranged, write=_rewritten)
linear(_rearranged, _rearranged_vjp)


@lru_cache(maxsize=1024)
def _canonical(subscripts: str, ndims: tuple[int, ...]) -> str:
    """The subscripts with a letter for each axis, and with the output."""
    np.einsum(subscripts, *[np.zeros((1,) * ndim) for ndim in ndims])  # raises what NumPy raises
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    parts = given.split(",")
    counts = [
        ndim - len(part) + 3 if "..." in part else 0
        for part, ndim in zip(parts, ndims, strict=True)
    ]
    spare = [c for c in ascii_letters if c not in subscripts]
    dots = "".join(spare[: max(counts)])
    letters = [
        part.replace("...", dots[len(dots) - n :]) for part, n in zip(parts, counts, strict=True)
    ]
    if not arrow:
        named = given.replace(",", "").replace(".", "")
        result = "..." + "".join(sorted(c for c in set(named) if named.count(c) == 1))
    return f"{','.join(letters)}->{result.replace('...', dots)}"


def _by_subscripts(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Operands with lists of axes, `einsum(x, [0, 1], y, [1, 2], [0, 2])`, by letters."""
    if isinstance(operands[0], str):
        return operands[0], [as_array(x) for x in operands[1:]]
    arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
    result = f"->{_named(operands[-1])}" if len(operands) % 2 else ""
    return ",".join(map(_named, lists)) + result, [as_array(x) for x in arrays]


def _named(axes: Any) -> str:
    return "".join("..." if axis is Ellipsis else _NUMBERED[axis] for axis in axes)


def _cast(x: Any, dtype: Any, casting: Any) -> Any:
    if not np.can_cast(x.dtype, dtype, casting):
        raise ArgumentError(
            f"einsum: cannot cast an operand from {x.dtype} to dtype={np.dtype(dtype)} with "
            f"casting={casting!r}; give casting='same_kind', or cast it with astype first"
        )
    return x.astype(dtype)


@stands_for(np.einsum)
def einsum(
    *operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None,
    order: str = "K", casting: Any = "safe",
) -> Any:  # fmt: skip
    """`numpy.einsum`."""
    subscripts, arrays = _by_subscripts(operands)
    subscripts = _canonical(subscripts, tuple(len(shape_of(x)) for x in arrays))
    if dtype is not None:
        arrays = [_cast(x, dtype, casting) for x in arrays]
    given, result = _letters(subscripts)
    if len(given) == 1 and out is None and set(given[0]) == set(result):
        return rearranged(arrays[0], subscripts)
    how = {"optimize": optimize} if optimize is not False else {}
    found = contraction(subscripts, *arrays, **how)
    return delivered(found, out)


WITHOUT_RULE[np.einsum_path] = lambda *operands, **kwargs: np.einsum_path(
    *map(stand_in_of, operands), **kwargs
)
