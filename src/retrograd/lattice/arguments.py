"""What the lattice's tapes refuse: slots, factors and exported arrays that are none of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError
from retrograd.lattice.factors import LIMIT
from retrograd.lattice.layout import Layout

__all__ = ["check_factor", "check_slot", "check_words", "entry"]

Integers = NDArray[np.int64]


def check_words(words: Any) -> None:
    """Refuse a number of words other than 1, 2 or 3."""
    if words not in (1, 2, 3):
        raise ArgumentError(f"words is {words!r}; give 1, 2 or 3")


def check_slot(what: str, array: Any, layout: Layout, words: int) -> None:
    """Refuse what is not an int64 array of shape (N,), or (words, N) if there are several."""
    _check_integers(what, array)
    shape = (layout.size,) if words == 1 else (words, layout.size)
    if array.shape != shape:
        raise ArgumentError(f"{what} has shape {array.shape}; give the flat slot of shape {shape}")


def check_factor(numerator: Any, denominator: Any, layout: Layout) -> NDArray[np.bool_] | None:
    """Refuse what is no n/d with 0 < n < d <= 65,536, nor 0/1, nor 1/1; say where factors are 0.

    Returns:
        None if no factor is 0, else a mask of the numerators' shape.
    """
    _check_integers("numerator", numerator)
    _check_integers("denominator", denominator)
    if numerator.shape != denominator.shape or (
        numerator.shape not in ((), (1,), (len(layout),), (layout.size,))
    ):
        raise ArgumentError(
            f"numerator has shape {numerator.shape} and denominator {denominator.shape}; give "
            f"both shape (1,) for all, ({len(layout)},) per leaf or ({layout.size},) per element"
        )
    # One factor for all is the common case, and for a small slot NumPy's reductions are not cheap.
    if numerator.size == 1 and 0 < numerator.item() < denominator.item() <= LIMIT:
        return None
    one = (numerator == 1) & (denominator == 1)
    if denominator.max() > LIMIT or ((numerator >= denominator) & ~one).any():
        raise _out_of_range(numerator, denominator)
    if numerator.min() > 0:
        return None
    zero = numerator == 0
    if numerator.min() < 0 or (denominator[zero] != 1).any():
        raise _out_of_range(numerator, denominator)
    return zero


def entry(
    arrays: Mapping[str, NDArray[Any]], name: str, owner: str, shape: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """One of the arrays that a snapshot or an export holds.

    Args:
        arrays: the snapshot or export.
        name: the array's name.
        owner: what the arrays are for, for error messages.
        shape: the shape that it must have, if it is known.

    Raises:
        ArgumentError: it is missing or has another shape.
    """
    if name not in arrays:
        raise ArgumentError(
            f"the arrays for {owner} lack {name!r}; give what snapshot() or export() returned"
        )
    array = np.asarray(arrays[name])
    if shape is not None and array.shape != shape:
        raise ArgumentError(
            f"{name!r} has shape {array.shape}, and {owner} with this layout needs {shape}; give "
            "what one with the same layout returned"
        )
    return array


def _check_integers(what: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.int64:
        given = getattr(array, "dtype", type(array).__name__)
        raise ArgumentError(f"{what} is {given}; give a NumPy array of int64")


def _out_of_range(numerator: Integers, denominator: Integers) -> ArgumentError:
    n, d = np.atleast_1d(numerator), np.atleast_1d(denominator)
    index = int(
        np.argmax((n < 0) | ((n == 0) & (d != 1)) | ((n >= d) & (d != 1)) | (n > d) | (d > LIMIT))
    )
    return ArgumentError(
        f"the factor is {n[index]}/{d[index]} (entry {index}); the information buffer takes n/d "
        f"with 0 < n < d <= {LIMIT}, or 0/1 or 1/1, as rational() gives them"
    )
