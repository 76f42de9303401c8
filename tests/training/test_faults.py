"""One bit flipped anywhere, at any moment of a run: no gradient comes of it that is wrong.

Every test goes through all places and moments of one kind of run. A fault that nothing comes of
(a bit that the next operation drops, a tape that is empty) gives the right gradient, bit for bit,
and does not count.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from faults import (
    MILD,
    Moment,
    consequence,
    every_fault,
    every_fault_in_floats,
    flip,
    optimizer_of,
    reference,
)
from quick_problem import quick_run
from runs import there_and_back

import retrograd as rg
from retrograd.adjoints import Adjoint, Checkpointed
from retrograd.errors import ReversalError
from retrograd.optimizers import OPTIMIZERS, WRAPPERS, Optimizer, RMSprop
from retrograd.testing.trials import IterationTrial

STEPS = 3
LONG = 40
# The share of faults that something must come of.
COUNTED = 0.85
DRAWS = 2


def kinds() -> dict[str, Optimizer]:
    """One of every optimizer and wrapper, by name."""
    found = {kind.__name__: optimizer_of(kind, STEPS) for kind in (*OPTIMIZERS, *WRAPPERS)}
    rate = found["SGD"].hyperparameters()["rate"]
    return {**found, "RMSprop without momentum": RMSprop(rate, momentum=None, epsilon=0.05)}


KINDS = kinds()


def adjoints_of(optimizer: Optimizer) -> list[Adjoint]:
    """What every optimizer works with, and what only reversible ones do."""
    everything: list[Adjoint] = [rg.Stored(), Checkpointed(2)]
    if optimizer.program.obstacle() is None:
        everything += [rg.Reversible(), rg.Reversible(checkpoints=2)]
    return everything


PAIRS = [
    (name, optimizer, adjoint)
    for name, optimizer in KINDS.items()
    for adjoint in adjoints_of(optimizer)
]
CASES = [
    pytest.param(optimizer, adjoint, id=f"{name}-{adjoint}") for name, optimizer, adjoint in PAIRS
]


@pytest.mark.parametrize(("optimizer", "adjoint"), CASES)
def test_one_fault_at_every_place_and_moment(optimizer: Optimizer, adjoint: Adjoint) -> None:
    run, right = reference(optimizer, adjoint, STEPS, 0)
    seen: Counter[str] = Counter()
    wrong = []
    for number, (name, fault) in enumerate(DRAWS * list(every_fault(run))):
        rng = np.random.default_rng(number)
        became = consequence(fault, optimizer, adjoint, STEPS, 0, right, rng)
        seen[became] += 1
        if became == "wrong":
            wrong.append(name)
    assert not wrong
    assert seen["found"] + seen["repaired"] >= COUNTED * seen.total()
    assert run.memory.repairs or not seen["repaired"]


@pytest.mark.parametrize("model", ["nothing", "optimizer's inverse"])
@pytest.mark.parametrize("name", ["Momentum", "Adam", "SGD"])
def test_one_fault_at_every_place_and_moment_in_floats(name: str, model: str) -> None:
    pytest.importorskip("constriction")
    from retrograd.adjoints.coded import Coded
    from retrograd.adjoints.reverse_models.nothing import Nothing
    from retrograd.adjoints.reverse_models.optimizer_inverse import OptimizerInverse

    optimizer = optimizer_of(type(KINDS[name]), STEPS, MILD)
    adjoint = Coded(Nothing() if model == "nothing" else OptimizerInverse())
    run, right = reference(optimizer, adjoint, STEPS, 0)
    for number, (place, fault) in enumerate(every_fault_in_floats(run)):
        rng = np.random.default_rng(number)
        became = consequence(fault, optimizer, adjoint, STEPS, 0, right, rng)
        assert became != "wrong", place


@pytest.mark.parametrize("adjoint", [rg.Stored(), Checkpointed(2), Checkpointed()], ids=repr)
@pytest.mark.parametrize("method", ["advance", "pull"])
@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("what", ["state", "params", "result"])
def test_one_fault_in_a_map_that_is_iterated(
    adjoint: Adjoint, method: str, call: int, what: str
) -> None:
    trial = IterationTrial(6)
    right = trial.swept(adjoint)[1]
    for draw in range(4):
        rng = np.random.default_rng([call, draw])
        trial = IterationTrial(6)
        run = trial.run(adjoint)
        trajectory: Any = run.trajectory

        def strike(trajectory: Any = trajectory, rng: np.random.Generator = rng) -> None:
            arrays = trajectory.param_leaves if what == "params" else trajectory.leaves
            flip(arrays[rng.integers(len(arrays))], rng)

        Moment(method, call, after=what == "result").hook(run, strike)
        with np.errstate(all="ignore"), contextlib.suppress(ReversalError):
            found = trial.sweep(run, run.forward(*trial.inputs))
            assert all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_faults_at_random_moments_of_long_runs(name: str) -> None:
    optimizer = optimizer_of(type(KINDS[name]), LONG, MILD)
    rng = np.random.default_rng(7)
    for adjoint in adjoints_of(optimizer)[-1:]:
        run, right = reference(optimizer, adjoint, LONG, 1)
        faults = list(every_fault(run))
        for number in rng.choice(len(faults), 12, replace=False).tolist():
            became = consequence(faults[number][1], optimizer, adjoint, LONG, 1, right, rng)
            assert became != "wrong", faults[number][0]


def test_there_are_ten_thousand_faults() -> None:
    number = 0
    for _, optimizer, adjoint in PAIRS:
        number += DRAWS * len(list(every_fault(reference(optimizer, adjoint, STEPS, 0)[0])))
    assert COUNTED * number >= 10_000


@pytest.mark.parametrize("name", KINDS)
def test_runs_without_a_fault_raise_nothing(name: str) -> None:
    """56 runs for each of 18 optimizers: 1,008."""
    optimizer = KINDS[name]
    adjoints = adjoints_of(optimizer)
    for seed in range(56):
        run, inputs, _ = quick_run(optimizer, adjoints[seed % len(adjoints)], STEPS, seed)
        there_and_back(run, inputs)
        certificate: Any = run.diagnostics and run.diagnostics.certificate
        assert certificate.repairs == ()


def test_there_are_a_thousand_runs_without_a_fault() -> None:
    assert 56 * len(KINDS) >= 1000
