"""Every optimizer with every adjoint that admits it: one gradient, and all states back."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from runs import InFloats

from retrograd.adjoints import ADJOINTS, Adjoint, Checkpointed, Reversible, Stored
from retrograd.errors import NotReversibleError
from retrograd.optimizers import Optimizer, RMSprop
from retrograd.testing.optimizers import every_optimizer
from retrograd.testing.trials import TrainingTrial, far

# What a strategy is given that cannot be made without.
GIVEN = {"steps": 3, "k": 3, "memory": "1 MiB", "slots": 3}


def of_class(kind: Any) -> Adjoint:
    """A strategy, with what it needs."""
    parameters = inspect.signature(kind).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty]
    return kind(**{name: GIVEN[name] for name in needed})


STRATEGIES = [
    *map(of_class, ADJOINTS),
    Reversible(checkpoints=1),
    Reversible(checkpoints=4),
    Checkpointed(2),
]
OPTIMIZERS: dict[str, Optimizer] = {
    **every_optimizer(),
    "RMSprop without momentum": RMSprop(0.05, smoothing=0.875, momentum=None, epsilon=0.05),
}
EXPECTED: dict[str, list[Any]] = {}


def expected(name: str, adjoint: Adjoint) -> list[Any]:
    """The gradient with respect to everything, by stored states."""
    key = f"{name} {adjoint.arithmetic}"
    if key not in EXPECTED:
        stored = Stored() if adjoint.arithmetic == "lattice" else InFloats()
        EXPECTED[key] = TrainingTrial(OPTIMIZERS[name]).swept(stored)[1]
    return EXPECTED[key]


@pytest.mark.parametrize("adjoint", STRATEGIES, ids=repr)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_gradient_with_respect_to_everything(name: str, adjoint: Adjoint) -> None:
    """And all states return bit for bit, which the sweep compares, to the first one."""
    trial = TrainingTrial(OPTIMIZERS[name])
    obstacle = OPTIMIZERS[name].program.obstacle()
    if adjoint.needs_retreat and obstacle is not None:
        with pytest.raises(NotReversibleError, match=name.split()[0]):
            adjoint.check(name.split()[0], obstacle)
        return
    run, bars = trial.swept(adjoint)
    assert run.diagnostics is not None
    assert run.diagnostics.certificate is not None
    if not run.memory.returns:
        assert not run.diagnostics.certificate.exact
        assert all(np.isfinite(bar).all() for bar in bars)
        return
    assert not far(bars, expected(name, adjoint), trial.names)
    last = run.trajectory.fingerprint()
    run.trajectory.to_first()
    assert last == run.trajectory.fingerprint() == run.diagnostics.certificate.hashes[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_on_the_lattice_and_in_floats_it_is_one_gradient_but_for_rounding(name: str) -> None:
    trial = TrainingTrial(OPTIMIZERS[name])
    on_lattice, in_floats = (trial.swept(kind())[1] for kind in (Stored, InFloats))
    for a, b, what in zip(on_lattice, in_floats, trial.names, strict=True):
        assert np.abs(a - b).max() <= 1e-7 * max(np.abs(b).max(), 1e-3), what


def test_something_is_asked_of_every_hyperparameter() -> None:
    """All adjoints are something, but for what a sign hides."""
    for name, optimizer in OPTIMIZERS.items():
        trial = TrainingTrial(optimizer)
        zero = [
            what
            for what, bar in zip(trial.names, expected(name, Stored()), strict=True)
            if not np.any(bar)
        ]
        assert not zero or name in ("Lion", "Signum"), f"{name}: {zero}"
