"""Go back over the last steps only: an approximation where there are more."""

from __future__ import annotations

from collections import deque

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.named_arrays import Marked, joined_states, parted_states
from retrograd.counts import check_count
from retrograd.errors import ReversalError

__all__ = ["Truncated"]


class Truncated(Adjoint):
    """Keep the states of the last steps, and take the state before them for a constant.

    What enters before the last `steps` steps (the first state, and the hyperparameters of earlier
    steps) has the derivative zero then. **The gradient is approximate**, and the certificate says
    so, unless the run has no more steps than that: then it is that of `Stored`. With one step, and
    an update of the hyperparameters after every step, it is T1-T2.

    Args:
        steps: how many steps, at least 1.

    Raises:
        ArgumentError: `steps` is no whole number of at least 1.

    Example:
        >>> Truncated(10), Truncated(10).exact
        (Truncated(steps=10), False)

    References:
        Williams & Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent
        Network Trajectories", Neural Computation 2 (1990).
        Luketina, Berglund, Greff & Raiko, "Scalable Gradient-Based Tuning of Continuous
        Regularization Hyperparameters", ICML 2016 (one step).
    """

    exact = False

    def __init__(self, steps: int) -> None:
        self.steps = check_count("steps", steps, caller="Truncated")

    def memory(self, dynamics: Dynamics) -> Memory:
        dynamics.recording = False
        return _LastStates(dynamics, self.steps)

    def __repr__(self) -> str:
        return f"Truncated(steps={self.steps})"


class _LastStates(Memory):
    """The snapshots of the last states, with their fingerprints, used up from the last.

    Args:
        dynamics: at its first state.
        count: how many.
    """

    def __init__(self, dynamics: Dynamics, count: int) -> None:
        super().__init__(dynamics)
        self.start = max(0, dynamics.steps - count)
        self.returns = self.start == 0
        self.states: deque[Marked] = deque()

    def enter(self, t: int) -> None:
        if t >= self.start:
            self.states.append((self.dynamics.snapshot(), self.dynamics.fingerprint()))

    def back(self, t: int) -> None:
        if t < self.start:
            return
        if len(self.states) != t - self.start + 1:
            raise ReversalError(
                f"the sweep asks for the state at step {t}, but {len(self.states)} states are kept "
                f"from step {self.start} on"
            )
        state, mark = self.states.pop()
        self.dynamics.return_to(state, mark, t)
        self.dynamics.pull(t)
        if t == self.start > 0:
            self.dynamics.cut()

    @property
    def nbytes(self) -> int:
        return sum(bytes_of(state) for state, _ in self.states)

    def export(self) -> Snapshot:
        return joined_states(dict(enumerate(self.states, self.start)))

    def load(self, arrays: Snapshot) -> None:
        self.states = deque(parted_states(arrays).values())

    def check_used_up(self) -> None:
        if self.states:
            raise ReversalError(f"{len(self.states)} stored states are left at step 0")
