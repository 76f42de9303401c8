"""slot <- slot +- Q(factor * source), in one walk through the cache.

What rounding needs and what the sum needs is done while a stretch of the vectors is in the cache.
That a sum stays in range is known from a bound on the slot; the slot itself is looked at only when
the bound does not say enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import limbs
from retrograd.lattice.factors import LIMIT
from retrograd.lattice.fixed_point import BOUND, FixedPoint
from retrograd.lattice.layout import STRETCH, WHOLE, Layout, chunks
from retrograd.lattice.limbs import LIMB
from retrograd.lattice.rounding import round_into
from retrograd.lattice.workspace import Workspace

__all__ = ["Increments"]

Floats = NDArray[np.float64]
Source = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

# A bound on products below this is good enough: they are rounded in the quickest way.
_LOOSE = 2.0**51


class Increments:
    """Adds multiples of vectors to one slot, and takes them away again.

    Args:
        integers: the slot, (N,) or (words, N) int64; changed in place.
        lattice: of the slot.
        layout: the layout of the slot.
        slot: the slot's name, for error messages.
        workspace: scratch, shared with other slots; by default one of its own.

    Attributes:
        scale: what the slot stands for is at least this many times its integers, (K,); for error
            messages.

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
        self,
        integers: Integers,
        lattice: FixedPoint,
        layout: Layout,
        slot: str,
        workspace: Workspace | None = None,
    ) -> None:
        self.integers = integers
        self.lattice = lattice
        self.layout = layout
        self.slot = slot
        self.scale: Floats = np.ones(1)
        self._stretch = layout.size if layout.size <= WHOLE else STRETCH
        workspace = workspace or Workspace(layout, lattice.words)
        self._product = workspace.floats[-1]
        # A product of one word is rounded where it is.
        wide = lattice.words > 1
        self._rounded = (
            workspace.integers[: lattice.words] if wide else self._product.view(np.int64)
        )
        self._scratch = workspace.floats[:2]
        self._carries = workspace.floats[0].view(np.int64)
        self._unit = 2.0 ** (lattice.radix - LIMB * (lattice.words - 1))
        # An upper bound on the first words' magnitudes; Python's integers do not round it.
        self._bound = BOUND
        # A pass goes over the slot in one or several calls: where the next of them would begin,
        # and how much the elements have grown by in it at most.
        self._at = 0
        self._grown = 0

    def forget(self) -> None:
        """The slot was changed by somebody else: nothing is known of its magnitudes."""
        self._bound = BOUND
        self._at = 0

    def shrunk(self, share: float) -> None:
        """The slot was multiplied by up to `share` <= 1, as the information buffer does it."""
        self._at = 0
        # A product n/d * c is met to less than n; the rest is for the rounding of this product.
        if self._bound < BOUND:
            self._bound = int(self._bound * share) + 2 * LIMIT

    @property
    def largest(self) -> float:
        """A bound on the magnitudes that the integers stand for; infinite where none is known."""
        return (self._bound + 1) / self._unit if self._bound < BOUND else math.inf

    def most(self, limit: int = BOUND) -> int:
        """A bound on the magnitudes of the slot's first words: a close one, if not below a limit.

        Example:
            >>> Increments(np.array([3, -5]), FixedPoint(4), Layout([(2,)]), "velocity").most()
            5
        """
        if self._bound >= limit:
            self._bound = self._largest()
        return self._bound

    def add(
        self,
        source: Source,
        factor: float | Floats,
        *,
        step: int,
        first: int = 0,
        largest: float = math.inf,
    ) -> None:
        """Add Q(factor * source) to a part of the slot, within the lattice's range.

        Args:
            source: (n,), floats; of fewer bits than a float64 they are widened first.
            factor: a number, or (n,) numbers.
            step: the step, for error messages.
            first: where in the slot the part begins. Parts that follow each other are one pass.
            largest: a bound on the magnitudes in ``source``, where one is known.

        Raises:
            NonFiniteError: a product is NaN or infinite.
            LatticeOverflowError: a product or a sum is outside the range. Some of what comes
                before it in the part has been added then.
        """
        if not self._goes_on(first, len(source)):
            self.most()
        for span, rounded, reach in self._products(source, factor, step, first, largest):
            part = self.integers[..., span]
            self._grow(reach)
            if self._bound < BOUND:
                limbs.add(part, rounded, part, self._carries)
            else:
                self.lattice.add(
                    part,
                    rounded,
                    slot=self.slot,
                    step=step,
                    layout=self.layout,
                    first=span.start,
                    scale=float(self.scale.min()),
                )

    def subtract(
        self,
        source: Source,
        factor: float | Floats,
        *,
        step: int,
        first: int = 0,
        largest: float = math.inf,
    ) -> None:
        """Undo `add`, given the same bits: the slot before it was within range.

        Raises:
            NonFiniteError: a product is NaN or infinite, so that it cannot have been added.
            LatticeOverflowError: a product is outside the range, likewise.
        """
        self._goes_on(first, len(source))
        for span, rounded, reach in self._products(source, factor, step, first, largest):
            part = self.integers[..., span]
            self._grow(reach)
            limbs.subtract(part, rounded, part, self._carries)

    def _products(
        self, source: Source, factor: float | Floats, step: int, first: int, largest: float
    ) -> Iterator[tuple[slice, Integers, int]]:
        """Stretches of the slot, with Q(factor * source) and what first words grow by at most."""
        radix = LIMB * (self.lattice.words - 1)
        for span in chunks(len(source), self._stretch):
            count = span.stop - span.start
            product, rounded = self._product[:count], self._rounded[..., :count]
            times = factor[span] if isinstance(factor, np.ndarray) else factor
            reach = self._multiply(source[span], times, product, largest)
            place = slice(first + span.start, first + span.stop)
            if not reach < BOUND:
                self._refuse(source[span], times, product, step, place.start)
            round_into(product, reach, radix, rounded, self._scratch, loose=True)
            yield place, rounded, math.ceil(reach) + 1

    def _multiply(
        self, source: Source, factor: float | Floats, out: Floats, largest: float
    ) -> float:
        """factor * source in units of first words, and a bound on the magnitudes, or NaN."""
        units = factor * self._unit
        if source.dtype != out.dtype:
            np.copyto(out, source)
            source = out
        # Rounding is monotone: no product is larger than that of the bounds.
        if isinstance(units, float) and 0 <= (reach := abs(units) * largest) < _LOOSE:
            np.multiply(source, units, out=out)
            return reach
        # What is not finite is refused with a message of its own.
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(source, units, out=out)
        return max(float(out.max()), -float(out.min()))

    def _refuse(
        self, source: Source, factor: float | Floats, product: Floats, step: int, first: int
    ) -> NoReturn:
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.where(np.isinf(product), _wide(source) * factor, product / self._unit)
        self.lattice.refuse(
            numbers,
            slot=self.slot,
            step=step,
            layout=self.layout,
            first=first,
            scale=float(self.scale.min()),
        )

    def _goes_on(self, first: int, count: int) -> bool:
        """Whether a pass goes on; no element is met twice in one, so its growths do not add up."""
        on = 0 < first == self._at
        if not on:
            self._grown = 0
        self._at = first + count
        return on

    def _grow(self, reach: int) -> None:
        """Take into the bound that a stretch grows by `reach`."""
        if reach > self._grown:
            self._bound += reach - self._grown
            self._grown = reach

    def _largest(self) -> int:
        top = self.integers if self.lattice.words == 1 else self.integers[0]
        return int(max(top.max(), -top.min()))


def _wide(source: Source) -> Floats:
    return source.astype(float, copy=False)
