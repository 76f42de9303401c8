"""The outer loop: move hyperparameters along hypergradients, one meta-step after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.counts import check_count
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.study.differentiation import differentiated
from retrograd.study.leaves import Container
from retrograd.study.meta_optimizers import State, meta_optimizer

__all__ = ["MetaStep", "descend"]


@dataclass(frozen=True)
class MetaStep:
    """One evaluation of the objective, and the hypergradient that the next move follows.

    Attributes:
        index: the number of the meta-step, from 0.
        hyper: the hyperparameters at which the objective was evaluated.
        value: the objective.
        aux: what the objective returned beside its value.
        hypergradient: shaped like `hyper`; None at the end, where only the result is evaluated.
        norm: Euclidean norm of the hypergradient, or None.
        cosine: of the angle to the hypergradient before, or None.
        state: the meta-optimizer's, before its move: named arrays, for a record. With them and
            `hyper` the study can be continued at this meta-step.
    """

    index: int
    hyper: Any
    value: float
    aux: Any
    hypergradient: Any
    norm: float | None
    cosine: float | None
    state: State = field(default_factory=dict, repr=False)


def descend(
    objective: Callable[[Any, int], tuple[Any, Any]],
    hyper: Any,
    optimizer: Any,
    meta_steps: int,
    *,
    first: int = 0,
    state: State | None = None,
) -> Iterator[MetaStep]:
    """Minimise an objective over its hyperparameters, and hand out every meta-step as it is done.

    Args:
        objective: `objective(hyper, index) -> (value, aux)`; the index of the meta-step lets it
            choose new seeds each time.
        hyper: where to start: a container of float arrays: of NumPy, of JAX, or tensors of
            PyTorch. The objective is differentiated by the library that they are of.
        optimizer: the meta-optimizer: one of retrograd's, with single numbers as hyperparameters,
            or one of optax. It computes in float64.
        meta_steps: how many moves the whole study makes, at least 1.
        first: to continue a study, the meta-step to continue at; `hyper` is then that of it.
        state: to continue a study, the `MetaStep.state` of that meta-step.

    Yields:
        The meta-steps from `first` on, each as it was before its move, and at the end the result:
        `meta_steps + 1` of them if `first` is 0.

    Raises:
        ArgumentError: `meta_steps` is no whole number of at least 1, `first` none from 0 to it,
            `hyper` holds no array, the meta-optimizer's hyperparameters are not single numbers in
            their domains, or `state` is that of another one.
        NonFiniteError: a hypergradient is NaN or infinite.

    Example:
        >>> from retrograd.optimizers import Adam
        >>> bowl = lambda hyper, index: ((hyper - 3.0) ** 2, None)
        >>> [round(float(step.hyper), 2) for step in descend(bowl, 1.0, Adam(rate=0.5), 4)]
        [1.0, 1.5, 1.99, 2.46, 2.9]
    """
    check_count("meta_steps", meta_steps)
    _check_first(first, meta_steps, state)
    moving = meta_optimizer(optimizer, hyper, first)
    if state is not None:
        moving.restore(state)
    container = Container(hyper)
    before: NDArray[np.float64] | None = None
    for index in range(first, meta_steps):
        at, kept = moving.hyper, moving.state()
        value, aux, hypergradient = differentiated(objective, at, index)
        leaves = container.host_leaves(hypergradient)
        flat = np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(float)
        if not np.all(np.isfinite(flat)):
            raise NonFiniteError(
                f"the hypergradient of meta-step {index} is not finite; lower the meta-rate or "
                "train for fewer steps"
            )
        norm, cosine = float(np.linalg.norm(flat)), _cosine(before, flat)
        yield MetaStep(index, at, float(value), aux, hypergradient, norm, cosine, kept)
        moving.move(hypergradient)
        before = flat
    value, aux = objective(moving.hyper, meta_steps)
    yield MetaStep(meta_steps, moving.hyper, float(value), aux, None, None, None, moving.state())


def _check_first(first: Any, meta_steps: int, state: State | None) -> None:
    check_count("first", first, least=0)
    if first > meta_steps:
        raise ArgumentError(
            f"first: {first} was given for a study of {meta_steps} meta-steps; give one of them"
        )
    if first and state is None:
        raise ArgumentError(
            f"state: None was given to continue at meta-step {first}; give the MetaStep.state of "
            "that meta-step, or first=0 to start anew"
        )


def _cosine(a: NDArray[np.float64] | None, b: NDArray[np.float64]) -> float | None:
    if a is None:
        return None
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else None
