"""One run: the loop forwards, and the one sweep back over it, for every computation and adjoint."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

from retrograd.adjoints import Adjoint, Snapshot
from retrograd.errors import NonFiniteError, ReversalError
from retrograd.training.diagnostics import Certificate, Diagnostics
from retrograd.training.trajectory import Trajectory

__all__ = ["Run"]

# How many states are fingerprinted between the first and the last.
_BETWEEN = 16


class Run:
    """A run; `forward` and then, if a derivative is wanted, `sweep`.

    Args:
        trajectory: the computation.
        adjoint: how the sweep gets the states back.
        diagnostics: filled in, if given.
    """

    def __init__(
        self, trajectory: Trajectory, adjoint: Adjoint, diagnostics: Diagnostics | None
    ) -> None:
        self.trajectory = trajectory
        self.adjoint = adjoint
        self.diagnostics = diagnostics
        self.steps = trajectory.steps
        self.repairs: list[str] = []
        self.swept = False

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        """Take all steps: the results of the last state."""
        started = perf_counter()
        trajectory = self.trajectory
        trajectory.values = [] if self.diagnostics is not None else None
        trajectory.start(inputs)
        if not trajectory.differentiated:
            for t in range(self.steps):
                trajectory.advance(t)
        else:
            self._keep()
        if self.diagnostics is not None:
            self.diagnostics.begin(trajectory.values or [], perf_counter() - started)
        return trajectory.result()

    def _keep(self) -> None:
        """All steps, keeping what the sweep will need."""
        trajectory = self.trajectory
        self.inputs_mark = trajectory.checksum_of_inputs()
        self.marks: dict[int, int] = {}
        self.memory = self.adjoint.memory(trajectory)
        interval = max(1, self.steps // _BETWEEN)
        for t in range(self.steps):
            if t % interval == 0:
                self.marks[t] = trajectory.fingerprint()
            self.memory.enter(t)
            trajectory.advance(t)
        self.marks[self.steps] = trajectory.fingerprint()
        self.memory.finish()
        self.bytes_kept, self.tape_bits = self.memory.nbytes, self.memory.tape_bits

    def sweep(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> list[Any]:
        """The cotangents of the inputs numbered `wanted`, given those of the results.

        Raises:
            ReversalError: a state on the way back is not that of the forward run.
            NonFiniteError: an adjoint is NaN or infinite.
        """
        started = perf_counter()
        if self.swept:
            raise ReversalError(
                "this run has been swept already, and a sweep uses up what the run kept: pull one "
                "cotangent per run, or call the function again"
            )
        self.swept = True
        self.trajectory.begin(wanted, cotangents)
        self._compare(self.steps)
        self.norms = array("d", [self.trajectory.adjoint_norm(self.steps)])
        for low, high in self._stretches():
            self._back_over(low, high)
        self._check_end()
        found = self.trajectory.found()
        if self.diagnostics is not None:
            self.diagnostics.end(self.norms[:0:-1], perf_counter() - started, self._certificate())
        return found

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """The spans of steps between fingerprints, the last first."""
        marked = sorted(self.marks)
        return reversed(list(zip(marked[:-1], marked[1:], strict=True)))

    def _back_over(self, low: int, high: int) -> None:
        """Go back from a state that is known to be right to the next one that can be compared."""
        saved = self.trajectory.export_adjoint() if self.memory.repairs else None
        try:
            self._back(low, high)
        except ReversalError as error:
            if saved is None or not self._repaired(high, saved):
                raise
            self.repairs.append(
                f"steps {low} to {high} were gone back over again from a checkpoint: {error}"
            )
            self._back(low, high)
        self.memory.verified(low)

    def _repaired(self, high: int, saved: Snapshot) -> bool:
        """Go back to the start of a stretch, state and adjoint, if what is kept allows it."""
        if not self.memory.repair(high) or self.trajectory.fingerprint() != self.marks[high]:
            return False
        self.trajectory.import_adjoint(saved)
        del self.norms[self.steps - high + 1 :]
        return True

    def _back(self, low: int, high: int) -> None:
        for t in reversed(range(low, high)):
            try:
                self.memory.back(t)
            except ReversalError as error:
                raise self._missed(t, str(error)) from error
            except (NonFiniteError, OverflowError) as error:
                if self.adjoint.exact:
                    self._compare(t)
                raise error
            self.norms.append(self.trajectory.adjoint_norm(t))
        self._compare(low)

    def _compare(self, t: int) -> None:
        if not self.memory.returns and t < self.steps:
            return
        if self.trajectory.fingerprint() != self.marks[t]:
            raise self._missed(t, "its fingerprint differs")

    def _check_end(self) -> None:
        if self.trajectory.checksum_of_inputs() != self.inputs_mark:
            raise ReversalError(
                "hyper or a hyperparameter of the optimizer was changed between the forward run "
                "and the end of the sweep: keep the arrays fixed until the derivative is taken"
            )
        self.memory.check_used_up()

    def _missed(self, t: int, how: str) -> ReversalError:
        later = [s for s in self.marks if s > t]
        right = f"; the state at step {min(later)} was right" if later else ""
        return ReversalError(
            f"the sweep did not return to the forward run's state at step {t} ({how}{right}): "
            f"{self.trajectory.cause(min(t, self.steps - 1))}"
        )

    def _certificate(self) -> Certificate:
        trajectory = self.trajectory
        last, first = self.norms[0], self.norms[-1]
        growth = first / last if last > 0 else float("nan")
        return Certificate(
            steps=self.steps,
            adjoint=repr(self.adjoint),
            exact=self.adjoint.exact,
            hashes={t: mark for t, mark in self.marks.items() if self.memory.returns},
            bytes_kept=self.bytes_kept,
            bytes_trajectory=trajectory.state_nbytes * self.steps,
            bits_per_element_step=self.tape_bits / (trajectory.elements * self.steps),
            growth=growth,
            repairs=tuple(self.repairs),
        )
