"""A small smooth problem in which everything that can be differentiated occurs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from retrograd import per_leaf, per_step, train, train_in_floats, tree
from retrograd.adjoints import Adjoint, Reversible, Stored
from retrograd.optimizers import Adam, Momentum, Optimizer

# Smooth optimizers that every adjoint takes; tests/training/test_every_pair.py has all of them.
OPTIMIZERS = (Adam, Momentum)
ADJOINTS = (Reversible, Stored)

STEPS = 6
SHAPES = {"a": (2, 3), "b": ((3,), ())}
LEAVES = 3

# Where the defaults would make differences inaccurate (epsilon) or leave something out (dampening).
VALUES = {"rate": 0.1, "dampening": 0.25, "epsilon": 0.05, "beta2": 0.875}


def weights(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=(2, 3)), "b": [rng.normal(size=3), 0.5]}


def hyper(seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "decay": 0.25,
        "examples": rng.normal(size=(4, 2)),
        "importance": rng.uniform(0.5, 1.5, 4),
    }


def loss(w: Any, hyper: Any, step: int) -> Any:
    """A tanh layer fitted to a moving target, with weighted examples and weight decay."""
    z = np.tanh(hyper["examples"] @ w["a"] + w["b"][0])
    residual = np.sum(z, axis=1) * w["b"][1] - np.cos(step + np.arange(4.0))
    squares = np.sum(w["a"] ** 2) + np.sum(w["b"][0] ** 2)
    return np.sum(hyper["importance"] * residual**2) / 4 + hyper["decay"] * squares


def outcome(w: Any) -> Any:
    return np.sum(np.sin(w["a"])) + np.sum(w["b"][0] ** 2) * w["b"][1]


def _scattered(value: float, shape: tuple[int, ...], seed: int) -> Any:
    """Numbers around a value, with few binary digits: the lattice multiplies by just these."""
    noise = np.random.default_rng(seed).uniform(0.9, 1.1, shape)
    return np.round(value * noise * 1024) / 1024


def _like_weights(value: float, lead: tuple[int, ...], *, elements: bool) -> Any:
    shape = SHAPES if elements else {"a": (), "b": ((), ())}
    return {
        "a": _scattered(value, lead + shape["a"], 3),
        "b": [_scattered(value, lead + shape["b"][i], 4 + i) for i in range(2)],
    }


Maker = Callable[[float], Any]
Marker = Callable[[Any], Any]


def _plain(values: Any) -> Any:
    return values


# How a rate or a momentum can vary: what the numbers are, and how they are marked.
FORMS: dict[str, tuple[Maker, Marker]] = {
    "scalar": (lambda x: float(_scattered(x, (), 2)), _plain),
    "per step": (lambda x: _scattered(x, (STEPS,), 2), per_step),
    "per leaf": (lambda x: _scattered(x, (LEAVES,), 2), per_leaf),
    "per step and leaf": (lambda x: _scattered(x, (STEPS, LEAVES), 2), per_step),
    "container": (lambda x: _like_weights(x, (), elements=False), _plain),
    "container per step": (lambda x: _like_weights(x, (STEPS,), elements=False), per_step),
    "per element": (lambda x: _like_weights(x, (), elements=True), _plain),
    "per step and element": (lambda x: _like_weights(x, (STEPS,), elements=True), per_step),
}


def settings(kind: type[Optimizer], form: str) -> dict[str, Any]:
    """The hyperparameters of an optimizer, by name, in a form."""
    make, _ = FORMS[form]
    named: dict[str, Any] = {
        f.name: f for f in fields(kind) if f.name in kind.program.hyperparameters
    }
    return {name: make(VALUES.get(name) or float(f.default)) for name, f in named.items()}


def trained(
    everything: dict[str, Any],
    kind: type[Optimizer],
    form: str,
    adjoint: Adjoint | None,
    diagnostics: Any = None,
) -> Any:
    """Train with {"w0", "hyper", "settings"}; in floats if there is no adjoint."""
    _, mark = FORMS[form]
    marked = {name: mark(value) for name, value in everything["settings"].items()}
    optimizer = kind(**marked)
    given = loss, everything["w0"], everything["hyper"], optimizer, STEPS
    if adjoint is None:
        return train_in_floats(*given)
    return train(*given, adjoint=adjoint, diagnostics=diagnostics)


def everything(kind: type[Optimizer], form: str) -> dict[str, Any]:
    return {"w0": weights(), "hyper": hyper(), "settings": settings(kind, form)}


def flat(container: Any) -> Any:
    return np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in tree.leaves(container)])
