"""Every hyperparameter of every optimizer: hypergradients against central differences."""

from __future__ import annotations

from typing import Any

import books
import numpy as np
import pytest

import retrograd as rg

STEPS = 5

# Numbers with few binary digits, which the lattice multiplies by exactly. Epsilon is large enough
# for differences to be accurate.
ADAM: dict[str, Any] = {"rate": 0.05, "beta1": 0.75, "beta2": 0.875, "epsilon": 0.05}
MOMENTUM: dict[str, Any] = {"rate": 0.1, "momentum": 0.75}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "SGD": (rg.SGD, {"rate": 0.1}),
    "Momentum": (rg.Momentum, {**MOMENTUM, "dampening": 0.25}),
    "Nesterov": (rg.Nesterov, MOMENTUM),
    "Adam": (rg.Adam, ADAM),
    "AdamW": (rg.AdamW, {**ADAM, "decay": 0.5}),
    "Adamax": (rg.Adamax, ADAM),
    "NAdam": (rg.NAdam, {**ADAM, "momentum_decay": 0.25}),
    "RMSprop": (rg.RMSprop, {"rate": 0.05, "smoothing": 0.75, "epsilon": 0.05}),
    "RMSprop with momentum": (
        rg.RMSprop,
        {"rate": 0.05, "smoothing": 0.75, "epsilon": 0.05, "momentum": 0.5},
    ),
    "Signum": (rg.Signum, {"rate": 0.05}),
    "Lion": (rg.Lion, {"rate": 0.05}),
    "Muon": (rg.Muon, {"rate": 0.05, "rest_rate": 0.1, "momentum": 0.75}),
    "ClippedByNorm": (
        lambda threshold, **inner: rg.ClippedByNorm(rg.Momentum(**inner), threshold),
        {**MOMENTUM, "threshold": 0.5},
    ),
    "ClippedByValue": (
        lambda threshold, **inner: rg.ClippedByValue(rg.Momentum(**inner), threshold),
        {**MOMENTUM, "threshold": 0.25},
    ),
    "CoupledDecay": (
        lambda outer, decay, **inner: rg.CoupledDecay(rg.AdamW(decay=decay, **inner), outer),
        {**ADAM, "decay": 0.5, "outer": 0.25},
    ),
    "DecoupledDecay": (
        lambda decay, **inner: rg.DecoupledDecay(rg.Momentum(**inner), decay),
        {**MOMENTUM, "decay": 0.5},
    ),
    "Averaged": (
        lambda decay, **inner: rg.Averaged(rg.Momentum(**inner), decay),
        {**MOMENTUM, "decay": 0.75},
    ),
    "Polyak": (lambda **inner: rg.Polyak(rg.Momentum(**inner)), MOMENTUM),
    "all at once": (
        lambda threshold, outer, average, **inner: rg.Averaged(
            rg.ClippedByNorm(
                rg.CoupledDecay(rg.Averaged(rg.AdamW(**inner), average), outer), threshold
            ),
            average,
        ),
        {**ADAM, "decay": 0.5, "threshold": 0.5, "outer": 0.25, "average": 0.5},
    ),
}


def outcome(point: Any, make: Any, train: Any, **how: Any) -> Any:
    """A number that depends on all weights after training on a loss that depends on `hyper`."""

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return books.loss(w, None, step) + hyper * np.sum(w["W"] ** 2)

    optimizer = make(**point["settings"])
    w = train(loss, point["w0"], point["hyper"], optimizer, STEPS, **how)
    return np.sum(np.sin(w["W"])) + np.sum(w["u"] ** 2)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("form", ["one number", "per step and leaf"])
def test_hypergradients_agree_with_central_differences(name: str, form: str) -> None:
    make, settings = CASES[name]
    point = {"settings": settings, "w0": books.start(), "hyper": 0.1}
    rng = np.random.default_rng(0)
    if form != "one number":
        spread = np.round(rng.uniform(0.9, 1.1, (STEPS, 2)) * 1024) / 1024
        inner, point["settings"] = make, {name: x * spread for name, x in settings.items()}
        make = lambda **given: inner(**{k: rg.per_step(x) for k, x in given.items()})  # noqa: E731
    reversible = make(**point["settings"]).program.obstacle() is None
    adjoint = rg.Reversible() if reversible else rg.Stored()
    found = rg.grad(lambda p: outcome(p, make, rg.train, adjoint=adjoint))(point)
    for group in [("w0",), ("hyper",), *(("settings", name) for name in settings)]:
        change = rg.tree.map(lambda x: rng.normal(size=np.shape(x)), _at(point, group))
        length = 1e-5 / np.sqrt(sum(np.sum(x**2) for x in rg.tree.leaves(change)))
        ends = [
            outcome(_moved(point, group, change, sign * length), make, rg.train_in_floats)
            for sign in (1, -1)
        ]
        pairs = zip(rg.tree.leaves(_at(found, group)), rg.tree.leaves(change), strict=True)
        slope = sum(float(np.sum(bar * x)) for bar, x in pairs) * length
        assert slope == pytest.approx((ends[0] - ends[1]) / 2, rel=2e-5, abs=2e-11), group


def _at(point: Any, group: tuple[str, ...]) -> Any:
    for name in group:
        point = point[name]
    return point


def _moved(point: Any, group: tuple[str, ...], change: Any, length: float) -> Any:
    first, *rest = group
    if rest:
        return {**point, first: _moved(point[first], tuple(rest), change, length)}
    return {**point, first: rg.tree.map(lambda x, c: x + length * c, point[first], change)}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_finite_where_gradients_are_zero(name: str) -> None:
    """From the first step on: roots, norms and quotients of moments that are still zero."""
    make, settings = CASES[name]
    optimizer = make(**settings)
    adjoint = rg.Stored()

    def final(settings: Any, w0: Any) -> Any:
        loss = lambda w, hyper, step: 0.0 * np.sum(w["W"]) + np.sum(w["u"][:2])  # noqa: E731
        w = rg.train(loss, w0, None, make(**settings), 3, adjoint=adjoint)
        return np.sum(w["W"]) + np.sum(w["u"])

    assert optimizer.program.statements
    for leaf in rg.tree.leaves(rg.grad(final, (0, 1))(settings, books.start())):
        assert np.isfinite(leaf).all()
