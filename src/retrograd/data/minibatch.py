"""Which examples a step sees: a pure function of the step counter and a seed.

The sweep meets the steps in reverse order and must be given the batches of the forward run, so
nothing is remembered from one step to the next. A counter-based generator makes that cheap: Philox
scrambles a 256-bit counter under a 128-bit key, and any place in its stream costs the same to
reach.

    key     = (seed, STREAM)      STREAM keeps batches apart from other uses of the same seed
    counter = (0, 0, step, 0)     the low words belong to the draw: 2**128 blocks for each step
"""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from retrograd.errors import ArgumentError

__all__ = ["integer", "minibatch"]

STREAM = int.from_bytes(b"batches\0", "big")
WORD = 2**64


def minibatch(
    count: SupportsIndex, batch: SupportsIndex, step: SupportsIndex, seed: SupportsIndex
) -> NDArray[np.int64]:
    """Indices of the examples in the batch of `step`, drawn anew at each step.

    Every subset of `batch` of the `count` examples is equally likely, without repetition within a
    batch; batches of different steps or seeds are independent. The order within a batch means
    nothing (it is not shuffled). The same arguments give the same batch in any order of asking; a
    release of NumPy that changes `Generator.choice` would change the batches.

    Args:
        count: how many examples there are, at least 1.
        batch: how many of them to draw, from 1 to `count`.
        step: the step counter, 0 <= step < 2**64.
        seed: 0 <= seed < 2**64.

    Returns:
        Shape (batch,), int64, distinct, each in 0..count - 1.

    Raises:
        ArgumentError: an argument is not an integer or out of its range.

    Example:
        >>> forward = [minibatch(6000, 200, step, seed=1) for step in range(3)]
        >>> again = [minibatch(6000, 200, step, seed=1) for step in reversed(range(3))]
        >>> all(np.array_equal(a, b) for a, b in zip(forward, reversed(again)))
        True

    References:
        J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as
        1, 2, 3. SC 2011.
    """
    count, batch = _sizes(count, batch)
    key = np.array([_word("seed", seed), STREAM], np.uint64)
    counter = np.array([0, 0, _word("step", step), 0], np.uint64)
    draw = Generator(Philox(key=key, counter=counter))
    return draw.choice(count, batch, replace=False, shuffle=False)


def _sizes(count: SupportsIndex, batch: SupportsIndex) -> tuple[int, int]:
    count, batch = integer("count", count), integer("batch", batch)
    if count < 1:
        raise ArgumentError(f"count must be at least 1, got {count}; give data that is not empty")
    if not 1 <= batch <= count:
        raise ArgumentError(
            f"batch must be from 1 to count = {count}, got {batch}; "
            "draw fewer examples, or give more data"
        )
    return count, batch


def _word(name: str, value: SupportsIndex) -> int:
    number = integer(name, value)
    if not 0 <= number < WORD:
        raise ArgumentError(
            f"{name} must be from 0 to 2**64 - 1, got {number}; count {name}s from 0"
        )
    return number


def integer(name: str, value: SupportsIndex) -> int:
    """`value` as a Python integer, or an `ArgumentError` where it is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentError(
            f"{name} must be an integer, got {value!r} ({type(value).__name__}); "
            "convert it with int()"
        ) from None
