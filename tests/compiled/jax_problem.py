"""A small smooth problem for training in JAX, beside the same one for NumPy and as a plain scan.

Weights {"matrix": (3, 2), "vector": (3,)}; examples, their weights and a penalty as `hyper`; and an
optimizer with its hyperparameters as a container of numbers, so that gradients reach all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import retrograd as rg
from retrograd.adjoints import Adjoint
from retrograd.backends.jax import root
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer, RMSprop
from retrograd.testing.optimizers import every_optimizer

STEPS = 6

EVERY: dict[str, Optimizer] = {
    **every_optimizer(),
    "RMSprop without momentum": RMSprop(0.05, smoothing=0.875, momentum=None, epsilon=0.05),
}
# The maximum of Adamax needs a tape whose length depends on the data.
REVERSIBLE = [
    name
    for name, optimizer in EVERY.items()
    if optimizer.program.obstacle() is None and name != "Adamax"
]
# Half of the time of these tests is compilation.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def loss_in(xp: Any) -> Callable[[Any, Any, Any], Any]:
    """The loss by an array library: a tanh layer, weighted examples, and a penalty."""

    def loss(w: Any, hyper: Any, step: Any) -> Any:
        found = xp.tanh(hyper["examples"] @ w["matrix"].T + w["vector"])
        missed = xp.sum(found, axis=1) - xp.cos(step + xp.arange(4.0))
        penalty = xp.sum(w["matrix"] ** 2) + xp.sum(w["vector"] ** 2)
        return xp.sum(hyper["importance"] * missed**2) / 4 + hyper["penalty"] * penalty

    return loss


LOSS = loss_in(jnp)
PLAIN_LOSS = loss_in(np)


def weights(xp: Any = np, dtype: Any = float) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    plain = {"matrix": rng.normal(size=(3, 2)), "vector": rng.normal(size=3)}
    return {name: xp.asarray(x, dtype) for name, x in plain.items()}


def hyper(xp: Any = np, dtype: Any = float) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    plain = {
        "examples": rng.normal(size=(4, 2)),
        "importance": rng.uniform(0.5, 1.5, 4),
        "penalty": np.array(0.25),
    }
    return {name: xp.asarray(x, dtype) for name, x in plain.items()}


def settings(optimizer: Optimizer) -> dict[str, Any]:
    """The numbers that an optimizer was made with; those of a wrapped one in a container."""
    found: dict[str, Any] = {}
    for field in fields(optimizer):
        value = getattr(optimizer, field.name)
        if isinstance(value, Optimizer):
            found[field.name] = settings(value)
        elif isinstance(value, float):
            found[field.name] = value
    return found


def with_settings(optimizer: Optimizer, given: dict[str, Any]) -> Optimizer:
    """The optimizer with other numbers."""
    changed = {
        name: with_settings(getattr(optimizer, name), value) if isinstance(value, dict) else value
        for name, value in given.items()
    }
    return replace(optimizer, **changed)


def paired(w: dict[str, Any], xp: Any) -> Any:
    """One number of all weights, with another slope in each."""
    total = 0.0
    for name in sorted(w):
        numbers = np.cos(1.0 + np.arange(w[name].size)).reshape(w[name].shape)
        total = total + xp.sum(w[name] * numbers.astype(str(w[name].dtype)))
    return total


def everything(optimizer: Optimizer, xp: Any = np, dtype: Any = float) -> tuple[Any, Any, Any]:
    """The weights, `hyper`, and the optimizer's numbers."""
    numbers = settings(optimizer)
    if xp is not np:
        numbers = jax.tree.map(lambda x: xp.asarray(x, dtype), numbers)
    return weights(xp, dtype), hyper(xp, dtype), numbers


def in_jax(
    optimizer: Optimizer, adjoint: Adjoint | None = None, steps: int = STEPS, **options: Any
) -> Callable[..., Any]:
    """The paired result of training in JAX, and the weights, as a function of `everything`."""

    def objective(w0: Any, hyper: Any, numbers: Any) -> Any:
        w = rg.train(
            LOSS, w0, hyper, with_settings(optimizer, numbers), steps, adjoint=adjoint, **options
        )
        return paired(w, jnp), w

    return objective


@cache
def in_numpy(name: str, adjoint: Adjoint | None = None, steps: int = STEPS) -> tuple[Any, Any]:
    """The weights, and the gradient with respect to `everything`, by NumPy's training."""
    optimizer = EVERY[name]

    def objective(w0: Any, hyper: Any, numbers: Any) -> Any:
        changed = with_settings(optimizer, numbers)
        return paired(rg.train(PLAIN_LOSS, w0, hyper, changed, steps, adjoint=adjoint), np)

    given = everything(optimizer)
    w = rg.train(PLAIN_LOSS, given[0], given[1], optimizer, steps, adjoint=adjoint)
    return w, rg.grad(objective, (0, 1, 2))(*given)


def as_a_scan(optimizer: Optimizer, steps: int = STEPS) -> Callable[..., Any]:
    """The paired result of a plain loop over the optimizer's float step, and the weights."""

    def objective(w0: Any, hyper: Any, numbers: Any) -> Any:
        changed = with_settings(optimizer, numbers)
        names = sorted(w0)
        shapes = [w0[name].shape for name in names]
        layout = Layout(shapes, names)
        given = {"root": root, "xp": jnp, "layout": layout}

        def joined(w: Any) -> Any:
            return jnp.concatenate([w[name].reshape(-1) for name in names])

        def split(flat: Any) -> Any:
            return dict(zip(names, layout.split(flat), strict=True))

        def step(slots: Any, t: Any) -> Any:
            gradient = joined(jax.grad(LOSS)(split(slots["weights"]), hyper, t))
            return changed.update(slots, gradient, changed.hyperparameters(), t, given), None

        # Steps as floats: JAX would divide int32 numbers as float32.
        slots, _ = jax.lax.scan(step, changed.start(joined(w0)), jnp.arange(steps, dtype=float))
        w = split(slots[changed.program.result])
        return paired(w, jnp), w

    return objective


def far(found: Any, expected: Any, tolerance: float) -> list[str]:
    """The leaves of a container that are not what they should be, relative to their size."""
    apart = []
    paths = jax.tree_util.tree_flatten_with_path(expected)[0]
    for a, (path, b) in zip(jax.tree.leaves(found), paths, strict=True):
        a, b = np.asarray(a, float), np.asarray(b, float)
        size = max(float(np.abs(b).max()), 1e-9)
        distance = float(np.abs(a - b).max()) / size
        if not distance <= tolerance:
            apart.append(f"{jax.tree_util.keystr(path)} ({distance:.1e})")
    return apart
