"""The decays of a slot by factors of up to 1, most of them put off.

A slot stands for scale * integers. A decay by f makes the scale f times smaller, which is exact to
undo and costs nothing. Only every so many decays the halvings that have come together in the scale
are carried out on the integers, which keeps their lowest bits on the tape, and taken out of the
scale. So the decays are those that were given, no rational that is near them, and the integers move
by less than a unit.

Where each element has a factor of its own, or a factor is 0, every decay is multiplied into the
integers at once, by the rational that is nearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import NotReversibleError, ReversalError
from retrograd.lattice.arguments import entry
from retrograd.lattice.factors import rational
from retrograd.lattice.information_buffer import InformationBuffer
from retrograd.lattice.layout import Layout
from retrograd.lattice.stack import Stack
from retrograd.lattice.workspace import Workspace

__all__ = ["Decays", "period"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_OWNER = "the decays of a slot"

# What the decays that are put off may amount to. After them the scale is above 1/8, and the
# integers are less than 8 times as large as they would be without a scale.
LARGEST = 4.0
# More decays are not put off, whatever the factor.
MOST = 64
# Of so many stretches between halvings one scale is kept; the others follow from it.
_GROUP = 64
# So many factors are few: their rationals are remembered together.
_FEW = 64


def period(smallest: float, columns: int, layout: Layout) -> int:
    """After how many decays halvings are carried out; 1 means that nothing is put off.

    Args:
        smallest: the smallest factor of the run.
        columns: how many factors there are at a step: 1, one per leaf, or one per element.
        layout: the layout of the slot.

    Example:
        >>> [period(factor, 1, Layout([(5,)])) for factor in (0.0, 0.3, 0.9, 0.99, 0.999)]
        [1, 1, 13, 64, 64]
    """
    if smallest <= 0 or columns not in (1, len(layout)):
        return 1
    if smallest >= 1:
        return MOST
    return min(max(math.floor(math.log(LARGEST) / -math.log(smallest)), 1), MOST)


class Decays:
    """The decays of one slot.

    Args:
        layout: the layout of the slot.
        words: the words of its integers.
        factors: `factors(j)`, the factors of decay j, counted from 0: (1,) for all, (L,) per leaf
            or (N,) per element, in [0, 1]; an IndexError for a decay that the run does not have.
        least: the smallest of all of them.
        columns: how many there are at a decay, at most.
        keep: False drops what `undo` needs. The decays are the same.
        workspace: scratch, shared with other slots; by default one of its own.

    Attributes:
        buffer: the information buffer.
        period: after how many decays halvings are carried out.
        count: how many decays stand, `undo` deducted.

    Example:
        >>> layout = Layout([(2,)])
        >>> decays = Decays(layout, 1, lambda j: np.array([0.9]), least=0.9)
        >>> slot = np.array([1_000_000, -1_000_000])
        >>> for _ in range(14):
        ...     share = decays.decay(slot)
        >>> decays.count, (slot * decays.scale).round(-2).astype(int)  # 0.9**14 is 0.2288
        (14, array([ 228800, -228800]))
        >>> for _ in range(14):
        ...     decays.undo(slot)
        >>> slot, decays.is_empty()
        (array([ 1000000, -1000000]), True)
    """

    def __init__(
        self,
        layout: Layout,
        words: int,
        factors: Callable[[int], Floats],
        least: float,
        columns: int = 1,
        *,
        keep: bool = True,
        workspace: Workspace | None = None,
    ) -> None:
        self.buffer = InformationBuffer(layout, words, keep=keep, workspace=workspace)
        self.period = period(least, columns, layout)
        self.columns = 1 if self.period == 1 else columns
        self.count = 0
        self._factors = factors
        # The scales since halvings were last carried out; the last one is that of now.
        self._scales: list[Floats] = [np.ones(self.columns)]
        # The first scales of the stretches before, and of those before them, of every 64th.
        self._starts: list[Floats] = []
        self._anchors = Stack(np.float64)
        self._origin = 0

    @property
    def scale(self) -> Floats:
        """What the integers are to be multiplied by: (1,) for all, or (L,) per leaf."""
        return self._scales[-1]

    @property
    def at_once(self) -> bool:
        """Whether no decay is put off."""
        return self.period == 1

    def applied(self, factors: Floats) -> Floats:
        """The factors as they are really applied, given those of one decay."""
        if not self.at_once:
            return factors
        n, d = _nearest(factors)
        return n / d

    def decay(self, integers: Integers) -> float:
        """Decay the slot by the next factors.

        Args:
            integers: the slot; overwritten, if the decay is not put off.

        Returns:
            By what an integer was multiplied at most: 1.0 where the decay is put off.
        """
        factors = self._factors_of(self.count)
        share = 1.0
        if self.at_once:
            n, d = _nearest(factors)
            self.buffer.multiply(integers, n, d)
            share = float((n / d).max())
        else:
            self._scales.append(self._scales[-1] * factors)
            if (self.count + 1) % self.period == 0:
                share = self._close(integers)
        self.count += 1
        return share

    def _close(self, integers: Integers) -> float:
        """Carry out the halvings of a stretch of decays; returns what `decay` does."""
        n, d = _halvings(self._scales[-1])
        if (d > 1).any():
            self.buffer.multiply(integers, n, d)
        if self.keep:
            self._starts.append(self._scales[0])
            if len(self._starts) == _GROUP:
                self._anchors.push(self._starts[0])
                self._starts = []
        self._scales = [self._scales[-1] * d]
        return 1.0 / float(d.min())

    def undo(self, integers: Integers) -> None:
        """Undo the last decay that has not been undone.

        Raises:
            NotReversibleError: ``keep`` is False.
            ReversalError: there is nothing left to undo, or the factors are not those of the
                forward run.
        """
        self._check_undo()
        factors = self._factors_of(self.count - 1)
        if self.at_once:
            self.buffer.undo(integers, *_nearest(factors))
        else:
            if len(self._scales) == 1:
                self._open(integers)
            if not np.array_equal(self._scales[-2] * factors, self._scales[-1]):
                raise _others()
            self._scales.pop()
        self.count -= 1

    def _open(self, integers: Integers) -> None:
        """Take back the halvings that stand before this decay."""
        after, first = self._scales[0], self.count - self.period
        if not self._starts:
            self._recall()
        start = self._starts.pop()
        scales = self._scales_from(start, first, self.period)
        n, d = _halvings(scales[-1])
        # A stretch starts with no halving in its scale; others would cancel in the comparison.
        if not ((start > 0.5) & (start <= 1)).all() or not np.array_equal(scales[-1] * d, after):
            raise _others()
        if (d > 1).any():
            self.buffer.undo(integers, n, d)
        self._scales = scales

    def _recall(self) -> None:
        """The first scales of a group of stretches, from the very first."""
        first = self.count - _GROUP * self.period
        start = self._anchors.pop(self.columns).copy()
        for j in range(first, self.count, self.period):
            self._starts.append(start)
            last = self._scales_from(start, j, self.period)[-1]
            start = last * _halvings(last)[1]

    def _scales_at(self, count: int, start: Floats) -> list[Floats]:
        """The scales of the stretch that decay ``count`` belongs to, given its first one."""
        put_off = 0 if self.at_once else count % self.period
        return self._scales_from(start, count - put_off, put_off)

    def _scales_from(self, start: Floats, first: int, count: int) -> list[Floats]:
        scales = [start]
        for j in range(first, first + count):
            scales.append(scales[-1] * self._factors_of(j))
        return scales

    def _factors_of(self, j: int) -> Floats:
        try:
            return self._factors(j)
        except IndexError as error:
            raise ReversalError(
                f"{j} decays of a slot are said to be over, and the run has no decay of that "
                "number; give a state of this run, and undo no more than was done"
            ) from error

    @property
    def keep(self) -> bool:
        """Whether what `undo` needs is kept; may be changed between decays."""
        return self.buffer.keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        if keep != self.buffer.keep:
            self._forget()
        self.buffer.keep = keep

    @property
    def spilled_bytes(self) -> int:
        """The bytes of what was lost and is on the tape."""
        return self.buffer.spilled_bytes + self._anchors.nbytes

    @property
    def nbytes(self) -> int:
        """The bytes that the way back needs, but for the scales of the last 64 stretches."""
        return self.buffer.nbytes + self._anchors.nbytes

    def is_empty(self) -> bool:
        """Whether all that can be undone has been, and the digits are as they were there."""
        return not self.keep or (
            self.count == self._origin
            and len(self._starts) == len(self._anchors) == 0
            and self.buffer.is_empty()
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """A copy of the state, without the tape."""
        return {
            **self.buffer.snapshot(),
            "decays": np.array(self.count),
            "start": self._scales[0].copy(),
            "scale": self._scales[-1].copy(),
        }

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go to the state of a `snapshot`. The tape is emptied: `undo` will come back to here.

        Raises:
            ArgumentError: an array is missing, or is not one of decays with this layout.
            ReversalError: the factors are not those of the run that the snapshot was taken in.
        """
        shape = self._scales[0].shape
        start, scale = (entry(snapshot, name, _OWNER, shape) for name in ("start", "scale"))
        count = int(entry(snapshot, "decays", _OWNER, ()))
        scales = self._scales_at(count, start.copy())
        if not np.array_equal(scales[-1], scale):
            raise _others()
        self.buffer.restore(snapshot)
        self.count, self._scales = count, scales
        self._forget()

    def stand_after(self, count: int) -> None:
        """Stand where so many decays are over, with a new slot: none of them can be undone."""
        self.count, self._scales = count, self._scales_at(count, np.ones_like(self._scales[0]))
        self._forget()

    def export(self) -> dict[str, NDArray[Any]]:
        """A copy of everything, the tape included, as arrays."""
        return {
            **self.buffer.export(),
            **self.snapshot(),
            "starts": np.array(self._starts).reshape(-1, self.columns),
            "anchors": self._anchors.export(),
            "origin": np.array(self._origin),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the decays that `export` was called on; ``keep`` stays as it is.

        Raises:
            ArgumentError: as by `restore`.
            ReversalError: as by `restore`.
        """
        starts, anchors = (entry(arrays, name, _OWNER) for name in ("starts", "anchors"))
        origin = int(entry(arrays, "origin", _OWNER, ()))
        self.restore(arrays)
        self.buffer.load(arrays)
        self._starts = list(starts.copy())
        self._anchors.load(anchors)
        self._origin = origin

    def _check_undo(self) -> None:
        if not self.keep:
            raise NotReversibleError(
                "these decays were made with keep=False and have dropped what undo needs; make "
                "them with keep=True, or set keep before what is to be undone"
            )
        if self.count == self._origin:
            raise ReversalError("there is no decay left to undo; call undo once for each decay")

    def _forget(self) -> None:
        """From here on, decays can be undone, and none before."""
        self._starts = []
        self._anchors.clear()
        self._origin = self.count


def _others() -> ReversalError:
    return ReversalError(
        "the factors of the decays are not those of the forward run, or a scale that was kept has "
        "changed; give the same factors for the same decay whenever they are asked for"
    )


def _nearest(factors: Floats) -> tuple[Integers, Integers]:
    """The nearest rationals; 1/1 for 1. Do not write to them."""
    return _remembered(factors.tobytes()) if factors.size <= _FEW else _rationals(factors)


@lru_cache(maxsize=1024)
def _remembered(factors: bytes) -> tuple[Integers, Integers]:
    """Those of few factors, given by their bytes: a sweep asks for what the run has asked for."""
    return _rationals(np.frombuffer(factors))


def _rationals(factors: Floats) -> tuple[Integers, Integers]:
    one = factors >= 1
    n, d = rational(np.where(one, 0.5, factors))
    return np.where(one, 1, n), np.where(one, 1, d)


def _halvings(scale: Floats) -> tuple[Integers, Integers]:
    """1/2**k, as many halvings as there are in a scale of at most 1, and no more."""
    fraction, exponent = np.frexp(scale)
    halvings = np.where(fraction == 0.5, 1, 0) - exponent
    return np.ones_like(halvings, np.int64), np.left_shift(np.int64(1), np.maximum(halvings, 0))
