"""Training on the lattice: a trajectory of integers, which can be undone bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Snapshot, bytes_of
from retrograd.errors import LatticeOverflowError, NonFiniteError, ReversalError
from retrograd.training.factors import factors_of
from retrograd.training.gradients import Push, Pushed
from retrograd.training.state import State
from retrograd.training.step import Step
from retrograd.training.tape_size import tape_nbytes_after
from retrograd.training.training import Training

__all__ = ["LatticeTraining"]

Floats = NDArray[np.float64]


class LatticeTraining(Training):
    """A training run on integers. Its trajectory does not depend on the adjoint."""

    arithmetic = "lattice"

    def to_first(self) -> None:
        self.factors = factors_of(self.program, self.rows, self.steps, self.layout)
        self.state = State(self.layout, self.optimizer, self.factors)
        self.state.set("weights", self.first)
        for slot in self.program.starts:
            self.state.set(slot, self.first)

    def result(self) -> tuple[NDArray[Any], ...]:
        return tuple(self.state.leaves(self.program.result, self.dtypes))

    def advance(self, t: int) -> None:
        gradient = self.gradient_at(self._weights(), t)
        try:
            self._step(t).forward(gradient)
        except NonFiniteError:
            clearer = self.blame(gradient, t)
            if clearer is None:
                raise
            raise clearer from None
        self.meet(t + 1)

    def retreat(self, t: int) -> None:
        results = self.results
        push: Any = None
        pushed: Any = None

        def ask(direction: Floats | None) -> NDArray[Any]:
            nonlocal push, pushed
            if direction is None:
                gradient, push = self.gradients.linearized(self._weights(), t, results.active)
            else:
                gradient, pushed = self.gradients.along(
                    self._weights(), t, results.active, direction
                )
            return gradient

        try:
            self._step(t).backward(
                results.bars, ask, results.names, lambda name, bar: results.note(name, t, bar)
            )
        except (LatticeOverflowError, NonFiniteError) as error:
            # The forward run had no such trouble, so this is not its state.
            raise ReversalError(str(error)) from error
        if push is not None:
            pushed = self._pushed(push)
        if pushed is not None:
            self.carry(*pushed)

    def pull(self, t: int) -> None:
        results, recording = self.results, self.recording
        gradient, push = self.gradients.linearized(self._weights(), t, results.active)
        self.recording = True
        try:
            self._step(t).pull(
                gradient,
                results.bars,
                lambda: self.meet(t + 1),
                results.names,
                lambda name, bar: results.note(name, t, bar),
            )
        finally:
            self.recording = recording
        self.carry(*self._pushed(push))

    def _pushed(self, push: Push) -> Pushed:
        """What comes through the gradient from its adjoint, which is zero again then."""
        bar = self.results.bars["gradient"]
        found = push(bar)
        bar.fill(0.0)
        return found

    def snapshot(self) -> Snapshot:
        return self.state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        self.state.restore(snapshot)

    def between(self, first: Snapshot, last: Snapshot, t: int) -> Snapshot:
        counts = {slot: t * len(factors.decays) for slot, factors in self.factors.items()}
        return self.state.between(first, last, t / self.steps, counts)

    def fingerprint(self) -> int:
        return self.state.fingerprint()

    @property
    def recording(self) -> bool:
        return self.state.recording

    @recording.setter
    def recording(self, keep: bool) -> None:
        self.state.recording = keep

    @property
    def tape_nbytes(self) -> int:
        return self.state.tape_nbytes

    @property
    def tape_bits(self) -> int:
        return self.state.tape_bits

    def tape_is_empty(self) -> bool:
        return self.state.tape_is_empty()

    def export_tape(self) -> Snapshot:
        return self.state.export_tape()

    def import_tape(self, arrays: Snapshot) -> None:
        self.state.import_tape(arrays)

    @property
    def state_nbytes(self) -> int:
        return bytes_of(self.state.snapshot())

    def tape_nbytes_after(self, steps: int) -> int | None:
        if self.obstacle is not None or self.state.losses:
            return None
        words = {slot: lattice.words for slot, lattice in self.state.lattices.items()}
        return tape_nbytes_after(steps, self.factors, self.layout, words)

    def cause(self, t: int) -> str:
        return self.gradients.cause(self._weights(), t)

    def describe(self, right: Snapshot, *, whole: bool) -> str:
        where = self.differences(self.state.slots, right, whole=whole)
        if where or not whole:
            return where
        digits = {slot: buffer.digits for slot, buffer in self.state.buffers.items()}
        kept = {slot: right[f"{slot}/digits"] for slot in digits}
        return self.differences(digits, kept, what="the digits of slot")

    def _weights(self) -> Any:
        return self.gradients.tree(self.state.value_in("weights", self.gradients.dtype))

    def _step(self, t: int) -> Step:
        return Step(t, self.program, self.state, self.rows(t))
