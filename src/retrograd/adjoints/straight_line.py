"""Keep two states, and take the way between them for a straight line: an approximation."""

from __future__ import annotations

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.named_arrays import joined_states, parted_states
from retrograd.errors import ReversalError

__all__ = ["StraightLine"]


class StraightLine(Adjoint):
    """DrMAD: the sweep visits the points of the straight line from the first state to the last.

    At step t of T it stands at (1 - t/T) x_0 + (t/T) x_T, in every slot of the optimizer (on the
    lattice: rounded onto it), and pulls the adjoint over a step taken from there. Two states are
    kept, whatever the number of steps. **The gradient is approximate**, and the certificate says
    so. It is exact where the run is straight, which is to say where nothing is to be learned about
    the steps in between; measure its bias before relying on it.

    What the loss gives at these points is no part of the run, so nothing is compared there: a loss
    that is not deterministic goes unnoticed after the first step.

    Example:
        >>> StraightLine(), StraightLine().exact
        (StraightLine(), False)

    References:
        Fu, Luo, Feng, Low & Chua, "DrMAD: Distilling Reverse-Mode Automatic Differentiation for
        Optimizing Hyperparameters of Deep Neural Networks", IJCAI 2016.
    """

    exact = False

    def memory(self, dynamics: Dynamics) -> Memory:
        dynamics.recording = False
        return _Ends(dynamics)


class _Ends(Memory):
    """The first state and the last, with their fingerprints."""

    returns = False

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__(dynamics)
        dynamics.comparing = True
        self.ends: dict[str, Snapshot] = {}
        self.marks: dict[str, int] = {}

    def enter(self, t: int) -> None:
        if t == 0:
            self._keep("first")

    def finish(self) -> None:
        self._keep("last")

    def back(self, t: int) -> None:
        dynamics = self.dynamics
        if t == dynamics.steps - 1:
            self._check_ends()
            dynamics.comparing = False
        state = dynamics.between(self.ends["first"], self.ends["last"], t)
        dynamics.restore(state)
        dynamics.pull(t)
        if t == 0:
            self.ends.clear()

    @property
    def nbytes(self) -> int:
        return sum(map(bytes_of, self.ends.values()))

    @property
    def tape_bits(self) -> int:
        return 0

    def check_used_up(self) -> None:
        if self.ends:
            raise ReversalError("the sweep ended before step 0")

    def export(self) -> Snapshot:
        return joined_states({end: (state, self.marks[end]) for end, state in self.ends.items()})

    def load(self, arrays: Snapshot) -> None:
        self.ends, self.marks = {}, {}
        self.dynamics.comparing = False
        for end, (state, mark) in parted_states(arrays).items():
            self.ends[end], self.marks[end] = state, mark

    def _keep(self, end: str) -> None:
        self.ends[end] = self.dynamics.snapshot()
        self.marks[end] = self.dynamics.fingerprint()

    def _check_ends(self) -> None:
        """Both ends must still be what they were."""
        for end, t in (("first", 0), ("last", self.dynamics.steps)):
            self.dynamics.return_to(self.ends[end], self.marks[end], t)
