"""A small smooth problem on which optimizers and adjoints are tried out, with all its inputs.

Weights {"matrix": (3, 2), "vector": (3,)}, examples, weights of examples and a penalty as `hyper`,
and whatever hyperparameters the optimizer has. Inputs are numbered arrays, as a run takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Adjoint
from retrograd.autodiff import tree
from retrograd.backends import NumpyBackend
from retrograd.errors import ArgumentError
from retrograd.optimizers import Optimizer
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.in_floats import FloatTraining
from retrograd.training.iteration import Iteration
from retrograd.training.on_lattice import LatticeTraining
from retrograd.training.problem import problem_of
from retrograd.training.run import Run

__all__ = ["IterationTrial", "TrainingTrial", "Trial", "far"]

Array = NDArray[Any]


def loss(w: Any, hyper: Any, step: int) -> Any:
    """A tanh layer fitted to a moving target, with weighted examples and a penalty."""
    found = np.tanh(hyper["examples"] @ w["matrix"].T + w["vector"])
    missed = np.sum(found, axis=1) - np.cos(step + np.arange(4.0))
    penalty = np.sum(w["matrix"] ** 2) + np.sum(w["vector"] ** 2)
    return np.sum(hyper["importance"] * missed**2) / 4 + hyper["penalty"] * penalty


def _weights() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {"matrix": rng.normal(size=(3, 2)), "vector": rng.normal(size=3)}


def _hyper() -> dict[str, Array]:
    rng = np.random.default_rng(1)
    return {
        "examples": rng.normal(size=(4, 2)),
        "importance": rng.uniform(0.5, 1.5, 4),
        "penalty": np.array(0.25),
    }


class Trial:
    """A computation that can be run with any adjoint.

    Attributes:
        inputs: the arrays that it starts from.
        names: their names, for messages.
    """

    inputs: list[Array]
    names: list[str]

    def run(self, adjoint: Adjoint) -> Run:
        """A run, which has not started."""
        raise NotImplementedError

    def swept(self, adjoint: Adjoint) -> tuple[Run, list[Array]]:
        """A run after its sweep, and the adjoints of all inputs."""
        run = self.run(adjoint)
        return run, self.sweep(run, run.forward(*self.inputs))

    def sweep(self, run: Run, results: Sequence[Array]) -> list[Array]:
        """The adjoints of all inputs, from fixed ones of the results."""
        return run.sweep(range(len(self.inputs)), cotangents(results))


class TrainingTrial(Trial):
    """Training by an optimizer.

    Args:
        optimizer: with any hyperparameters.
        steps: how many steps.
    """

    def __init__(self, optimizer: Optimizer, steps: int = 6) -> None:
        problem, inputs = problem_of(loss, _weights(), _hyper(), optimizer, steps)
        self.problem = replace(problem, traced=range(len(_hyper())))
        self.inputs = [np.array(x, float) for x in inputs]
        named = [*tree.names(_weights()), *(f"hyper{name}" for name in tree.names(_hyper()))]
        self.names = [*named, *problem.tables]

    def run(self, adjoint: Adjoint) -> Run:
        """A run, which has not started."""
        kind = LatticeTraining if adjoint.arithmetic == "lattice" else FloatTraining
        return Run(kind(self.problem, differentiated=True), adjoint, Diagnostics())

    def admits(self, inputs: Sequence[Array]) -> bool:
        """Whether the hyperparameters among the inputs are in their domains."""
        tables = inputs[len(inputs) - len(self.problem.tables) :]
        try:
            for name, values in zip(self.problem.tables, tables, strict=True):
                self.problem.optimizer.check(name, values)
        except ArgumentError:
            return False
        return True

    def in_floats(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """The trained weights, by ordinary arithmetic."""
        training = FloatTraining(self.problem, differentiated=False)
        training.start(inputs)
        for t in range(training.steps):
            training.advance(t)
        return training.result()


class IterationTrial(Trial):
    """A map of two arrays, applied again and again.

    Args:
        steps: how many times.
    """

    def __init__(self, steps: int = 12) -> None:
        rng = np.random.default_rng(2)
        self.inputs = [rng.normal(size=3), rng.normal(size=(2, 2)), rng.normal(size=(3, 3)) / 3]
        self.names = ["x", "y", "params"]
        self.steps = steps

    def run(self, adjoint: Adjoint) -> Run:
        """A run, which has not started."""
        backend = NumpyBackend()
        iteration = Iteration(
            _map,
            backend,
            backend.flatten(tuple(self.inputs[:2]))[1],
            self.names[:2],
            backend.flatten(self.inputs[2])[1],
            self.steps,
            differentiated=True,
        )
        return Run(iteration, adjoint, Diagnostics())


def _map(x: Any, params: Any, t: int) -> Any:
    state, memory = x
    new = np.tanh(params @ state + np.sum(memory) * np.cos(t))
    return new, 0.9 * memory + 0.1 * new[0]


def cotangents(results: Sequence[Array]) -> list[Array]:
    """Fixed adjoints of results, none of them zero."""
    return [np.cos(1.0 + np.arange(x.size)).reshape(x.shape).astype(x.dtype) for x in results]


def far(found: Sequence[Array], expected: Sequence[Array], names: Sequence[str]) -> list[str]:
    """How far arrays are from what they should be, relative to their size: those above 1e-10."""
    apart = []
    for a, b, name in zip(found, expected, names, strict=True):
        a, b = np.asarray(a, float), np.asarray(b, float)
        size = max(float(np.abs(b).max()), 1e-300)
        distance = float(np.abs(a - b).max()) / size if a.any() or b.any() else 0.0
        if not distance <= 1e-10:
            apart.append(f"{name} ({distance:.1e})")
    return apart
