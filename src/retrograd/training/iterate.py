"""`iterate`: the last state of any map that is applied again and again, differentiably."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from retrograd.adjoints import Adjoint, Checkpointed
from retrograd.backends import backend_of, library_of
from retrograd.counts import check_count
from retrograd.errors import ArgumentError
from retrograd.training.arguments import check_adjoint, check_compiled
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.iteration import OBSTACLE, Iteration
from retrograd.training.run import Run
from retrograd.training.saved import Saved, names_of, saved_run

__all__ = ["iterate"]


def iterate(
    step: Callable[[Any, Any, int], Any],
    x0: Any,
    params: Any,
    steps: int,
    *,
    adjoint: Adjoint | None = None,
    diagnostics: Diagnostics | None = None,
    saved: Saved | None = None,
    progress: bool | None = None,
) -> Any:
    """Apply a map again and again: x_{t+1} = step(x_t, params, t); returns x_T, differentiably.

    The map may be anything: a recurrent network over its sequence, a solver of a differential
    equation, an optimizer of one's own. Its derivative reaches `x0` and every float leaf of
    `params`, and `adjoint` says what is kept for it.

    Args:
        step: `step(x, params, t)`, the next state: a container like `x` of arrays of the same
            shapes and dtypes. Deterministic; it may write to `x`, and not to `params`. What it
            should be differentiated with respect to must enter through these two, not by closure
            (in JAX both will do). In JAX `t` is a traced integer.
        x0: the first state: a container of float arrays; in JAX also of integers and random keys,
            which are carried along without a derivative.
        params: what else the map depends on: a container (None for nothing).
        steps: how many steps, at least 1.
        adjoint: how the sweep gets the states back: `Checkpointed()` by default; `Stored`, `Coded`,
            `StraightLine`, `Truncated`, `Auto`.
        diagnostics: filled with times and the sweep's certificate.
        saved: `Saved(folder)` saves the run, so that an interrupted sweep can be continued.
        progress: whether to show how far the run is. By default it is shown on standard error if
            that is a terminal, when the run has taken some seconds.

    Returns:
        The last state, a container like `x0`.

    Raises:
        ArgumentError: an argument has a wrong shape, type or value, or `step` returns another
            container, shape or dtype than it was given.
        NotReversibleError: `adjoint` needs a map with an exact inverse.
        NonFiniteError: an adjoint is NaN or infinite.
        ReversalError: `step` is not deterministic, or something changed between the two passes.

    Example:
        >>> import retrograd as rg
        >>> import retrograd.numpy as np
        >>> def step(x, rate, t):  # the logistic map
        ...     return rate * x * (1 - x)
        >>> def last(rate):
        ...     return np.sum(rg.iterate(step, np.array([0.4]), rate, steps=20))
        >>> float(rg.grad(last)(2.5).round(6))  # it settles at 1 - 1/rate
        0.16

    References:
        Griewank & Walther, "Evaluating Derivatives", 2nd edition 2008, chapter 12.
    """
    adjoint = Checkpointed() if adjoint is None else adjoint
    if not callable(step):
        raise ArgumentError(f"step: {step!r:.60} was given; give a function step(x, params, t)")
    steps = check_count("steps", steps)
    check_adjoint(adjoint, diagnostics)
    adjoint.check("iterate", OBSTACLE)
    if library_of(x0, params) == "jax":
        check_compiled(saved, progress)
        compiled = import_module("retrograd.compiled")
        return compiled.iterate(step, x0, params, steps, adjoint, diagnostics)
    backend = backend_of(x0, params)
    leaves, structure = backend.flatten(x0)
    if not leaves:
        raise ArgumentError("x0: it holds no float array; give the first state")
    leaves = [leaf if backend.is_smooth(leaf) else backend.array(leaf) for leaf in leaves]
    param_leaves, param_structure = backend.flatten(params)
    differentiated = any(backend.is_traced(x) for x in (*leaves, *param_leaves))
    iteration = Iteration(
        step,
        backend,
        structure,
        backend.leaf_names(x0),
        param_structure,
        steps,
        differentiated=differentiated,
    )
    names = [*names_of("x0", iteration.names), *names_of("params", backend.leaf_names(params))]
    files = saved_run(saved, _call(iteration, adjoint), names)
    run = Run(iteration, adjoint, diagnostics, files, progress=progress)
    inputs = [*leaves, *param_leaves]
    last = backend.differentiable("iterate", run.forward, run.sweep, *inputs)
    return backend.unflatten(structure, last)


def _call(iteration: Iteration, adjoint: Adjoint) -> dict[str, str]:
    """What a saved run must have in common with the call that continues it, but for its inputs."""
    step = iteration.step
    return {
        "step": getattr(step, "__qualname__", type(step).__qualname__),
        "container of the state": str(iteration.structure),
        "container of params": str(iteration.param_structure),
        "number of steps": str(iteration.steps),
        "adjoint": repr(adjoint),
    }
