"""Run the training backwards exactly: keep only the bits that multiplications lose."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.named_arrays import joined, part_of, parted
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, NotReversibleError, ReversalError

__all__ = ["Reversible"]


class Reversible(Adjoint):
    """Exact reversal: keep log2(1/factor) bits per element and step of each decayed slot.

    Using it raises `NotReversibleError` for an optimizer whose position moves by the gradient
    directly, and `ReversalError` when the sweep does not return to the states of the forward run.

    Args:
        checkpoints: 0 keeps the tape of the whole run. A number k keeps k states instead, spread
            evenly, and makes the tape of one segment at a time in the sweep, by one more forward
            run in all. The tape is then k times shorter; it pays for very long runs, where the
            tape outgrows the states. A segment that does not come back is repaired once from its
            checkpoint, and the certificate says so.

        bits: in JAX, within `jax.jit`, memory for the tape is set aside before the factors of the
            decays are known. It has room for so many bits per element and step of each slot, which
            is log2(1 / factor) on average; the run fails with an error if that is too little.
            Everywhere else the tape has the length that it needs.

    Raises:
        ArgumentError: `checkpoints` is no whole number of at least 0, or `bits` is not above 0.

    References:
        Maclaurin, Duvenaud & Adams, "Gradient-based Hyperparameter Optimization through
        Reversible Learning", ICML 2015, section 2.
    """

    needs_retreat = True

    def __init__(self, checkpoints: int = 0, *, bits: float = 0.25) -> None:
        self.checkpoints = check_count("checkpoints", checkpoints, 0, caller="Reversible")
        if not bits > 0:
            raise ArgumentError(f"Reversible: bits={bits!r} was given; give a number above 0")
        self.bits = float(bits)

    def check(self, name: str, obstacle: str | None) -> None:
        if obstacle is not None:
            raise NotReversibleError(
                f"{name} cannot be run backwards exactly: {obstacle}. Use another adjoint, such as "
                "Checkpointed()"
            )

    def memory(self, dynamics: Dynamics) -> Memory:
        if self.checkpoints:
            return _Segments(dynamics, self.checkpoints)
        return _Tape(dynamics)

    def __repr__(self) -> str:
        return f"Reversible(checkpoints={self.checkpoints})" if self.checkpoints else "Reversible()"


class _Tape(Memory):
    """The tape of the whole run."""

    retreats = True

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__(dynamics)
        dynamics.recording = True

    def enter(self, t: int) -> None:
        """Nothing is kept of the state itself."""

    def back(self, t: int) -> None:
        self.dynamics.retreat(t)

    @property
    def nbytes(self) -> int:
        return self.dynamics.tape_nbytes

    @property
    def tape_bits(self) -> int:
        return self.dynamics.tape_bits

    def check_used_up(self) -> None:
        if not self.dynamics.tape_is_empty():
            raise ReversalError(
                "the sweep came back to step 0, but the tape was not used up exactly"
            )

    def export(self) -> Snapshot:
        return self.dynamics.export_tape()

    def load(self, arrays: Snapshot) -> None:
        self.dynamics.import_tape(arrays)


class _Segments(Memory):
    """A few states, and the tape of the segment that the sweep is in.

    Attributes:
        starts: where the segments begin.
        kept: the states there.
        marks: their fingerprints, and that of the last state.
        reach: the step that the tape at hand leads back from, or None.
    """

    retreats = True
    repairs = True

    def __init__(self, dynamics: Dynamics, count: int) -> None:
        super().__init__(dynamics)
        count = min(count, dynamics.steps)
        self.starts = [i * dynamics.steps // count for i in range(count)]
        self.kept: dict[int, Snapshot] = {}
        self.marks: dict[int, int] = {}
        self.reach: int | None = None
        dynamics.recording = False

    def enter(self, t: int) -> None:
        if t in self.starts:
            self.kept[t] = self.dynamics.snapshot()
            self.marks[t] = self.dynamics.fingerprint()

    def finish(self) -> None:
        self.marks[self.dynamics.steps] = self.dynamics.fingerprint()

    def back(self, t: int) -> None:
        start = self._start_of(t)
        if self.reach != t + 1:
            self._record(start, t + 1)
        self.dynamics.retreat(t)
        self.reach = t
        if t == start:
            self._check_tape(start)
            self.reach = None

    def verified(self, t: int) -> None:
        for start in [start for start in self.kept if start >= t > 0]:
            del self.kept[start]

    def repair(self, t: int) -> bool:
        self._record(self._start_of(t - 1), t)
        return True

    def state_at(self, t: int) -> Snapshot | None:
        return self.kept.get(t)

    def _start_of(self, t: int) -> int:
        return self.starts[bisect_right(self.starts, t) - 1]

    def _record(self, start: int, stop: int) -> None:
        """Run from a checkpoint again, with the tape."""
        dynamics = self.dynamics
        dynamics.recording = False
        dynamics.return_to(self.kept[start], self.marks[start], start)
        dynamics.recording = True
        for t in range(start, stop):
            dynamics.advance(t)
        if stop in self.marks and dynamics.fingerprint() != self.marks[stop]:
            raise ReversalError(
                f"run again from the checkpoint at step {start}, the state at step {stop} differs",
                stop,
            )
        self.reach = stop

    def _check_tape(self, start: int) -> None:
        if not self.dynamics.tape_is_empty():
            raise ReversalError(
                f"the sweep came back to the checkpoint at step {start}, but the tape was not used "
                "up exactly"
            )
        if self.dynamics.fingerprint() != self.marks[start]:
            raise ReversalError(
                f"the sweep did not come back to the checkpoint at step {start}", start
            )

    @property
    def nbytes(self) -> int:
        return sum(map(bytes_of, self.kept.values())) + self.dynamics.tape_nbytes

    @property
    def tape_bits(self) -> int:
        return self.dynamics.tape_bits

    def check_used_up(self) -> None:
        if self.reach is not None:
            raise ReversalError("the sweep came back to step 0 with a tape left")

    def export(self) -> Snapshot:
        marks = np.array(list(self.marks.items()), np.uint64)
        return {**joined({"kept": joined(self.kept)}), "marks": marks}

    def load(self, arrays: Snapshot) -> None:
        self.kept = {int(t): state for t, state in parted(part_of(arrays, "kept")).items()}
        self.marks = {int(t): int(mark) for t, mark in arrays["marks"]}
        self.reach = None
