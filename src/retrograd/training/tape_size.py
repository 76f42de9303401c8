"""How long the tape of a run on the lattice will be: known from the factors, before any step."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout
from retrograd.lattice.erasures import erased_nbytes
from retrograd.lattice.information_buffer import CAPACITY, WORD
from retrograd.training.factors import Factors
from retrograd.training.rows import Row, aligned

__all__ = ["tape_nbytes_after"]

_DIGITS = 8  # bytes of an element's digits that are not spilled


def tape_nbytes_after(
    steps: int, factors: Mapping[str, Factors], layout: Layout, words: Mapping[str, int]
) -> int:
    """The bytes of the tape of the first steps of a run, of what decays lose.

    Args:
        steps: how many steps.
        factors: for each slot that decays, its factors.
        layout: the layout of the slots.
        words: the words of each slot's integers.
    """
    return sum(_of_slot(steps, found, layout, words[slot]) for slot, found in factors.items())


def _of_slot(steps: int, factors: Factors, layout: Layout, words: int) -> int:
    bits: NDArray[np.float64] = np.zeros(1)
    erased = 0
    for i in range(len(factors.decays)):
        varied = [t for t in factors.varied(i) if t < steps]
        times = steps / max(len(varied), 1)
        for t in varied:
            values = factors.number(t * len(factors.decays) + i)
            zero = values == 0
            lost = -times * np.log2(np.where(zero, 1.0, values))
            bits = np.add(*aligned([Row(bits, layout), Row(lost, layout)]))
            erased += int(times * _elements(zero, layout))
    spilled = np.ceil(np.maximum(bits - log2(CAPACITY), 0) / WORD)
    kept = erased * erased_nbytes(words)
    return _DIGITS * layout.size + int(_elements(spilled, layout)) * WORD // 8 + kept


def _elements(columns: NDArray[np.generic], layout: Layout) -> float:
    """The sum over all elements of what stands in columns: one, one per leaf, one per element."""
    if len(columns) == 1:
        return float(columns[0]) * layout.size
    if len(columns) == len(layout):
        return float(np.dot(columns.astype(float), layout.sizes))
    return float(columns.sum())
