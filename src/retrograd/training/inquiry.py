"""What went wrong with a sweep that did not come back: where, in how many bits, and why."""

from __future__ import annotations

from dataclasses import dataclass

from retrograd.adjoints import Memory, Snapshot
from retrograd.errors import ReversalError
from retrograd.training.trajectory import Trajectory

__all__ = ["INPUTS_CHANGED", "Inquiry"]

# So many elements may be run forward again, elements times steps, to find the right state.
_SHORT = 1e7

INPUTS_CHANGED = (
    "hyper or a hyperparameter of the optimizer was written to in place between the forward run "
    "and the end of the sweep. Keep the arrays fixed until the derivative has been taken."
)
_DAMAGED = (
    "run again from its start, the computation goes the way that it went before, so the state, or "
    "what was kept of it, was written to by something else or is damaged (memory, disk). Run again."
)
_ONCE = (
    "the state there is right, and what is evaluated from it has its old bits again, so one "
    "evaluation went wrong: by a kernel that is not deterministic, another number of threads, or a "
    "fault of the machine. Fix the number of BLAS threads, and run again."
)


@dataclass
class Inquiry:
    """Finds out about a sweep that went wrong. It leaves the trajectory anywhere, without a tape.

    Args:
        trajectory: as it was when the error was noticed.
        memory: of the run.
        inputs_mark: the checksum of the inputs in the forward run.
    """

    trajectory: Trajectory
    memory: Memory
    inputs_mark: int

    def error(self, t: int, noticed: ReversalError, known: str) -> ReversalError:
        """The error to be raised.

        Args:
            t: the step that the sweep was to go back to.
            noticed: what was noticed; it says if the state at hand should be that of some step.
            known: what else is known, as a part of a sentence.
        """
        t = t if noticed.step is None else noticed.step
        wrong = self.trajectory.snapshot()
        right, repeats = self._right(t)
        where = ""
        if self._went_to(wrong) and right is not None and noticed.step is not None:
            where = self.trajectory.describe(right, whole=noticed.whole)
        return ReversalError(
            f"the sweep did not meet the forward run again at step {t} "
            f"({'; '.join(filter(None, [str(noticed), where, known]))}): "
            f"{self._cause(t, repeats=repeats, once=noticed.step is not None and not where)}",
            noticed.step,
            whole=noticed.whole,
        )

    def _went_to(self, state: Snapshot) -> bool:
        try:
            self.trajectory.restore(state)
        except ReversalError:  # it is too far from being a state of this run
            return False
        return True

    def _right(self, t: int) -> tuple[Snapshot | None, bool]:
        """The state of step t, if it can be had, and whether the run repeats itself, with step t.

        Exceptions of any kind are what a loss that has changed may raise.
        """
        trajectory = self.trajectory
        if trajectory.steps * trajectory.elements > _SHORT or t > trajectory.steps:
            return self.memory.state_at(t), False
        trajectory.recording = False
        try:
            trajectory.to_first()
            for s in range(t):
                trajectory.advance(s)
            right = trajectory.snapshot()
        except Exception:
            return self.memory.state_at(t), False
        try:
            if t < trajectory.steps:
                trajectory.advance(t)
        except Exception:
            return right, False
        return right, True

    def _cause(self, t: int, *, repeats: bool, once: bool) -> str:
        if self.trajectory.checksum_of_inputs() != self.inputs_mark:
            return INPUTS_CHANGED
        if not repeats:
            return self.trajectory.cause(min(t, self.trajectory.steps - 1))
        return _ONCE if once else _DAMAGED
