"""What the sweep and an adjoint strategy know of each other.

A `Dynamics` is a computation in steps, x_{t+1} = f(x_t, t): training, or a map that is iterated. An
`Adjoint` is the user's choice of how the sweep gets the states back; it makes one `Memory` for each
run. The run owns the two loops:

    forward   for t in 0, ..., T-1: memory.enter(t); dynamics.advance(t)      then memory.finish()
    sweep     for t in T-1, ..., 0: memory.back(t)

`back` leaves the dynamics at x_t, with the adjoint of x_t.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from retrograd.errors import ReversalError

__all__ = ["MARK_NBYTES", "Adjoint", "Dynamics", "Memory", "Snapshot", "bytes_of"]

Snapshot = dict[str, NDArray[Any]]
"""A copy of a state: named arrays."""

MARK_NBYTES = 8
"""The bytes of a state's fingerprint."""


def bytes_of(arrays: Mapping[str, NDArray[Any]]) -> int:
    """The bytes of named arrays."""
    return sum(array.nbytes for array in arrays.values())


class Dynamics(ABC):
    """A computation in steps, and the adjoint of its state.

    Attributes:
        steps: how many steps.
        arithmetic: "lattice" or "floats": what its states are made of.
        obstacle: why `retreat` is impossible, as the end of a sentence, or None.
    """

    steps: int
    arithmetic: str
    obstacle: str | None = None
    _recording = False
    _comparing = True

    @property
    def recording(self) -> bool:
        """While True, `advance` keeps on the tape what `retreat` needs."""
        return self._recording

    @recording.setter
    def recording(self, keep: bool) -> None:
        self._recording = keep

    @property
    def comparing(self) -> bool:
        """While True, what is evaluated again must have the bits that it had before.

        An approximate sweep, which visits other states, sets it to False.
        """
        return self._comparing

    @comparing.setter
    def comparing(self, compare: bool) -> None:
        self._comparing = compare

    @abstractmethod
    def advance(self, t: int) -> None:
        """Take step t, from x_t to x_{t+1}, in place."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """A copy of the state."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Go to a state, which is copied; the tape is empty then."""

    @abstractmethod
    def fingerprint(self) -> int:
        """64 bits that differ when one element of the state differs."""

    def noted(self, t: int) -> int | None:
        """The fingerprint of x_t in the forward run, if `advance` compares with it by itself."""
        return None

    @abstractmethod
    def pull(self, t: int) -> None:
        """At x_t, turn the adjoint of x_{t+1} into that of x_t; the state stays x_t."""

    def retreat(self, t: int) -> None:
        """From x_{t+1}, undo step t by the tape, and carry the adjoint over it.

        Raises:
            ReversalError: the state or the tape is not what the forward run left.
        """
        raise NotImplementedError(f"this computation cannot retreat: {self.obstacle}")

    def between(self, first: Snapshot, last: Snapshot, t: int) -> Snapshot:
        """The state at step t of a run along the straight line from its first state to its last."""
        raise NotImplementedError(f"{type(self).__name__} has no straight lines between states")

    def cut(self) -> None:
        """Take the state at hand for a constant: its adjoint becomes zero."""
        raise NotImplementedError(f"{type(self).__name__} cannot be cut")

    @property
    def state_nbytes(self) -> int:
        """The bytes of one snapshot."""
        return bytes_of(self.snapshot())

    def tape_nbytes_after(self, steps: int) -> int | None:
        """The bytes that the tape of the first steps takes; None if that is not known before."""
        return None

    @property
    def tape_nbytes(self) -> int:
        """The bytes of the tape at this moment."""
        return 0

    @property
    def tape_bits(self) -> int:
        """The bits of the tape that grew with the number of steps."""
        return 0

    def tape_is_empty(self) -> bool:
        """Whether the tape is as at the start, or as after the last `restore`."""
        return True

    def export_tape(self) -> Snapshot:
        """The tape as named arrays, to be saved."""
        return {}

    def import_tape(self, arrays: Snapshot) -> None:
        """Put a saved tape in place."""

    def return_to(self, snapshot: Snapshot, mark: int, t: int) -> None:
        """Go to a state that was kept, if its fingerprint is still `mark`.

        Raises:
            ReversalError: the kept state has changed.
        """
        self.restore(snapshot)
        if self.fingerprint() != mark:
            raise ReversalError(
                f"the state that was kept at step {t} has changed: its fingerprint differs. Memory "
                "was written to by something else, or is damaged",
                t,
            )


class Memory(ABC):
    """What one run keeps, so that the sweep can return to every state of it.

    Args:
        dynamics: at its first state.

    Attributes:
        returns: whether the sweep passes through the states of the forward run.
        retreats: whether it goes back by `Dynamics.retreat` alone. That keeps every error in the
            state, so that some comparisons suffice; another way back is compared at every step.
        repairs: whether `repair` may succeed.
        repaired: one sentence for each repair that it has made on its own.
        strategy: what the certificate calls the strategy, where that is not the one asked for.
    """

    returns = True
    retreats = False
    repairs = False
    repaired: Sequence[str] = ()
    strategy: str | None = None

    def __init__(self, dynamics: Dynamics) -> None:
        self.dynamics = dynamics

    @abstractmethod
    def enter(self, t: int) -> None:
        """Forwards: the state is x_t, and step t comes next."""

    def finish(self) -> None:
        """Forwards: the state is x_T."""

    @abstractmethod
    def back(self, t: int) -> None:
        """In the sweep: go to x_t, and turn the adjoint of x_{t+1} into that of x_t."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The bytes kept at this moment."""

    @property
    def tape_bits(self) -> int:
        """The bits kept at this moment, but for what is kept whatever the number of steps."""
        return 8 * self.nbytes

    @abstractmethod
    def check_used_up(self) -> None:
        """At step 0: nothing may be left of what was kept.

        Raises:
            ReversalError: something is left.
        """

    def verified(self, t: int) -> None:
        """The state at step t has come back right: what would repair a later one can go."""

    def repair(self, t: int) -> bool:
        """Go to x_t by what is kept besides the way back that has failed; False if there is none.

        After it, `back(t - 1)` and so on must work.
        """
        return False

    def state_at(self, t: int) -> Snapshot | None:
        """The state at step t, if it is kept; asked for when another one came back."""
        return None

    def export(self) -> Snapshot:
        """What is kept, as named arrays, to be saved.

        Raises:
            NotImplementedError: this memory cannot be saved.
        """
        raise NotImplementedError(type(self).__name__)

    def load(self, arrays: Snapshot) -> None:
        """Put in place what `export` gave."""
        raise NotImplementedError(type(self).__name__)


class Adjoint(ABC):
    """A strategy for getting back the states of a run; pass it as `adjoint=...`.

    Attributes:
        exact: whether the gradient is exact.
        arithmetic: "lattice" or "floats": what `train` runs on with it.
        needs_retreat: whether the computation must be one that can be undone.
    """

    exact = True
    arithmetic = "lattice"
    needs_retreat = False

    @abstractmethod
    def memory(self, dynamics: Dynamics) -> Memory:
        """The memory of one run, which is at its first state."""

    def check(self, name: str, obstacle: str | None) -> None:
        """Refuse a computation that this strategy cannot work with.

        Args:
            name: the computation's name, such as the optimizer's.
            obstacle: why it cannot be run backwards exactly, or None.

        Raises:
            NotReversibleError: the strategy needs a way back that is not there.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
