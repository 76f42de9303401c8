"""Training in ordinary floating point: the same programs, without the lattice and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from retrograd.backends import Backend
from retrograd.errors import DifferentiationError
from retrograd.optimizers import Optimizer
from retrograd.training.arguments import check_run
from retrograd.training.in_floats import FloatTraining
from retrograd.training.problem import problem_of

__all__ = ["train_in_floats"]


def train_in_floats(
    loss: Callable[[Any, Any, int], Any], w0: Any, hyper: Any, optimizer: Optimizer, steps: int
) -> Any:
    """Train as anybody would, in floats and not differentiably: what `train` is compared with.

    Arguments and result are those of `train`. The weights differ from `train`'s by what the
    lattice rounds away. They are float64 here; tensors of PyTorch, which does not multiply one
    dtype by another, keep theirs.

    Raises:
        ArgumentError: an argument has a wrong shape, type or value.
        DifferentiationError: an argument is a traced value.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - 1.0) ** 2)
        >>> arguments = loss, np.zeros(2), None, rg.Momentum(0.1, 0.9), 30
        >>> bool(np.allclose(rg.train_in_floats(*arguments), rg.train(*arguments), atol=1e-10))
        True
    """
    check_run(loss, optimizer, steps)
    problem, inputs = problem_of(loss, w0, hyper, optimizer, int(steps))
    if any(map(problem.backend.is_traced, inputs)):
        raise DifferentiationError(
            "train_in_floats cannot be differentiated: use train, or hand it plain values "
            "(retrograd.value_of)"
        )
    leaves = len(problem.layout)
    wide = [_widened(leaf, problem.backend) for leaf in inputs[:leaves]]
    training = FloatTraining(problem, differentiated=False)
    training.start([*wide, *inputs[leaves:]])
    for t in range(steps):
        training.advance(t)
    found = problem.backend.from_host(training.result())
    return problem.backend.unflatten(problem.structure, found)


def _widened(leaf: Any, backend: Backend) -> NDArray[Any]:
    """A leaf of the weights in the arithmetic of the run."""
    array = backend.to_host(leaf)
    return array.astype(float) if backend.promotes else array
