"""`train`: the trained weights as a differentiable function of everything that enters a run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from retrograd.adjoints import Adjoint, Checkpointed, Reversible
from retrograd.backends import library_of
from retrograd.optimizers import Optimizer
from retrograd.training.arguments import check_adjoint, check_compiled, check_decays, check_run
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.in_floats import FloatTraining
from retrograd.training.on_lattice import LatticeTraining
from retrograd.training.problem import Problem, problem_of
from retrograd.training.run import Run
from retrograd.training.saved import Saved, names_of, saved_run

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
    saved: Saved | None = None,
    progress: bool | None = None,
) -> Any:
    """Train, as an ordinary differentiable function: `w_T = train(loss, w0, hyper, ...)`.

    Its gradient reaches the initial weights, every float leaf of `hyper`, and every hyperparameter
    of the optimizer. Training runs on fixed-point integers, forwards and (for the gradient)
    exactly backwards; the gradient is that of the real-arithmetic dynamics along the integer
    trajectory, rounding differentiated as the identity. It takes about as long as three and a half
    trainings.

    Args:
        loss: `loss(w, hyper, step)`, a real number; deterministic, with batches and noise a
            function of `step` (see `retrograd.data.minibatch`). What it should be differentiated
            with respect to must enter through `w` or `hyper`, not by closure.
        w0: initial weights: a container of float arrays.
        hyper: what else the loss depends on: a container (None for nothing).
        optimizer: such as `Momentum(rate, momentum)`.
        steps: how many steps, at least 1.
        adjoint: how the sweep gets the states back: `Reversible()`, `Checkpointed()`, `Stored()`,
            `Coded(model)`, `Auto(memory)` or, approximately, `StraightLine()` and `Truncated(k)`.
            By default `Reversible()`, and `Checkpointed()` for an optimizer that cannot be run
            backwards.
        diagnostics: filled with losses, times and the sweep's certificate.
        saved: `Saved(folder)` saves the run, so that an interrupted sweep can be continued.
        progress: whether to show how far the run is. By default it is shown on standard error if
            that is a terminal, when the run has taken some seconds.

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
    check_run(loss, optimizer, steps)
    check_adjoint(adjoint, diagnostics)
    if library_of(w0, hyper, *optimizer.hyperparameters().values()) == "jax":
        check_compiled(saved, progress)
        compiled = import_module("retrograd.compiled")
        return compiled.train(loss, w0, hyper, optimizer, int(steps), adjoint, diagnostics)
    obstacle = optimizer.program.obstacle()
    if adjoint is None:
        adjoint = Checkpointed() if obstacle else Reversible()
    adjoint.check(optimizer.name, obstacle)
    problem, inputs = problem_of(loss, w0, hyper, optimizer, int(steps))
    backend, differentiated = problem.backend, any(map(problem.backend.is_traced, inputs))
    if adjoint.arithmetic == "lattice":
        given = inputs[len(inputs) - len(problem.tables) :]
        plain = [backend.to_host(backend.value_of(x)) for x in given]
        tables = dict(zip(problem.tables, plain, strict=True))
        check_decays(optimizer, tables, problem.layout, problem.steps)
        trajectory = LatticeTraining(problem, differentiated=differentiated)
    else:
        trajectory = FloatTraining(problem, differentiated=differentiated)
    files = saved_run(saved, _call(problem, adjoint), _input_names(problem, hyper))
    run = Run(trajectory, adjoint, diagnostics, files, progress=progress)
    trained = backend.differentiable("train", run.forward, run.sweep, *inputs)
    return backend.unflatten(problem.structure, trained)


def _call(problem: Problem, adjoint: Adjoint) -> dict[str, str]:
    """What a saved run must have in common with the call that continues it, but for its inputs."""
    return {
        "loss": getattr(problem.loss, "__qualname__", type(problem.loss).__qualname__),
        "container of the weights": str(problem.structure),
        "container of hyper": str(problem.hyper_structure),
        "optimizer": f"{problem.optimizer.name} {problem.optimizer.slot_radixes()}",
        "number of steps": str(problem.steps),
        "adjoint": repr(adjoint),
    }


def _input_names(problem: Problem, hyper: Any) -> list[str]:
    """The names of the numbered inputs."""
    hypers = names_of("hyper", problem.backend.leaf_names(hyper))
    return [*names_of("w0", problem.layout.names), *hypers, *problem.tables]
