"""`train`: the trained weights as a differentiable function of everything that enters a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograd.adjoints import Adjoint, Reversible
from retrograd.backends import NumpyBackend
from retrograd.errors import ArgumentError
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer, table
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.run import Run

__all__ = ["train"]


def train(
    loss: Callable[[Any, Any, int], Any],
    w0: Any,
    hyper: Any,
    optimizer: Optimizer,
    steps: int,
    *,
    adjoint: Adjoint | None = None,
    diagnostics: Diagnostics | None = None,
) -> Any:
    """Train, as an ordinary differentiable function: `w_T = train(loss, w0, hyper, ...)`.

    Its gradient reaches the initial weights, every float leaf of `hyper`, and every hyperparameter
    of the optimizer. Training runs on fixed-point integers, forwards and (for the gradient)
    exactly backwards; the gradient is that of the real-arithmetic dynamics along the integer
    trajectory, rounding differentiated as the identity. It takes about as long as three trainings.

    Args:
        loss: `loss(w, hyper, step)`, a real number; deterministic, with batches and noise a
            function of `step` (see `retrograd.data.minibatch`). What it should be differentiated
            with respect to must enter through `w` or `hyper`, not by closure.
        w0: initial weights: a container of float arrays.
        hyper: what else the loss depends on: a container (None for nothing).
        optimizer: such as `Momentum(rate, momentum)`.
        steps: how many steps, at least 1.
        adjoint: how the sweep gets the states back: `Reversible()` (the default) or `Stored()`.
        diagnostics: filled with losses, times and the sweep's certificate.

    Returns:
        The weights after the last step, shaped like `w0`.

    Raises:
        ArgumentError: an argument has a wrong shape, type or value.
        NonFiniteError: the loss, an increment or an adjoint is NaN or infinite.
        LatticeOverflowError: a slot left the lattice's range.
        NotReversibleError: the optimizer cannot be run backwards, and `adjoint` asks for it.
        ReversalError: the loss is not deterministic, or something changed between the two passes;
            never a wrong gradient.

    Example:
        >>> import retrograd as rg
        >>> import retrograd.numpy as np
        >>> def loss(w, decay, step):
        ...     return np.sum((w - 1.0) ** 2) + decay * np.sum(w**2)
        >>> def trained(decay):
        ...     return rg.train(loss, np.zeros(3), decay, rg.Momentum(0.2, 0.5), steps=50)
        >>> w = trained(0.25)
        >>> w.round(6)
        array([0.8, 0.8, 0.8])
        >>> float(rg.grad(lambda decay: trained(decay)[0])(0.25).round(6))  # -1/(1 + decay)**2
        -0.64

    References:
        Maclaurin, Duvenaud & Adams, "Gradient-based Hyperparameter Optimization through
        Reversible Learning", ICML 2015.
    """
    backend = NumpyBackend()
    adjoint = Reversible() if adjoint is None else adjoint
    _check(loss, optimizer, steps, adjoint)
    leaves, structure = backend.flatten(w0)
    layout = Layout(_shapes(leaves), names=backend.leaf_names(w0))
    hyper_leaves, hyper_structure = backend.flatten(hyper)
    tables = _tables(optimizer, layout, structure, steps, backend)
    inputs = [*leaves, *hyper_leaves, *tables.values()]
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
        diagnostics=Diagnostics() if diagnostics is None else diagnostics,
        differentiated=any(backend.is_traced(x) for x in inputs),
    )
    if run.differentiated:
        trained = backend.differentiable("train", run.forward, run.sweep, *inputs)
    else:
        trained = run.forward(*inputs)
    return backend.unflatten(structure, trained)


def _check(loss: Any, optimizer: Any, steps: Any, adjoint: Any) -> None:
    if not callable(loss):
        raise ArgumentError(f"loss: {loss!r:.60} was given; give a function loss(w, hyper, step)")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer: {optimizer!r:.60} was given; give one of retrograd's, such as "
            "Momentum(rate=0.1, momentum=0.9)"
        )
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
        raise ArgumentError(f"steps: {steps!r} was given; give a whole number of at least 1")
    if not isinstance(adjoint, Adjoint):
        raise ArgumentError(
            f"adjoint: {adjoint!r:.60} was given; give an instance such as Reversible() or Stored()"
        )
    adjoint.check(optimizer.name, optimizer.program.obstacle())


def _shapes(leaves: list[Any]) -> list[tuple[int, ...]]:
    if not leaves:
        raise ArgumentError("w0: it holds no array; give the weights to train")
    for leaf in leaves:
        dtype = getattr(leaf, "dtype", np.asarray(leaf).dtype if isinstance(leaf, float) else None)
        if dtype is None or dtype.kind != "f":
            raise ArgumentError(
                f"w0: a leaf is {leaf!r:.40} ({dtype or type(leaf).__name__}); give real float "
                "arrays (x.astype(float))"
            )
    return [tuple(getattr(leaf, "shape", ())) for leaf in leaves]


def _tables(
    optimizer: Optimizer, layout: Layout, structure: Any, steps: int, backend: Any
) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name, given in optimizer.hyperparameters().items():
        tables[name] = table(
            name, given, layout=layout, structure=structure, steps=steps, backend=backend
        )
        optimizer.check(name, backend.value_of(tables[name]))
    return tables
