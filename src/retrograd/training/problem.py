"""What is trained, and how: what `train` was called with, checked and flattened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retrograd.backends import Backend, backend_of
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer
from retrograd.training.arguments import layout_of, tables_of

__all__ = ["Problem", "problem_of"]


@dataclass(frozen=True)
class Problem:
    """What is trained, and how.

    Attributes:
        loss: `loss(w, hyper, step)`.
        optimizer: whose program is run.
        steps: how many steps.
        backend: the array library.
        layout: the layout of the weights.
        structure: the structure of the weights' container.
        hyper_structure: the structure of the container of `hyper`.
        tables: the names of the optimizer's hyperparameters, in order.
        traced: the numbers of the leaves of `hyper` that a derivative may be asked for.
    """

    loss: Callable[..., Any]
    optimizer: Optimizer
    steps: int
    backend: Backend
    layout: Layout
    structure: Any
    hyper_structure: Any
    tables: Sequence[str]
    traced: Sequence[int]


def problem_of(
    loss: Callable[[Any, Any, int], Any], w0: Any, hyper: Any, optimizer: Optimizer, steps: int
) -> tuple[Problem, list[Any]]:
    """What is trained, and the numbered inputs of the run, some of them traced.

    Args:
        loss: as in `train`.
        w0: as in `train`.
        hyper: as in `train`.
        optimizer: as in `train`.
        steps: as in `train`.
    """
    backend = backend_of(w0, hyper, *optimizer.hyperparameters().values())
    leaves, structure = backend.flatten(w0)
    layout = layout_of(leaves, backend.leaf_names(w0), backend)
    hyper_leaves, hyper_structure = backend.flatten(hyper)
    tables = tables_of(optimizer, layout, structure, steps, backend)
    problem = Problem(
        loss=loss,
        optimizer=optimizer,
        steps=steps,
        backend=backend,
        layout=layout,
        structure=structure,
        hyper_structure=hyper_structure,
        tables=tuple(tables),
        traced=[i for i, leaf in enumerate(hyper_leaves) if backend.is_traced(leaf)],
    )
    return problem, [*leaves, *hyper_leaves, *tables.values()]
