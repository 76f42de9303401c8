"""The information buffer: multiplication by n/d < 1 that can be undone bit for bit.

Shrinking an integer by n/d loses log2(d/n) bits. They become digits in one integer per element.
When a leaf's digits could outgrow 32 bits, the low 16 bits of all of them go to a tape in the same
step: decided by a bound that knows the factors only, never by the data. A factor of 0 loses all;
there the whole integers go to a tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import NotReversibleError, ReversalError
from retrograd.lattice.arguments import check_factor, check_slot, check_words, entry
from retrograd.lattice.bounds import grow, shrink
from retrograd.lattice.erasures import Erasures
from retrograd.lattice.exchange import Scratch, exchange
from retrograd.lattice.fingerprint import fingerprint
from retrograd.lattice.layout import Layout
from retrograd.lattice.spills import Spill, Spills
from retrograd.lattice.workspace import Workspace

__all__ = ["CAPACITY", "WORD", "InformationBuffer"]

Integers = NDArray[np.int64]

CAPACITY = 2**32
"""Between steps the digits of an element stay below this."""

WORD = 16
"""The bits of each element's digits that one spill takes."""

_OWNER = "an information buffer"


class InformationBuffer:
    """The digits that one slot's multiplications have pushed out, and the tape behind them.

    Between steps every element's digits are below 2**32, within a step below 2**48. What a step
    does to the slot depends on the digits, hence on the steps before it, and on nothing hidden:
    the same slot, factors and steps give the same integers, whether digits are kept or not.

    Args:
        layout: the layout of the slot.
        words: the number of words of the slot's integers, 1 to 3.
        keep: False drops the spilled digits. The forward run is the same; `undo` raises.
        workspace: scratch, shared with other slots; by default one of its own.

    Attributes:
        layout: as given.
        words: as given.
        digits: (N,) int64, zero at the start. Read it, do not write it.
        multiplications: how many multiplications stand, `undo` deducted.

    Example:
        >>> layout = Layout([(2,), (1,)])
        >>> buffer = InformationBuffer(layout)
        >>> slot = np.array([1000, -1000, 77])
        >>> nine, ten = np.array([9]), np.array([10])
        >>> buffer.multiply(slot, nine, ten)
        array([ 900, -900,   70])
        >>> buffer.undo(slot, nine, ten)
        array([ 1000, -1000,    77])
        >>> buffer.is_empty()
        True

    References:
        Maclaurin, Duvenaud and Adams, Gradient-based Hyperparameter Optimization through
        Reversible Learning, ICML 2015, section 2.2 and algorithm 3.
    """

    def __init__(
        self,
        layout: Layout,
        words: int = 1,
        *,
        keep: bool = True,
        workspace: Workspace | None = None,
    ) -> None:
        check_words(words)
        self.layout = layout
        self.words = words
        self.digits: Integers = np.zeros(layout.size, np.int64)
        self.multiplications = 0
        self._keep = keep
        self._bounds: Integers = np.zeros(len(layout), np.int64)
        self._ends: Integers = np.array([0, *(span.stop for span in layout.leaves)])
        self._spills = Spills()
        self._erasures = Erasures(layout)
        self._scratch = Scratch(layout, words, workspace)
        self._mark_origin()

    @property
    def keep(self) -> bool:
        """Whether digits go to the tape; may be changed between multiplications.

        What is done while it is False cannot be undone, nor what was done before. `undo` goes back
        to the first multiplication that was made, and stays, with ``keep=True``.
        """
        return self._keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        if keep and not self._keep:
            self._mark_origin()
        if not keep:
            self._clear()
        self._keep = keep

    @property
    def spilled_bytes(self) -> int:
        """The bytes of what was lost and is on the tape: two per element and spill."""
        return self._spills.words.nbytes + self._erasures.stack.nbytes

    @property
    def fixed_bytes(self) -> int:
        """The bytes of the digits not yet spilled, 8 per element.

        They are below 2**32; they stay in int64, because NumPy divides those without casts.
        """
        return self.digits.nbytes

    @property
    def nbytes(self) -> int:
        """The bytes that the way back needs: the tape, with 16 bytes for each spill, and digits."""
        return self._spills.nbytes + self._erasures.stack.nbytes + self.fixed_bytes

    def is_empty(self) -> bool:
        """Whether all that can be undone has been, and the digits are as they were there.

        That is at the start, where all digits are zero; or where `restore` went, or where ``keep``
        became True.
        """
        if not self._keep:
            return True
        count, bounds, digits = self._origin
        return (
            self.multiplications == count
            and len(self._spills) == len(self._erasures.stack) == 0
            and np.array_equal(self._bounds, bounds)
            and fingerprint(self.digits) == digits
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """A copy of the state, without the tape: all that the steps to come depend on.

        Returns:
            ``digits`` (N,), ``bounds`` (L,) and ``multiplications`` (), int64.
        """
        return {
            "digits": self.digits.copy(),
            "bounds": self._bounds.copy(),
            "multiplications": np.array(self.multiplications),
        }

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go to the state of a `snapshot`. The tape is emptied: `undo` will come back to here.

        Raises:
            ArgumentError: an array is missing, or is not one of a buffer with this layout.
        """
        digits, bounds, count = (
            entry(snapshot, name, _OWNER, shape)
            for name, shape in (
                ("digits", self.digits.shape),
                ("bounds", self._bounds.shape),
                ("multiplications", ()),
            )
        )
        np.copyto(self.digits, digits)
        np.copyto(self._bounds, bounds)
        self.multiplications = int(count)
        self._clear()
        self._mark_origin()

    def export(self) -> dict[str, NDArray[Any]]:
        """A copy of everything, the tape included, as arrays (for a file of `numpy.savez`)."""
        count, bounds, digits = self._origin
        return {
            **self.snapshot(),
            "spill_words": self._spills.words.export(),
            "spill_marks": self._spills.marks.export(),
            "erasures": self._erasures.stack.export(),
            "origin_multiplications": np.array(count),
            "origin_bounds": bounds.copy(),
            "origin_digits": np.array(digits, np.uint64),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the buffer that `export` was called on; ``keep`` stays as it is.

        Raises:
            ArgumentError: an array is missing, or is not one of a buffer with this layout.
        """
        words, marks, erasures = (
            entry(arrays, name, _OWNER) for name in ("spill_words", "spill_marks", "erasures")
        )
        origin = (
            int(entry(arrays, "origin_multiplications", _OWNER, ())),
            entry(arrays, "origin_bounds", _OWNER, self._bounds.shape).copy(),
            int(entry(arrays, "origin_digits", _OWNER, ())),
        )
        self.restore(arrays)
        self._spills.load(words, marks)
        self._erasures.stack.load(erasures)
        self._origin = origin

    def multiply(self, integers: Integers, numerator: Integers, denominator: Integers) -> Integers:
        """Multiply a slot by n/d, in place, so that `undo` can return exactly.

        The result differs from the real number c*n/d by less than n; it is 0 for n = 0.

        Args:
            integers: (N,) int64, or (words, N) if there are several, magnitudes of the first word
                below 2**62; overwritten.
            numerator: int64, shape (1,) for all, (L,) per leaf or (N,) per element; the shape may
                change from step to step.
            denominator: int64, of the same shape, with 0 < n < d <= 65,536, or 0/1, or 1/1 for
                leaves that stay as they are.

        Returns:
            ``integers``.

        Raises:
            ArgumentError: an argument has the wrong shape, dtype or range; nothing is changed.
        """
        check_slot("integers", integers, self.layout, self.words)
        zero = check_factor(numerator, denominator, self.layout)
        if zero is None:
            self._multiply(integers, numerator, denominator)
        else:
            # By 1/1 for the digits' sake, which a factor of 0 leaves alone.
            if not zero.all():
                self._multiply(integers, np.where(zero, 1, numerator), denominator)
            self._erasures.erase(integers, zero, keep=self._keep)
        self.multiplications += 1
        return integers

    def undo(self, integers: Integers, numerator: Integers, denominator: Integers) -> Integers:
        """Undo the last multiplication that has not been undone, in place.

        Args:
            integers: as `multiply` left them; overwritten.
            numerator: as given to `multiply`.
            denominator: as given to `multiply`.

        Returns:
            ``integers``.

        Raises:
            NotReversibleError: ``keep`` is False.
            ReversalError: there is nothing left to undo; or, where it is noticed, the factors are
                not those of the forward run, or the integers are not those that `multiply` left.
            ArgumentError: an argument has the wrong shape, dtype or range; nothing is changed.
        """
        self._check_undo()
        check_slot("integers", integers, self.layout, self.words)
        zero = check_factor(numerator, denominator, self.layout)
        if zero is None:
            self._divide(integers, numerator, denominator)
        else:
            self._erasures.bring_back(integers, zero)
            if not zero.all():
                self._divide(integers, np.where(zero, 1, numerator), denominator)
        self.multiplications -= 1
        while spill := self._spills.pop(self.multiplications, self._ends):
            self._restore(spill)
        if self.multiplications == self._origin[0]:
            self._check_origin()
        return integers

    def _multiply(self, integers: Integers, numerator: Integers, denominator: Integers) -> None:
        after = grow(self._bounds, numerator, denominator, self.layout)
        if after.max() >= CAPACITY:
            self._spill(np.flatnonzero(after >= CAPACITY))
            after = grow(self._bounds, numerator, denominator, self.layout)
        exchange(integers, self.digits, denominator, numerator, self.layout, self._scratch)
        self._bounds = after

    def _divide(self, integers: Integers, numerator: Integers, denominator: Integers) -> None:
        exchange(integers, self.digits, numerator, denominator, self.layout, self._scratch)
        self._bounds = shrink(self._bounds, numerator, denominator, self.layout)

    def _spill(self, leaves: Integers) -> None:
        for first, stop in _neighbours(leaves.tolist(), self._bounds.tolist()):
            digits = self.digits[self._ends[first] : self._ends[stop]]
            if self._keep:
                bound = int(self._bounds[first])
                self._spills.push(Spill(self.multiplications, first, stop, bound, digits))
            np.right_shift(digits, WORD, out=digits)
        self._bounds[leaves] >>= WORD

    def _restore(self, spill: Spill) -> None:
        digits = self.digits[self._ends[spill.first] : self._ends[spill.stop]]
        np.left_shift(digits, WORD, out=digits)
        np.bitwise_or(digits, spill.words, out=digits)
        self._bounds[spill.first : spill.stop] = spill.bound

    def _mark_origin(self) -> None:
        """From here on, multiplications can be undone."""
        self._origin = (self.multiplications, self._bounds.copy(), fingerprint(self.digits))

    def _clear(self) -> None:
        self._spills.clear()
        self._erasures.stack.clear()

    def _check_undo(self) -> None:
        if not self._keep:
            raise NotReversibleError(
                "this information buffer was made with keep=False and has dropped the digits that "
                "undo needs; make it with keep=True, or set keep before what is to be undone"
            )
        if self.multiplications == self._origin[0]:
            raise ReversalError(
                "the information buffer has no multiplication left to undo; "
                "call undo once for each multiply"
            )

    def _check_origin(self) -> None:
        if not np.array_equal(self._bounds, self._origin[1]):
            raise ReversalError(
                f"the information buffer is back at step {self.multiplications}, but not by the "
                "factors of the forward run; undo with the same numerators and denominators in "
                "reverse order"
            )


def _neighbours(leaves: list[int], bounds: list[int]) -> Iterator[tuple[int, int]]:
    """Cut increasing leaves into runs of neighbours with the same bound: first, and last + 1."""
    first = 0
    for k in range(1, len(leaves) + 1):
        if (
            k == len(leaves)
            or leaves[k] != leaves[k - 1] + 1
            or bounds[leaves[k]] != bounds[leaves[first]]
        ):
            yield leaves[first], leaves[k - 1] + 1
            first = k
