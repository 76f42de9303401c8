"""What training on the lattice and training in floats have in common: inputs, rows, adjoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Snapshot
from retrograd.errors import NonFiniteError
from retrograd.lattice import checksum
from retrograd.training.differences import differing
from retrograd.training.gradients import Gradients
from retrograd.training.problem import Problem
from retrograd.training.results import Results, norm_of
from retrograd.training.rows import Row
from retrograd.training.trajectory import Trajectory, arrays_of

__all__ = ["Training"]

Floats = NDArray[np.float64]


class Training(Trajectory):
    """A training run, whatever its arithmetic.

    The inputs are numbered: the leaves of the weights, then those of `hyper`, then the tables of
    the optimizer's hyperparameters.

    Args:
        problem: what is trained.
        differentiated: whether a sweep will follow.
    """

    def __init__(self, problem: Problem, *, differentiated: bool) -> None:
        self.problem = problem
        self.name = problem.optimizer.name
        self.steps = problem.steps
        self.layout = problem.layout
        self.backend = problem.backend
        self.optimizer = problem.optimizer
        self.program = problem.optimizer.program
        self.obstacle = self.program.obstacle()
        self.differentiated = differentiated
        self.checked = False

    def start(self, inputs: Sequence[Any]) -> None:
        problem, leaves = self.problem, len(self.layout)
        end = len(inputs) - len(problem.tables)
        weights = inputs[:leaves]
        host = [self.backend.to_host(leaf) for leaf in weights]
        self.dtypes = [leaf.dtype for leaf in host]
        # Copies: the caller may write to the arrays between the two passes.
        self.first = [np.array(leaf) for leaf in host]
        tables = (np.array(self.backend.to_host(x)) for x in inputs[end:])
        self.tables = dict(zip(problem.tables, tables, strict=True))
        self.constants = {
            name: Row(values[0], self.layout)
            for name, values in self.tables.items()
            if len(values) == 1
        }
        self.gradients = Gradients(
            problem.loss,
            self.backend,
            self.layout,
            problem.structure,
            problem.hyper_structure,
            inputs[leaves:end],
            self.dtypes,
            self.steps,
            watched=self.differentiated,
        )
        self.to_first()

    def begin(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> None:
        self.results = Results(
            wanted,
            self.layout,
            self.dtypes,
            self.gradients.hyper_leaves,
            self.tables,
            self.program.all_slots,
            self.backend,
        )
        bars = [None if bar is None else self.backend.to_host(bar) for bar in cotangents]
        self.results.add_to(self.program.result, bars)

    def found(self) -> list[Any]:
        for slot, source in self.program.starts.items():
            self.results.bars[source] += self.results.bars[slot]
        return self.results.of_wanted()

    @property
    def library_notes(self) -> tuple[str, ...]:
        return self.backend.notes

    @property
    def comparing(self) -> bool:
        return self.gradients.comparing

    @comparing.setter
    def comparing(self, compare: bool) -> None:
        self.gradients.comparing = compare

    def cut(self) -> None:
        for bar in self.results.bars.values():
            bar.fill(0.0)

    def adjoint_norm(self, t: int) -> float:
        norms = [norm_of(self.results.bars[slot], t) for slot in {"weights", self.program.result}]
        return math.hypot(*norms)

    def export_adjoint(self) -> Snapshot:
        return self.results.export()

    def import_adjoint(self, arrays: Snapshot) -> None:
        self.results.load(arrays)

    def export_notes(self) -> Snapshot:
        return {**super().export_notes(), "gradients": self.gradients.export_marks()}

    def import_notes(self, arrays: Snapshot) -> None:
        super().import_notes(arrays)
        self.gradients.import_marks(arrays["gradients"])

    def checksum_of_inputs(self) -> int:
        return checksum(*self.tables.values(), *arrays_of(self.gradients.hyper_leaves))

    @property
    def elements(self) -> int:
        return self.layout.size

    def rows(self, t: int) -> Mapping[str, Row]:
        """The hyperparameters of step t."""
        return {
            name: self.constants.get(name) or Row(values[t], self.layout)
            for name, values in self.tables.items()
        }

    def gradient_at(self, w: Any, t: int) -> NDArray[Any]:
        """The gradient of a forward step; at the first one, the preflight."""
        value, gradient = self.gradients.value_and_gradient(w, t)
        if self.values is not None and len(self.values) == t:
            self.values.append(value)
        if t == 0 and self.differentiated and not self.checked:
            gradient = self.gradients.preflight(w, gradient, self.problem.traced)
            self.checked = True
        return gradient

    def carry(self, along: Sequence[Any], mixed: Sequence[Any]) -> None:
        """Add to the adjoints what comes through the gradient: of the weights' leaves, of hyper."""
        self.gradients.packing.add(along, self.results.bars["weights"])
        self.results.note_hyper(mixed)

    def differences(
        self,
        slots: Mapping[str, NDArray[Any]],
        right: Snapshot,
        *,
        whole: bool = True,
        what: str = "slot",
    ) -> str:
        """Where slots (or the weights alone) differ from the right ones, in words."""
        names = slots if whole else [name for name in slots if name == "weights"]
        return "; ".join(
            f"{what} {name!r}: {differing(slots[name], right[name], self.layout)}"
            for name in names
            if checksum(slots[name]) != checksum(right[name])
        )

    def blame(self, gradient: NDArray[Any], t: int) -> NonFiniteError | None:
        """A clearer error than the lattice's where the gradient itself is not finite."""
        if np.isfinite(gradient).all():
            return None
        return NonFiniteError(
            f"the gradient is not finite at step {t}, "
            f"{self.layout.describe(int(np.argmin(np.isfinite(gradient))))}, though the loss "
            "is: look for a root, logarithm, quotient or norm at zero in the loss"
        )
