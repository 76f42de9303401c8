"""What a run asks of a computation besides the verbs that adjoint strategies use."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from retrograd.adjoints import Dynamics, Snapshot

__all__ = ["Trajectory"]


class Trajectory(Dynamics):
    """A computation in steps with inputs and results, and adjoints of them.

    Inputs are numbered arrays. A run calls `start`, steps, and takes the `result`; a sweep calls
    `begin`, goes back, and takes what was `found`.

    Attributes:
        name: for messages.
        differentiated: whether a sweep will follow the forward run.
        values: the loss at each step, where there is one, if they are asked for; else None.
    """

    name: str
    differentiated: bool
    values: list[float] | None = None

    @abstractmethod
    def start(self, inputs: Sequence[Any]) -> None:
        """Go to the first state."""

    @abstractmethod
    def result(self) -> tuple[Any, ...]:
        """The results, of the state at hand."""

    @abstractmethod
    def begin(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> None:
        """Start the adjoints: of the last state from the results', of the inputs at zero.

        Args:
            wanted: the numbers of the inputs whose adjoints are asked for.
            cotangents: one per result; None is zero.
        """

    @abstractmethod
    def found(self) -> list[Any]:
        """The adjoints of the wanted inputs, when the sweep is back at the first state.

        Raises:
            NonFiniteError: one of them is NaN or infinite.
        """

    @abstractmethod
    def adjoint_norm(self, t: int) -> float:
        """The norm of the adjoint of the state (of the weights, in training) at step t.

        Raises:
            NonFiniteError: it is NaN or infinite.
        """

    @abstractmethod
    def export_adjoint(self) -> Snapshot:
        """A copy of all adjoints, as named arrays."""

    @abstractmethod
    def import_adjoint(self, arrays: Snapshot) -> None:
        """Put a copy of all adjoints in place."""

    @abstractmethod
    def checksum_of_inputs(self) -> int:
        """64 bits of everything that enters besides the state: it must stay what it is."""

    @abstractmethod
    def cause(self, t: int) -> str:
        """The likely cause of a state at step t that did not come back."""

    @abstractmethod
    def describe(self, right: Snapshot) -> str:
        """Where, and in how many bits, the state at hand differs from the right one."""

    @property
    @abstractmethod
    def elements(self) -> int:
        """The elements of the state whose trajectory is asked for: of the weights, in training."""

    @property
    @abstractmethod
    def state_nbytes(self) -> int:
        """The bytes of one snapshot."""

    def tape_nbytes_after(self, steps: int) -> int | None:
        """The bytes that the tape of so many steps is expected to take; None if there is none."""
        return None
