"""A run taken apart: its forward pass and its sweep, with the state between them in reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd import Diagnostics
from retrograd.adjoints import Adjoint
from retrograd.backends import NumpyBackend
from retrograd.optimizers import Optimizer
from retrograd.training.arguments import layout_of, tables_of
from retrograd.training.run import Run


def make_run(
    loss: Any, w0: Any, hyper: Any, optimizer: Optimizer, steps: int, adjoint: Adjoint
) -> tuple[Run, list[Any]]:
    """A run as `train` makes it when a derivative is wanted, and its numbered inputs."""
    backend = NumpyBackend()
    leaves, structure = backend.flatten(w0)
    layout = layout_of(leaves, backend.leaf_names(w0))
    hyper_leaves, hyper_structure = backend.flatten(hyper)
    tables = tables_of(optimizer, layout, structure, steps, backend)
    run = Run(
        loss=loss,
        optimizer=optimizer,
        steps=steps,
        adjoint=adjoint,
        backend=backend,
        layout=layout,
        structure=structure,
        hyper_structure=hyper_structure,
        tables=tuple(tables),
        diagnostics=Diagnostics(),
        traced=range(len(hyper_leaves)),
        differentiated=True,
    )
    return run, [*leaves, *hyper_leaves, *tables.values()]


def there_and_back(run: Run, inputs: list[Any]) -> list[Any]:
    """Run and sweep; the cotangents of all inputs."""
    trained = run.forward(*inputs)
    return run.sweep(range(len(inputs)), [np.cos(np.asarray(leaf, float)) for leaf in trained])
