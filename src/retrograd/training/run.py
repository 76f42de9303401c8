"""One run: the loop forwards, and the one sweep back over it, for every computation and adjoint."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from retrograd.adjoints import Adjoint, Snapshot
from retrograd.adjoints.named_arrays import joined, part_of
from retrograd.errors import (
    ArgumentError,
    LatticeOverflowError,
    NonFiniteError,
    RetrogradError,
    ReversalError,
)
from retrograd.training.diagnostics import Certificate, Diagnostics
from retrograd.training.inquiry import INPUTS_CHANGED, Inquiry
from retrograd.training.progress import Progress
from retrograd.training.saved import SavedRun, digest_of
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
        saved: where the run is saved, if it is.
        progress: whether to show how far it is; None leaves it to where it runs.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        adjoint: Adjoint,
        diagnostics: Diagnostics | None,
        saved: SavedRun | None = None,
        *,
        progress: bool | None = False,
    ) -> None:
        self.trajectory = trajectory
        self.adjoint = adjoint
        self.diagnostics = diagnostics
        self.saved = saved
        self.ahead = Progress(progress, f"{trajectory.name} forwards", trajectory.steps)
        self.way_back = Progress(progress, f"{trajectory.name} back", trajectory.steps, back=True)
        self.steps = trajectory.steps
        self.repairs: list[str] = []
        self.norms = array("d")
        self.swept = False

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        """Take all steps: the results of the last state."""
        started = perf_counter()
        trajectory = self.trajectory
        trajectory.values = [] if self.diagnostics is not None or self.saved is not None else None
        trajectory.start(inputs)
        if not trajectory.differentiated:
            with self.ahead as bar:
                for t in bar.over(range(self.steps)):
                    trajectory.advance(t)
        else:
            self._keep(inputs)
        if self.diagnostics is not None:
            self.diagnostics.begin(trajectory.values or [], perf_counter() - started)
        return trajectory.result()

    def _keep(self, inputs: Sequence[Any]) -> None:
        """All steps, keeping what the sweep will need; or what was kept of them before."""
        trajectory = self.trajectory
        self.inputs_mark = trajectory.checksum_of_inputs()
        self.marks: dict[int, int] = {}
        self.memory = self.adjoint.memory(trajectory)
        if not self.memory.retreats:
            trajectory.states = array("Q", [trajectory.fingerprint()])
        arrays = self.saved.open(inputs) if self.saved is not None else None
        if arrays is not None:
            self._load(arrays)
            return
        self._take_all()
        if self.saved is not None:
            self.saved.keep_forward(self._exported())

    def _take_all(self) -> None:
        trajectory = self.trajectory
        interval = self.saved.every if self.saved is not None else None
        interval = interval or -(-self.steps // _BETWEEN)
        with self.ahead as bar:
            for t in bar.over(range(self.steps)):
                if t % interval == 0:
                    self.marks[t] = trajectory.fingerprint()
                self.memory.enter(t)
                trajectory.advance(t)
        self.marks[self.steps] = trajectory.fingerprint()
        self.memory.finish()
        self.bytes_kept, self.tape_bits = self.memory.nbytes, self.memory.tape_bits
        self.bytes_peak = self.bytes_kept

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
        self._compare_last()
        self.norms = array("d", [self._last_norm()])
        purpose = "" if self.saved is None else self._purpose(wanted, cotangents)
        come_to = self._come_to(purpose)
        with self.way_back:
            for low, high in self._stretches():
                if high <= come_to:
                    self._back_over(low, high)
                    self._save(low, purpose)
        self._check_end()
        found = self.trajectory.found()
        if self.saved is not None:
            self.saved.finish()
        if self.diagnostics is not None:
            self.diagnostics.end(self.norms[:0:-1], perf_counter() - started, self._certificate())
        return found

    def _purpose(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> str:
        """A digest of what the sweep starts with."""
        given = [None if bar is None else digest_of(bar) for bar in cotangents]
        return digest_of(repr((list(wanted), given)))

    def _come_to(self, purpose: str) -> int:
        """Go to the place that an interrupted sweep has come to; its step, or the last one."""
        place = self.saved.place(purpose) if self.saved is not None else None
        if place is None:
            return self.steps
        t, arrays = place
        self._load(arrays)
        self.trajectory.import_adjoint(part_of(arrays, "adjoint"))
        self._compare(t)
        return t

    def _save(self, t: int, purpose: str) -> None:
        if self.saved is None or t == 0:
            return
        adjoint = joined({"adjoint": self.trajectory.export_adjoint()})
        self.saved.keep_place(t, purpose, {**self._exported(), **adjoint})

    def _exported(self) -> Snapshot:
        """The run at this moment, but for its adjoints, as named arrays."""
        try:
            kept = self.memory.export()
        except NotImplementedError:
            raise ArgumentError(
                f"saved: what {self.adjoint!r} keeps cannot be saved; use another adjoint, or "
                "leave saved=... out"
            ) from None
        counts = [self.inputs_mark, self.bytes_kept, self.tape_bits]
        parts: dict[str, Snapshot] = {
            "state": self.trajectory.snapshot(),
            "memory": kept,
            "notes": self.trajectory.export_notes(),
            "run": {
                "counts": np.array(counts, np.uint64),
                "marks": np.array(list(self.marks.items()), np.uint64),
                "norms": np.array(self.norms),
                "repairs": np.array([*self.repairs, *self.memory.repaired], np.str_),
            },
        }
        return joined(parts)

    def _load(self, arrays: Snapshot) -> None:
        """Become what `_exported` gave."""
        run = part_of(arrays, "run")
        self.inputs_mark, self.bytes_kept, self.tape_bits = run["counts"].tolist()
        self.bytes_peak = self.bytes_kept
        self.marks = {int(t): int(mark) for t, mark in run["marks"]}
        self.norms = array("d", run["norms"].tobytes())
        self.repairs = run["repairs"].tolist()
        self.trajectory.import_notes(part_of(arrays, "notes"))
        self.trajectory.restore(part_of(arrays, "state"))
        self.memory.load(part_of(arrays, "memory"))

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """The spans of steps between fingerprints, the last first."""
        return reversed(list(pairwise(sorted(self.marks))))

    def _back_over(self, low: int, high: int) -> None:
        """Go back from a state that is known to be right to the next one that can be compared."""
        saved = self.trajectory.export_adjoint() if self.memory.repairs else None
        try:
            self._back(low, high)
        except ReversalError as error:
            if saved is None or self._inputs_changed() or not self._repaired(high, saved):
                raise
            self.repairs.append(
                f"steps {low} to {high} were gone back over again from a checkpoint: {error}"
            )
            self._back(low, high)
        self.memory.verified(low)

    def _repaired(self, high: int, saved: Snapshot) -> bool:
        """Go back to the start of a stretch, state and adjoint, if what is kept allows it."""
        try:
            if not self.memory.repair(high) or self.trajectory.fingerprint() != self.marks[high]:
                return False
        except (RetrogradError, LookupError):  # the first error tells more
            return False
        self.trajectory.import_adjoint(saved)
        del self.norms[self.steps - high + 1 :]
        return True

    def _back(self, low: int, high: int) -> None:
        for t in self.way_back.over(reversed(range(low, high))):
            whole = False
            try:
                self.memory.back(t)
                whole = True
                if self.memory.returns:
                    self.trajectory.meet(t)
                self.bytes_peak = max(self.bytes_peak, self.memory.nbytes)
                self.norms.append(self.trajectory.adjoint_norm(t))
            except ReversalError as error:
                raise self._missed(t, error) from error
            except Exception as error:
                if self._strayed(t, error, whole=whole):
                    raise self._missed(t, ReversalError(str(error))) from error
                raise
        self._compare(low)

    def _strayed(self, t: int, error: Exception, *, whole: bool) -> bool:
        """Whether an error of the sweep comes from what the forward run did not meet."""
        if self._inputs_changed():
            return True
        strange = NonFiniteError | LatticeOverflowError | LookupError
        if not self.memory.returns or not isinstance(error, strange):
            return False
        return not whole or (t in self.marks and self.trajectory.fingerprint() != self.marks[t])

    def _last_norm(self) -> float:
        try:
            return self.trajectory.adjoint_norm(self.steps)
        except NonFiniteError as error:
            if self._inputs_changed():
                raise ReversalError(INPUTS_CHANGED) from error
            raise

    def _compare_last(self) -> None:
        try:
            self.trajectory.meet(self.steps)
        except ReversalError as error:
            raise self._missed(self.steps, error) from error
        self._compare(self.steps)

    def _compare(self, t: int) -> None:
        if not self.memory.returns and t < self.steps:
            return
        if self.trajectory.fingerprint() != self.marks.get(t):
            raise self._missed(t, ReversalError("its fingerprint differs", t))

    def _inputs_changed(self) -> bool:
        return self.trajectory.checksum_of_inputs() != self.inputs_mark

    def _check_end(self) -> None:
        if self._inputs_changed():
            raise ReversalError(INPUTS_CHANGED)
        self.memory.check_used_up()

    def _missed(self, t: int, noticed: ReversalError) -> ReversalError:
        later = [s for s in self.marks if s > t]
        known = f"the state at step {min(later)} was right" if later else ""
        return Inquiry(self.trajectory, self.memory, self.inputs_mark).error(t, noticed, known)

    def _certificate(self) -> Certificate:
        trajectory = self.trajectory
        last, first = self.norms[0], self.norms[-1]
        growth = first / last if last > 0 else math.nan
        return Certificate(
            steps=self.steps,
            adjoint=self.memory.strategy or repr(self.adjoint),
            exact=self.memory.returns,
            hashes={t: mark for t, mark in self.marks.items() if self.memory.returns},
            hashes_compared=len(self.marks if trajectory.states is None else trajectory.states),
            bytes_kept=self.bytes_kept,
            bytes_peak=self.bytes_peak,
            bytes_trajectory=trajectory.state_nbytes * self.steps,
            bits_per_element_step=self.tape_bits / (trajectory.elements * self.steps),
            growth=growth,
            growth_by_step=[norm / last if last > 0 else math.nan for norm in self.norms[:0:-1]],
            repairs=(*self.repairs, *self.memory.repaired),
            notes=trajectory.library_notes,
        )
