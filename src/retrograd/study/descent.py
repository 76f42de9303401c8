"""The outer loop: move hyperparameters along hypergradients, one meta-step after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.autodiff import tree, value_and_grad
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer

__all__ = ["MetaStep", "descend", "moves"]


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
    """

    index: int
    hyper: Any
    value: float
    aux: Any
    hypergradient: Any
    norm: float | None
    cosine: float | None


def descend(
    objective: Callable[[Any, int], tuple[Any, Any]],
    hyper: Any,
    optimizer: Optimizer,
    meta_steps: int,
) -> Iterator[MetaStep]:
    """Minimise an objective over its hyperparameters, and hand out every meta-step as it is done.

    Args:
        objective: `objective(hyper, index) -> (value, aux)`; the index of the meta-step lets it
            choose new seeds each time.
        hyper: where to start: a container of float arrays.
        optimizer: the meta-optimizer, with single numbers as hyperparameters.
        meta_steps: how many moves, at least 1.

    Yields:
        `meta_steps + 1` meta-steps: each as it was before its move, and the result at the end.

    Raises:
        ArgumentError: `meta_steps` is no whole number of at least 1, `hyper` holds no array, or
            the meta-optimizer's hyperparameters are not single numbers in their domains.
        NonFiniteError: a hypergradient is NaN or infinite.

    Example:
        >>> from retrograd.optimizers import Adam
        >>> bowl = lambda hyper, index: ((hyper - 3.0) ** 2, None)
        >>> [round(float(step.hyper), 2) for step in descend(bowl, 1.0, Adam(rate=0.5), 4)]
        [1.0, 1.5, 1.99, 2.46, 2.9]
    """
    check_count("meta_steps", meta_steps)
    differentiate = value_and_grad(objective, has_aux=True)
    path = moves(optimizer, hyper)
    hyper = next(path)
    before: NDArray[np.float64] | None = None
    for index in range(meta_steps):
        (value, aux), hypergradient = differentiate(hyper, index)
        flat = np.concatenate([np.ravel(leaf) for leaf in tree.leaves(hypergradient)])
        if not np.all(np.isfinite(flat)):
            raise NonFiniteError(
                f"the hypergradient of meta-step {index} is not finite; lower the meta-rate or "
                "train for fewer steps"
            )
        norm, cosine = float(np.linalg.norm(flat)), _cosine(before, flat)
        yield MetaStep(index, hyper, float(value), aux, hypergradient, norm, cosine)
        hyper, before = path.send(hypergradient), flat
    value, aux = objective(hyper, meta_steps)
    yield MetaStep(meta_steps, hyper, float(value), aux, None, None, None)


def moves(optimizer: Optimizer, hyper: Any) -> Generator[Any, Any, None]:
    """The hyperparameters on their way: send a hypergradient, and get where it leads.

    Args:
        optimizer: the meta-optimizer, with single numbers as hyperparameters.
        hyper: where to start: a container of float arrays.

    Yields:
        First `hyper`, then each place that the hypergradient sent leads to.

    Raises:
        ArgumentError: `hyper` holds no array, or the meta-optimizer's hyperparameters are not
            single numbers in their domains.
    """
    _check_optimizer(optimizer)
    leaves, structure = tree.flatten(hyper)
    if not leaves:
        raise ArgumentError("hyper: it holds no array; give the hyperparameters to learn")
    layout = Layout([np.shape(leaf) for leaf in leaves])
    slots = optimizer.start(_flat(layout, leaves))
    given = {"root": np.sqrt, "xp": np, "layout": layout}
    for index in count():
        parts = layout.split(slots[optimizer.program.result])
        hypergradient = yield tree.unflatten(structure, list(map(_like, parts, leaves)))
        flat = _flat(layout, tree.leaves(hypergradient))
        slots = optimizer.update(slots, flat, optimizer.hyperparameters(), index, given)


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer: {optimizer!r:.60} was given; give one of retrograd's, such as "
            "Adam(rate=0.04)"
        )
    for name, value in optimizer.hyperparameters().items():
        if not isinstance(value, int | float):
            raise ArgumentError(
                f"{name}: {value!r:.60} was given to the meta-optimizer; give a single number"
            )
        optimizer.check(name, np.asarray(value, float))


def _flat(layout: Layout, leaves: list[Any]) -> NDArray[np.float64]:
    return layout.join([np.asarray(leaf, float) for leaf in leaves], np.empty(layout.size))


def _like(part: NDArray[np.float64], leaf: Any) -> Any:
    """A part of the flat vector in the dtype of its leaf; a number for a number."""
    return part.astype(getattr(leaf, "dtype", float))[()]


def _cosine(a: NDArray[np.float64] | None, b: NDArray[np.float64]) -> float | None:
    if a is None:
        return None
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else None
