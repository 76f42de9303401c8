"""All hyperparameters of the learned schedule at once, on real images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.data import load
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.settings import ScheduleSettings


@pytest.fixture(scope="module")
def hyper() -> dict[str, Any]:
    """The start of the experiment, shaken, so that no two of the numbers are the same."""
    rng = np.random.default_rng(0)
    start = Problem(ScheduleSettings(), load("mnist-10k")).start()
    return {name: value + 0.1 * rng.normal(size=value.shape) for name, value in start.items()}


def problem(adjoint: Any) -> Problem:
    return Problem(ScheduleSettings(adjoint=adjoint), load("mnist-10k"))


def test_reversible_agrees_with_stored_in_all_1608_hyperparameters(hyper: dict[str, Any]) -> None:
    found = {}
    for adjoint in ("reversible", "stored"):
        hypergradient, aux = rg.grad(problem(adjoint).objective, has_aux=True)(hyper, 0)
        found[adjoint] = hypergradient, aux
    (reversible, seen), (stored, expected) = found["reversible"], found["stored"]
    assert sum(value.size for value in reversible.values()) == 2 * 8 * 100 + 8
    for name, value in reversible.items():
        assert np.all(value), f"part of the hypergradient of {name} is zero"
        difference = np.abs(value - stored[name]).max()
        assert difference <= 1e-12 * np.abs(stored[name]).max()
    for a, b in zip(
        rg.tree.leaves(seen["weights"]), rg.tree.leaves(expected["weights"]), strict=True
    ):
        assert np.array_equal(a, b)
    kept, all_states = seen["seen"].certificate, expected["seen"].certificate
    assert kept.steps == all_states.steps == 100
    assert all_states.bytes_kept == all_states.bytes_trajectory == kept.bytes_trajectory
    assert kept.bytes_kept < kept.bytes_trajectory / 50


def test_reversible_agrees_with_central_differences_of_training_in_floats(
    hyper: dict[str, Any],
) -> None:
    """Over fewer steps: after a hundred, differences of chaotic runs say less."""
    few = Problem(ScheduleSettings(steps=20, batch=50), load("mnist-10k"))
    hyper = {name: value[:20] if value.ndim == 2 else value + 1 for name, value in hyper.items()}
    found = rg.grad(few.objective, has_aux=True)(hyper, 0)[0]
    rng = np.random.default_rng(1)

    def in_floats(hyper: dict[str, Any]) -> float:
        w0, optimizer = few.initial(hyper, 0), few.optimizer(hyper)
        w = rg.train_in_floats(few.loss(0), w0, None, optimizer, 20)
        return few.judge(w, "train")[0]

    for name, value in hyper.items():
        direction = rng.normal(size=value.shape)
        direction *= 1e-4 / np.linalg.norm(direction)
        ends = [in_floats({**hyper, name: value + sign * direction}) for sign in (1, -1)]
        slope = float(np.sum(found[name] * direction))
        length = np.linalg.norm(found[name]) * np.linalg.norm(direction)
        assert abs(slope - (ends[0] - ends[1]) / 2) < 1e-5 * length, name
