"""What a run asks of a computation besides the verbs that adjoint strategies use."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Dynamics, Snapshot
from retrograd.backends import host_array
from retrograd.errors import ReversalError

__all__ = ["Trajectory", "arrays_of"]


def arrays_of(leaves: Sequence[Any]) -> list[NDArray[Any]]:
    """The leaves that are numbers or text, as arrays; of other objects no bits can be compared."""
    plain = complex | float | int | str | bytes
    known = [host_array(x) for x in leaves if hasattr(x, "dtype") or isinstance(x, plain)]
    return [array for array in known if not array.dtype.hasobject]


class Trajectory(Dynamics):
    """A computation in steps with inputs and results, and adjoints of them.

    Inputs are numbered arrays. A run calls `start`, steps, and takes the `result`; a sweep calls
    `begin`, goes back, and takes what was `found`.

    Attributes:
        name: for messages.
        differentiated: whether a sweep will follow the forward run.
        values: the loss at each step, where there is one, if they are asked for; else None.
        states: the fingerprints of the states so far, from the first one, if every state is to be
            compared with that of the forward run; else None.
    """

    name: str
    differentiated: bool
    values: list[float] | None = None
    states: array[int] | None = None

    def meet(self, t: int, mark: int | None = None) -> None:
        """Note the fingerprint of the state at step t, or compare it with what was noted.

        Args:
            t: the step.
            mark: the fingerprint; that of the state at hand by default.

        Raises:
            ReversalError: it is another one.
        """
        if self.states is None:
            return
        at_hand = t if mark is None else None
        mark = self.fingerprint() if mark is None else mark
        if t == len(self.states):
            self.states.append(mark)
        elif self.comparing and self.states[t : t + 1] != array("Q", [mark]):
            raise ReversalError(
                f"the state at step {t} has other bits than in the forward run", at_hand
            )

    def noted(self, t: int) -> int | None:
        """The fingerprint of x_t in the forward run, where every state is compared with it."""
        if self.states is None or not self.comparing or t >= len(self.states):
            return None
        return self.states[t]

    @property
    def library_notes(self) -> tuple[str, ...]:
        """What the array library could not promise for this computation."""
        return ()

    @abstractmethod
    def start(self, inputs: Sequence[Any]) -> None:
        """Go to the first state."""

    @abstractmethod
    def to_first(self) -> None:
        """Go to the first state again."""

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
        """The norm of the adjoint of the state at step t: in training, of the weights.

        Where training returns another slot, such as an average of the weights, that of the slot
        counts too.

        Raises:
            NonFiniteError: it is NaN or infinite.
        """

    @abstractmethod
    def export_adjoint(self) -> Snapshot:
        """A copy of all adjoints, as named arrays."""

    @abstractmethod
    def import_adjoint(self, arrays: Snapshot) -> None:
        """Put a copy of all adjoints in place."""

    def export_notes(self) -> Snapshot:
        """What the forward run noted besides its states, as named arrays."""
        states = self.states if self.states is not None else array("Q")
        return {"states": np.array(states, np.uint64), "values": np.array(self.values or (), float)}

    def import_notes(self, arrays: Snapshot) -> None:
        """Put in place what `export_notes` gave."""
        if self.states is not None:
            self.states = array("Q", arrays["states"].tobytes())
        if self.values is not None:
            self.values = arrays["values"].tolist()

    @abstractmethod
    def checksum_of_inputs(self) -> int:
        """64 bits of everything that enters besides the state: it must stay what it is."""

    @abstractmethod
    def cause(self, t: int) -> str:
        """The likely cause of a state at step t that did not come back."""

    @abstractmethod
    def describe(self, right: Snapshot, *, whole: bool) -> str:
        """Where, and in how many bits, the state at hand differs from the right one.

        Args:
            right: a state.
            whole: False looks at the position alone (the weights, in training).

        Returns:
            A part of a sentence; empty where nothing can be said.
        """

    @property
    @abstractmethod
    def elements(self) -> int:
        """The elements of the state whose trajectory is asked for: of the weights, in training."""
