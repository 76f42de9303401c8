"""`train` on JAX arrays: the call that `retrograd.train` hands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from retrograd.adjoints import Adjoint, Checkpointed, Reversible
from retrograd.compiled.choice import chosen, strategy_for
from retrograd.compiled.problem import training_run
from retrograd.compiled.run import differentiable
from retrograd.optimizers import Optimizer
from retrograd.training.diagnostics import Diagnostics

__all__ = ["train"]


def train(
    loss: Callable[[Any, Any, Any], Any],
    w0: Any,
    hyper: Any,
    optimizer: Optimizer,
    steps: int,
    adjoint: Adjoint | None,
    diagnostics: Diagnostics | None,
) -> Any:
    """The trained weights, an ordinary value of JAX; see `retrograd.train`."""
    run, inputs, structure = training_run(loss, w0, hyper, optimizer, steps)
    if adjoint is None:
        adjoint = Checkpointed() if run.obstacle else Reversible()
    adjoint = chosen(adjoint, run, inputs)
    strategy = strategy_for(adjoint, run, inputs, watched=diagnostics is not None)
    results = differentiable(run, strategy, inputs, diagnostics, adjoint)
    return jax.tree.unflatten(structure, results)
