"""Vectors that do not fit into the cache: every statement is carried out stretch by stretch."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from runs import InFloats, make_run, there_and_back

import retrograd as rg
from retrograd.adjoints import Adjoint, Reversible, Stored
from retrograd.lattice.layout import WHOLE
from retrograd.optimizers import Optimizer
from retrograd.testing.optimizers import every_optimizer

STEPS = 4
# A leaf of several stretches, small ones between large ones, and one of a single number.
SHAPES = ((5,), (250, 280), (), (3, 2), (9000,), (7,))
OPTIMIZERS = every_optimizer()
# A norm has one threshold; 1 - rate * decay has few binary digits where the decay is 1/4.
ALONE = {"threshold", "decay"}


def weights() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def loss(w: Any, hyper: Any, step: int) -> Any:
    return sum(np.sum(h * np.cos(x + step)) for h, x in zip(hyper, w, strict=True))


def per_element(value: float) -> Any:
    """Numbers around a value, with few binary digits: the lattice multiplies by just these."""
    rng = np.random.default_rng(1)
    return [np.round(value * rng.uniform(0.9, 1.1, shape) * 1024) / 1024 for shape in SHAPES]


FORMS: dict[str, Any] = {
    "one": lambda value: value,
    "per leaf": lambda value: rg.per_leaf(np.array([float(x.flat[0]) for x in per_element(value)])),
    "per element": per_element,
}


def swept(optimizer: Optimizer, adjoint: Adjoint) -> list[Any]:
    """The adjoints of all inputs, after a run that has come back to its start."""
    hyper = tuple(float(x) for x in np.linspace(0.5, 1.5, len(SHAPES)))
    run, inputs = make_run(loss, weights(), hyper, optimizer, STEPS, adjoint)
    bars = there_and_back(run, inputs)
    if isinstance(adjoint, Reversible):
        last = run.trajectory.fingerprint()
        run.trajectory.to_first()
        assert last == run.trajectory.fingerprint()
    return [np.asarray(bar) for bar in bars]


def varied(optimizer: Optimizer, form: str) -> Optimizer:
    """The optimizer, and one that it wraps, with all rates and factors in a form."""
    given: dict[str, Any] = {}
    for field in fields(optimizer):
        value = getattr(optimizer, field.name)
        if field.name == "optimizer":
            given[field.name] = varied(value, form)
        elif field.name in optimizer.hyperparameters() and field.name not in ALONE:
            given[field.name] = FORMS[form](value)
    return replace(optimizer, **given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_there_and_back(name: str, form: str) -> None:
    """Bit for bit, and as training in floats has it."""
    assert sum(int(np.prod(shape)) for shape in SHAPES) > WHOLE
    optimizer = varied(OPTIMIZERS[name], form)
    stored = swept(optimizer, Stored())
    in_floats = swept(optimizer, InFloats())
    for i, (a, b) in enumerate(zip(stored, in_floats, strict=True)):
        assert np.abs(a - b).max() <= 1e-7 * max(np.abs(b).max(), 1e-3), i
    if optimizer.program.obstacle() is None:
        reversible = swept(optimizer, Reversible())
        assert all(np.array_equal(a, b) for a, b in zip(reversible, stored, strict=True))
