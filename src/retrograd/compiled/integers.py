"""The integers of a slot in a compiled run: rounding, sums, halvings, all within one fused loop.

They are those of `retrograd.lattice.fixed_point`: one to three words of 64 bits, the later ones
limbs of 46 bits. What leaves the range, or is no number, becomes `POISON`, which no later sum turns
into an ordinary integer again. So a run looks at its slots once, at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax.numpy as jnp

from retrograd.lattice.fixed_point import BOUND
from retrograd.lattice.limbs import LIMB, MASK

__all__ = ["POISON", "Integers", "Radix", "difference_of_bits", "poisoned"]

# One array per word, the signed one first.
Integers = tuple[Any, ...]

POISON = -(2**63)


@dataclass(frozen=True)
class Radix:
    """The lattice of one slot.

    Args:
        digits: the binary digits after the point.
        words: the words of an integer.

    Example:
        >>> import jax
        >>> with jax.enable_x64(True):
        ...     lattice = Radix(digits=4, words=1)
        ...     slot = lattice.plus(lattice.zeros((2,)), jnp.array([1.0, -0.26]) * 2.0**4)
        ...     slot[0].tolist(), lattice.value(slot).tolist()
        ([16, -4], [1.0, -0.25])
    """

    digits: int
    words: int

    @property
    def unit(self) -> float:
        """How many first words make 1."""
        return 2.0 ** (self.digits - LIMB * (self.words - 1))

    def zeros(self, shape: tuple[int, ...]) -> Integers:
        """A slot at its start."""
        return tuple(jnp.zeros(shape, jnp.int64) for _ in range(self.words))

    def plus(self, slot: Integers, x: Any) -> Integers:
        """The slot and numbers in units of first words, rounded to the lattice, ties to even."""
        top, *limbs = _carried([a + b for a, b in zip(slot, self._rounded(x), strict=True)])
        fits = (jnp.abs(x) < float(BOUND)) & (top < BOUND) & (top > -BOUND)
        return (jnp.where(fits, top, POISON), *limbs)

    def minus(self, slot: Integers, x: Any) -> Integers:
        """Undo `plus`."""
        return _carried([a - b for a, b in zip(slot, self._rounded(x), strict=True)])

    def raised(self, slot: Integers, x: Any) -> Integers:
        """The larger of the slot and numbers in units of first words, rounded to the lattice."""
        other = self.plus(self.zeros(x.shape), x)
        less, equal = slot[0] < other[0], slot[0] == other[0]
        for a, b in zip(slot[1:], other[1:], strict=True):
            less, equal = less | (equal & (a < b)), equal & (a == b)
        lost = (slot[0] == POISON) | (other[0] == POISON)
        top, *limbs = (jnp.where(less, b, a) for a, b in zip(slot, other, strict=True))
        return (jnp.where(lost, POISON, top), *limbs)

    def value(self, slot: Integers, scale: Any = 1.0) -> Any:
        """The numbers that a slot stands for, float64, times a scale."""
        if self.words == 1:
            return slot[0].astype(jnp.float64) * (2.0**-self.digits * scale)
        total, size = slot[0].astype(jnp.float64), 1.0
        for limb in slot[1:]:
            size *= 2.0**-LIMB
            total = total + limb.astype(jnp.float64) * size
        return total * (1 / self.unit) * scale

    def halved(self, slot: Integers, times: Any) -> tuple[Integers, Any]:
        """The slot divided by 2**times, rounded down, and the bits that fell out, uint32.

        Args:
            slot: the integers.
            times: int64, 0 to 32.
        """
        low = (jnp.int64(1) << times) - 1
        words = [slot[0] >> times]
        for above, limb in pairwise(slot):
            words.append((limb >> times) | ((above & low) << (LIMB - times)))
        fits = (slot[0] < BOUND) & (slot[0] > -BOUND)
        words[0] = jnp.where(fits, words[0], POISON)
        return tuple(words), (slot[-1] & low).astype(jnp.uint32)

    def doubled(self, slot: Integers, times: Any, bits: Any) -> Integers:
        """Undo `halved`."""
        room = LIMB - times
        words = []
        for word, below in pairwise(slot):
            words.append((word << times) | (below >> room))
        words.append((slot[-1] << times) | bits.astype(jnp.int64))
        return (words[0], *(word & MASK for word in words[1:]))

    def _rounded(self, x: Any) -> list[Any]:
        """Word by word: the nearest, and what is left, which is exact, for the next."""
        words: list[Any] = []
        for k in range(self.words):
            nearest = jnp.rint(x)
            words.append(nearest.astype(jnp.int64))
            if k + 1 < self.words:
                x = (x - nearest) * 2.0**LIMB
        return words


def _carried(words: list[Any]) -> Integers:
    """Bring limbs back to their range."""
    for k in range(len(words) - 1, 0, -1):
        words[k - 1] = words[k - 1] + (words[k] >> LIMB)
        words[k] = words[k] & MASK
    return tuple(words)


def poisoned(slot: Integers) -> Any:
    """Whether a slot holds an integer that is out of range."""
    return jnp.any((slot[0] >= BOUND) | (slot[0] <= -BOUND))


def difference_of_bits(a: Integers, b: Integers) -> Any:
    """How many elements of two slots differ, int32."""
    differs = a[0] != b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        differs = differs | (x != y)
    return jnp.sum(differs, dtype=jnp.int32)
