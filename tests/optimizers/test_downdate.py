"""The inverse in floats: statements undone from the last, the gradient asked for in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.lattice import Layout
from retrograd.optimizers import OPTIMIZERS

LAYOUT = Layout([(2, 3), (4,)])
GIVEN = {"root": np.sqrt, "xp": np, "layout": LAYOUT}
REVERSIBLE = [
    *(kind(rate=0.1) for kind in OPTIMIZERS if kind(rate=0.1).program.obstacle() is None),
    rg.RMSprop(0.1, momentum=0.9),
    rg.Averaged(rg.ClippedByNorm(rg.CoupledDecay(rg.Momentum(0.1), 0.1), 0.5), 0.9),
    rg.Polyak(rg.DecoupledDecay(rg.Adam(0.1), 0.1)),
]


def started(optimizer: Any, dtype: Any = float) -> tuple[dict[str, Any], Any]:
    """Slots after three steps, and the gradient of the fourth."""
    rng = np.random.default_rng(0)
    slots = optimizer.start(rng.normal(size=10).astype(dtype))
    for t in range(3):
        gradient = rng.normal(size=10).astype(dtype)
        slots = optimizer.update(slots, gradient, optimizer.hyperparameters(), t, GIVEN)
    return slots, rng.normal(size=10).astype(dtype)


@pytest.mark.parametrize("optimizer", REVERSIBLE, ids=repr)
def test_undoes_an_update(optimizer: Any) -> None:
    slots, gradient = started(optimizer)
    hyper = optimizer.hyperparameters()
    after = optimizer.update(slots, gradient, hyper, 3, GIVEN)
    asked = []

    def ask(now: dict[str, Any], settled: tuple[str, ...], again: Any) -> Any:
        asked.append(settled)
        assert now["weights"] == pytest.approx(slots["weights"], abs=1e-14)
        return gradient

    before = optimizer.downdate(after, ask, hyper, 3, GIVEN)
    assert len(asked) == 1
    assert "weights" in asked[0]
    changed = {s.slot for s in optimizer.program.readers}
    assert changed.isdisjoint(asked[0])
    hidden = {"norm"} if isinstance(optimizer, rg.Adamax) else set()
    for name in set(slots) - hidden:
        assert before[name] == pytest.approx(slots[name], abs=1e-13), name


def test_better_values_take_the_place_of_predicted_ones() -> None:
    optimizer = rg.Adam(0.1)
    slots, gradient = started(optimizer)
    hyper = optimizer.hyperparameters()
    after = optimizer.update(slots, gradient, hyper, 3, GIVEN)
    exact = slots["weights"].copy()

    def ask(now: dict[str, Any], settled: tuple[str, ...], again: Any) -> Any:
        assert settled == ("weights",)
        now["weights"] = exact
        return gradient

    assert optimizer.downdate(after, ask, hyper, 3, GIVEN)["weights"] is exact


@pytest.mark.parametrize("optimizer", REVERSIBLE, ids=repr)
def test_the_step_is_taken_again_on_some_elements(optimizer: Any) -> None:
    """With the factors and increments that were undone, on the values before: those after."""
    slots, gradient = started(optimizer)
    hyper = optimizer.hyperparameters()
    after = optimizer.update(slots, gradient, hyper, 3, GIVEN)
    kept: list[Any] = []

    def ask(now: dict[str, Any], settled: tuple[str, ...], again: Any) -> Any:
        kept.append(again)
        return gradient

    optimizer.downdate(after, ask, hyper, 3, GIVEN)
    where = np.array([1, 4, 8])
    for name, values in slots.items():
        assert kept[0](name, values[where], where) == pytest.approx(after[name][where], abs=1e-13)


@pytest.mark.parametrize("optimizer", REVERSIBLE, ids=repr)
def test_keeps_float32(optimizer: Any) -> None:
    slots, gradient = started(optimizer, np.float32)
    assert {x.dtype for x in slots.values()} == {np.dtype(np.float32)}
    hyper = optimizer.hyperparameters()
    before = optimizer.downdate(slots, lambda now, settled, again: gradient, hyper, 2, GIVEN)
    assert {x.dtype for x in before.values()} == {np.dtype(np.float32)}


def test_without_momentum_the_gradient_is_that_at_the_newer_weights() -> None:
    def ask(now: dict[str, Any], settled: tuple[str, ...], again: Any) -> Any:
        assert settled == ()
        return 2 * now["weights"]

    after = {"weights": np.array([1.0])}
    found = rg.SGD(0.25).downdate(after, ask, {"rate": 0.25}, 0, GIVEN)
    assert found["weights"] == 1.5


def test_a_factor_of_zero_is_left_as_it_is() -> None:
    optimizer = rg.Momentum(0.5, momentum=0.0)
    after = {"weights": np.array([1.0]), "velocity": np.array([2.0])}
    hyper = optimizer.hyperparameters()
    found = optimizer.downdate(after, lambda now, settled, again: np.array([-2.0]), hyper, 0, GIVEN)
    assert found == {"weights": np.array([0.0]), "velocity": np.array([0.0])}


def test_starts() -> None:
    weights = np.array([1.0, 2.0])
    slots = rg.Averaged(rg.Momentum(0.1)).start(weights)
    assert slots["average"].tolist() == [1.0, 2.0]
    assert slots["velocity"].tolist() == [0.0, 0.0]
