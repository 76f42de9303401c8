"""slot <- slot +- Q(factor * source), in one walk through the cache.

What rounding needs and what the sum needs is done while a stretch of the vectors is in the cache.
That a sum stays in range is known from a bound on the slot; the slot itself is looked at only when
the bound does not say enough.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import limbs
from retrograd.lattice.fixed_point import BOUND, FixedPoint
from retrograd.lattice.layout import Layout, chunks
from retrograd.lattice.limbs import LIMB
from retrograd.lattice.rounding import round_into

__all__ = ["Increments"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A stretch of slot, source and two of scratch fill a quarter of a 2 MiB cache.
_STRETCH = 16384


class Increments:
    """Adds multiples of vectors to one slot, and takes them away again.

    Args:
        integers: the slot, (N,) or (words, N) int64; changed in place.
        lattice: of the slot.
        layout: the layout of the slot.
        slot: the slot's name, for error messages.

    Example:
        >>> slot = np.array([0, 16])
        >>> increments = Increments(slot, FixedPoint(radix=4), Layout([(2,)]), "velocity")
        >>> increments.add(np.array([1.0, -0.25]), 2.0, step=0)
        >>> slot
        array([32,  8])
        >>> increments.subtract(np.array([1.0, -0.25]), 2.0, step=0)
        >>> slot
        array([ 0, 16])
    """

    def __init__(
        self, integers: Integers, lattice: FixedPoint, layout: Layout, slot: str
    ) -> None:
        self.integers = integers
        self.lattice = lattice
        self.layout = layout
        self.slot = slot
        count = min(_STRETCH, layout.size)
        self._product = np.empty(count)
        self._rounded = lattice.zeros(count)
        self._scratch = np.empty((2, count))
        self._unit = 2.0 ** (lattice.radix - LIMB * (lattice.words - 1))
        # An upper bound on the magnitudes of the first words; infinite where it is not known.
        self._bound = np.inf

    def forget(self) -> None:
        """The slot was changed by somebody else: nothing is known of its magnitudes."""
        self._bound = np.inf

    def add(self, source: Floats, factor: float | Floats, *, step: int, first: int = 0) -> None:
        """Add Q(factor * source) to a part of the slot, within the lattice's range.

        Args:
            source: (n,), float64.
            factor: a number, or (n,) numbers.
            step: the step, for error messages.
            first: where in the slot the part begins.

        Raises:
            NonFiniteError: a product is NaN or infinite.
            LatticeOverflowError: a product or a sum is outside the range. What comes before it in
                the part has been added then.
        """
        most = 0.0
        for span, rounded, reach in self._products(source, factor, step, first):
            part = self.integers[..., span]
            if self._has_room(reach):
                limbs.add(part, rounded, out=part)
            else:
                self.lattice.add(
                    part, rounded, slot=self.slot, step=step, layout=self.layout, first=span.start
                )
            most = max(most, reach)
        self._bound += most

    def subtract(
        self, source: Floats, factor: float | Floats, *, step: int, first: int = 0
    ) -> None:
        """Undo `add`, given the same bits: the slot before it was within range.

        Raises:
            NonFiniteError: a product is NaN or infinite, so that it cannot have been added.
            LatticeOverflowError: a product is outside the range, likewise.
        """
        most = 0.0
        for span, rounded, reach in self._products(source, factor, step, first):
            part = self.integers[..., span]
            limbs.subtract(part, rounded, out=part)
            most = max(most, reach)
        self._bound += most

    def _products(
        self, source: Floats, factor: float | Floats, step: int, first: int
    ) -> Iterator[tuple[slice, Integers, float]]:
        """Stretches of the slot, with Q(factor * source) and the largest first word of it."""
        lattice = self.lattice
        each = np.ndim(factor) > 0
        factor = factor * self._unit
        for span in chunks(len(source), _STRETCH):
            count = span.stop - span.start
            product, rounded = self._product[:count], self._rounded[..., :count]
            np.multiply(source[span], factor[span] if each else factor, out=product)
            reach = max(product.max(), -product.min())
            if not reach < BOUND:
                product /= self._unit
                lattice.refuse(
                    product, slot=self.slot, step=step, layout=self.layout, first=first + span.start
                )
            round_into(product, reach, LIMB * (lattice.words - 1), rounded, self._scratch)
            place = slice(first + span.start, first + span.stop)
            yield place, rounded, float(reach) + 1.0

    def _has_room(self, reach: float) -> bool:
        """Whether magnitudes of first words may grow by this much without reaching the bound."""
        if self._bound + reach < BOUND:
            return True
        top = self.integers if self.lattice.words == 1 else self.integers[0]
        self._bound = float(max(top.max(), -top.min()))
        return self._bound + reach < BOUND

