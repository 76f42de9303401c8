"""What an adjoint strategy is: an object that makes one `Memory` for each training run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout

__all__ = ["Adjoint", "Integers", "Memory"]

Integers = NDArray[np.int64]


class Memory(ABC):
    """What one run keeps, so that the sweep can return to every state of it.

    The forward run calls `enter` at the start of each step and `multiply` for each decay. The sweep
    undoes the additions by itself, because they lose nothing, calls `unmultiply` for each decay,
    and `leave` when it is back at the start of the step.
    """

    @abstractmethod
    def enter(self, step: int, slots: Mapping[str, Integers]) -> None:
        """Step `step` begins with these slots."""

    @abstractmethod
    def multiply(self, slot: str, integers: Integers, n: Integers, d: Integers) -> None:
        """Multiply a slot by n/d in place, on the lattice."""

    @abstractmethod
    def unmultiply(
        self, step: int, slot: str, integers: Integers, n: Integers, d: Integers
    ) -> None:
        """Give a slot back the integers that it had before the multiplication, in place.

        Raises:
            ReversalError: the integers cannot be those that the multiplication left.
        """

    @abstractmethod
    def leave(self, step: int) -> None:
        """The sweep has returned to the start of step `step`; what was kept for it can go."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The bytes kept at this moment."""

    @property
    def tape_bits(self) -> int:
        """The bits kept at this moment, but for what is kept whatever the number of steps."""
        return 8 * self.nbytes

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether the sweep has used up what was kept, as it must have at step 0."""


class Adjoint(ABC):
    """A strategy for getting back the states of a training run; pass it as `train(adjoint=...)`.

    Attributes:
        exact: whether the gradient is exact.
        restores_from_zero: whether `unmultiply` gives a slot back also after a factor of 0 (n = 0),
            which leaves nothing to divide.
    """

    exact = True
    restores_from_zero = False

    @abstractmethod
    def memory(self, layout: Layout, decayed: Sequence[str], *, sweeps: bool) -> Memory:
        """The memory of one run.

        Args:
            layout: the layout of the slots.
            decayed: the slots that the optimizer's program multiplies.
            sweeps: False if no derivative is wanted, and nothing need be kept.
        """

    @abstractmethod
    def check(self, name: str, obstacle: str | None) -> None:
        """Refuse an optimizer that this strategy cannot work with.

        Args:
            name: the optimizer's name.
            obstacle: why it cannot be run backwards exactly, or None.

        Raises:
            NotReversibleError: the strategy needs a way back that the optimizer does not have.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
