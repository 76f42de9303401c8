"""A run taken apart: its forward pass and its sweep, with the state between them in reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd import Diagnostics
from retrograd.adjoints import Adjoint, Stored
from retrograd.optimizers import Optimizer
from retrograd.training.in_floats import FloatTraining
from retrograd.training.on_lattice import LatticeTraining
from retrograd.training.problem import problem_of
from retrograd.training.run import Run


class InFloats(Stored):
    """Every state, of training in floats."""

    arithmetic = "floats"


def make_run(
    loss: Any, w0: Any, hyper: Any, optimizer: Optimizer, steps: int, adjoint: Adjoint
) -> tuple[Run, list[Any]]:
    """A run as `train` makes it when a derivative is wanted, and its numbered inputs."""
    problem, inputs = problem_of(loss, w0, hyper, optimizer, steps)
    problem = type(problem)(
        **{
            **vars(problem),
            "traced": range(len(inputs) - len(problem.layout) - len(problem.tables)),
        }
    )
    kind = LatticeTraining if adjoint.arithmetic == "lattice" else FloatTraining
    return Run(kind(problem, differentiated=True), adjoint, Diagnostics()), inputs


def there_and_back(run: Run, inputs: list[Any]) -> list[Any]:
    """Run and sweep; the cotangents of all inputs."""
    trained = run.forward(*inputs)
    return run.sweep(range(len(inputs)), [np.cos(np.asarray(leaf, float)) for leaf in trained])
