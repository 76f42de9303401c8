"""The information buffer: multiplication by n/d < 1 that can be undone bit for bit.

Shrinking an integer by n/d loses log2(d/n) bits. They become digits in one integer per element.
When a leaf's digits could outgrow 32 bits, the low 16 bits of all of them go to a tape in the same
step: decided by a bound that knows the factors only, never by the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice.bounds import grow, shrink
from retrograd.lattice.exchange import Scratch, exchange
from retrograd.lattice.factors import LIMIT
from retrograd.lattice.layout import Layout
from retrograd.lattice.spills import Spill, Spills

__all__ = ["InformationBuffer"]

Integers = NDArray[np.int64]

_CAPACITY = 2**32
_WORD = 16


class InformationBuffer:
    """The digits that one slot's multiplications have pushed out, and the tape behind them.

    Between steps every element's digits are below 2**32, within a step below 2**48. What a step
    does to the slot depends on the digits, hence on the steps before it, and on nothing hidden:
    the same slot, factors and steps give the same integers, whether digits are kept or not.

    Args:
        layout: the layout of the slot.
        keep: False drops the spilled digits. The forward run is the same; `undo` raises.

    Attributes:
        layout: as given.
        keep: as given.
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

    def __init__(self, layout: Layout, *, keep: bool = True) -> None:
        self.layout = layout
        self.keep = keep
        self.digits: Integers = np.zeros(layout.size, np.int64)
        self.multiplications = 0
        self._bounds: Integers = np.zeros(len(layout), np.int64)
        self._spills = Spills()
        self._scratch = Scratch(layout)

    @property
    def spilled_bytes(self) -> int:
        """The bytes of the digits on the tape: two per element and spill."""
        return self._spills.nbytes

    @property
    def fixed_bytes(self) -> int:
        """The bytes of the digits not yet spilled, 8 per element.

        They are below 2**32; they stay in int64, because NumPy divides those without casts.
        """
        return self.digits.nbytes

    @property
    def nbytes(self) -> int:
        """The bytes that the way back needs: `spilled_bytes` and `fixed_bytes`."""
        return self.spilled_bytes + self.fixed_bytes

    def is_empty(self) -> bool:
        """Whether all digits are zero and the tape is at its start."""
        return len(self._spills) == 0 and not self.digits.any()

    def multiply(self, integers: Integers, numerator: Integers, denominator: Integers) -> Integers:
        """Multiply a slot by n/d, in place, so that `undo` can return exactly.

        The result differs from the real number c*n/d by less than n.

        Args:
            integers: (N,) int64, magnitudes below 2**62; overwritten.
            numerator: int64, shape (1,) for all, (L,) per leaf or (N,) per element; the shape may
                change from step to step.
            denominator: int64, of the same shape, with 0 < n < d <= 65,536.

        Returns:
            ``integers``.

        Raises:
            ArgumentError: an argument has the wrong shape, dtype or range; nothing is changed.
        """
        self._check(integers, numerator, denominator)
        after = grow(self._bounds, numerator, denominator, self.layout)
        if after.max() >= _CAPACITY:
            for leaf in np.flatnonzero(after >= _CAPACITY).tolist():
                self._spill(leaf)
            after = grow(self._bounds, numerator, denominator, self.layout)
        exchange(integers, self.digits, denominator, numerator, self.layout, self._scratch)
        self._bounds = after
        self.multiplications += 1
        return integers

    def undo(self, integers: Integers, numerator: Integers, denominator: Integers) -> Integers:
        """Undo the last multiplication that has not been undone, in place.

        Args:
            integers: (N,) int64, as `multiply` left them; overwritten.
            numerator: as given to `multiply`.
            denominator: as given to `multiply`.

        Returns:
            ``integers``.

        Raises:
            NotReversibleError: the buffer was made with ``keep=False``.
            ReversalError: there is nothing left to undo, or, noticed at the first step, the
                factors were not those of the forward run.
            ArgumentError: an argument has the wrong shape, dtype or range; nothing is changed.
        """
        self._check_undo()
        self._check(integers, numerator, denominator)
        exchange(integers, self.digits, numerator, denominator, self.layout, self._scratch)
        self._bounds = shrink(self._bounds, numerator, denominator, self.layout)
        self.multiplications -= 1
        for spill in self._spills.pop(self.multiplications):
            self._restore(spill)
        if self.multiplications == 0 and self._bounds.any():
            raise ReversalError(
                "the information buffer is back at step 0, but not by the factors of the forward "
                "run; undo with the same numerators and denominators in reverse order"
            )
        return integers

    def _spill(self, leaf: int) -> None:
        digits = self.digits[self.layout.leaves[leaf]]
        if self.keep:
            words = digits.astype(np.uint16)
            self._spills.push(Spill(self.multiplications, leaf, int(self._bounds[leaf]), words))
        np.right_shift(digits, _WORD, out=digits)
        self._bounds[leaf] >>= _WORD

    def _restore(self, spill: Spill) -> None:
        digits = self.digits[self.layout.leaves[spill.leaf]]
        np.left_shift(digits, _WORD, out=digits)
        np.bitwise_or(digits, spill.words, out=digits)
        self._bounds[spill.leaf] = spill.bound

    def _check_undo(self) -> None:
        if not self.keep:
            raise NotReversibleError(
                "this information buffer was made with keep=False and has dropped the digits that "
                "undo needs; make it with keep=True"
            )
        if self.multiplications == 0:
            raise ReversalError(
                "the information buffer has no multiplication left to undo; "
                "call undo once for each multiply"
            )

    def _check(self, integers: Integers, numerator: Integers, denominator: Integers) -> None:
        _check_integers("integers", integers)
        _check_integers("numerator", numerator)
        _check_integers("denominator", denominator)
        size, leaves = self.layout.size, len(self.layout)
        if integers.shape != (size,):
            raise ArgumentError(
                f"integers has shape {integers.shape}; give the flat slot of shape ({size},)"
            )
        if numerator.shape not in ((), (1,), (leaves,), (size,)) or (
            numerator.shape != denominator.shape
        ):
            raise ArgumentError(
                f"numerator has shape {numerator.shape} and denominator {denominator.shape}; give "
                f"both shape (1,) for all, ({leaves},) per leaf or ({size},) per element"
            )
        if numerator.min() < 1 or denominator.max() > LIMIT or (numerator >= denominator).any():
            raise _out_of_range(numerator, denominator)


def _check_integers(what: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.int64:
        given = getattr(array, "dtype", type(array).__name__)
        raise ArgumentError(f"{what} is {given}; give a NumPy array of int64")


def _out_of_range(numerator: Integers, denominator: Integers) -> ArgumentError:
    n, d = np.atleast_1d(numerator), np.atleast_1d(denominator)
    index = int(np.argmax((n < 1) | (n >= d) | (d > LIMIT)))
    return ArgumentError(
        f"the factor is {n[index]}/{d[index]} (entry {index}); the information buffer takes n/d "
        f"with 0 < n < d <= {LIMIT}, as rational() gives them"
    )
