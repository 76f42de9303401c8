"""A problem whose derivatives are written out: thousands of short runs in a minute.

The loss is a sum over elements of hyper * cos(w + step).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from runs import make_run

from retrograd import tree
from retrograd.adjoints import Adjoint
from retrograd.backends import NumpyBackend
from retrograd.optimizers import Optimizer
from retrograd.training.run import Run


def weights(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=(2, 2)), "b": rng.normal(size=1)}


def hyper(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 100)
    return {"a": rng.uniform(0.5, 1.5, (2, 2)), "b": rng.uniform(0.5, 1.5, 1)}


# Of any type, because its verbs are static, and those below are not.
Base: Any = NumpyBackend


class WrittenOut(Base):
    """The derivatives of the loss by formula.

    Attributes:
        before: changes the step that a call works with.
        after: changes the gradient that a call returns, as leaves.
    """

    before: Callable[[int], int] = staticmethod(lambda step: step)
    after: Callable[[list[Any]], list[Any]] = staticmethod(lambda leaves: leaves)

    def value_and_gradient(self, loss: Any, w: Any, hyper: Any, step: int) -> tuple[Any, Any]:
        step = self.before(step)
        h, w = tree.leaves(hyper), tree.leaves(w)
        value = sum(float(np.sum(a * np.cos(x + step))) for a, x in zip(h, w, strict=True))
        return value, self._gradient(h, w, step)

    def gradient_along(
        self, loss: Any, w: Any, active: Sequence[Any], rebuild: Any, step: int, direction: Any
    ) -> tuple[Any, Any, list[Any]]:
        gradient, along = self.linearized_gradient(loss, w, active, rebuild, step)
        return gradient, *along(direction)

    def linearized_gradient(
        self, loss: Any, w: Any, active: Sequence[Any], rebuild: Any, step: int
    ) -> tuple[Any, Any]:
        step = self.before(step)
        h, x = tree.leaves(rebuild(active)), tree.leaves(w)

        def along(direction: Any) -> tuple[Any, list[Any]]:
            d = tree.leaves(direction)
            second = [-a * np.cos(y + step) * v for a, y, v in zip(h, x, d, strict=True)]
            mixed = [-np.sin(y + step) * v for y, v in zip(x, d, strict=True)]
            return second, mixed if active else []

        return self._gradient(h, x, step), along

    def _gradient(self, h: Sequence[Any], w: Sequence[Any], step: int) -> list[Any]:
        return self.after([-a * np.sin(x + step) for a, x in zip(h, w, strict=True)])


def quick_run(
    optimizer: Optimizer, adjoint: Adjoint, steps: int, seed: int = 0
) -> tuple[Run, list[Any], WrittenOut]:
    """A run, its inputs, and the backend that it works with."""
    backend = WrittenOut()
    run, inputs = make_run(
        lambda w, hyper, step: 0.0, weights(seed), hyper(seed), optimizer, steps, adjoint
    )
    problem: Any = run.trajectory
    problem.backend = backend
    return run, [np.array(x) for x in inputs], backend
