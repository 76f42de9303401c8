"""Wide integers for the tests: Python's own as the reference, and draws of all magnitudes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.limbs import LIMB

Integers = NDArray[np.int64]

EXTREME = 2**62 - 1


def whole(integers: Integers) -> list[int]:
    """The integers that (N,) or (words, N) stand for."""
    rows = np.atleast_2d(integers)
    totals = [0] * rows.shape[1]
    for row in rows.tolist():
        totals = [(total << LIMB) + word for total, word in zip(totals, row, strict=True)]
    return totals


def draw_slot(rng: np.random.Generator, size: int, words: int = 1) -> Integers:
    """Integers of all magnitudes and both signs, up to the lattice's edges."""
    slot = rng.integers(-EXTREME, EXTREME, size, endpoint=True) >> rng.integers(0, 62, size)
    edges = rng.random(size) < 0.1
    slot[edges] = rng.choice([EXTREME, -EXTREME, 0, 1, -1], edges.sum())
    if words == 1:
        return slot
    limbs = rng.integers(0, 2**LIMB, (words - 1, size))
    limbs[:, rng.random(size) < 0.1] = 0
    limbs[:, rng.random(size) < 0.1] = 2**LIMB - 1
    return np.vstack([slot, limbs])
