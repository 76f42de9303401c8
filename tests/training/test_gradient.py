"""Hypergradients: one adjoint against the other, and both against central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_problem import (
    ADJOINTS,
    FORMS,
    OPTIMIZERS,
    STEPS,
    everything,
    flat,
    hyper,
    loss,
    outcome,
    trained,
    weights,
)

import retrograd as rg
from retrograd.adjoints import Adjoint
from retrograd.lattice import rational
from retrograd.optimizers import Optimizer

EXACT = [kind for kind in ADJOINTS if kind.exact]

optimizers = pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
adjoints = pytest.mark.parametrize("adjoint", EXACT, ids=lambda kind: kind.__name__)
forms = pytest.mark.parametrize("form", FORMS)


def hypergradient(point: Any, kind: type[Optimizer], form: str, adjoint: Adjoint) -> Any:
    return rg.grad(lambda p: outcome(trained(p, kind, form, adjoint)))(point)


def assert_close(found: Any, expected: Any, relative: float) -> None:
    a, b = flat(found), flat(expected)
    assert np.abs(a - b).max() <= relative * np.abs(b).max()


@optimizers
@adjoints
@forms
def test_adjoints_agree(kind: Any, adjoint: Any, form: str) -> None:
    point = everything(kind, form)
    found = hypergradient(point, kind, form, adjoint())
    expected = hypergradient(point, kind, form, rg.Stored())
    parts = {**found["settings"], "w0": found["w0"], **found["hyper"]}
    others = {**expected["settings"], "w0": expected["w0"], **expected["hyper"]}
    for name, part in parts.items():
        assert np.any(flat(part)), f"{name} has no gradient"
        assert_close(part, others[name], 1e-12)


@optimizers
@adjoints
@forms
def test_gradient_agrees_with_central_differences(kind: Any, adjoint: Any, form: str) -> None:
    point = everything(kind, form)
    found = hypergradient(point, kind, form, adjoint())
    rng = np.random.default_rng(5)
    groups = [("w0",), *(("settings", n) for n in point["settings"])]
    groups += [("hyper", n) for n in point["hyper"]]
    for group in groups:
        direction = rg.tree.map(lambda leaf: rng.normal(size=np.shape(leaf)), _at(point, group))
        change = 1e-5 / float(np.linalg.norm(flat(direction)))
        ends = [
            outcome(trained(_moved(point, group, direction, sign * change), kind, form, None))
            for sign in (1, -1)
        ]
        difference = (ends[0] - ends[1]) / (2 * change)
        slope = flat(_at(found, group)) @ flat(direction)
        scale = np.linalg.norm(flat(_at(found, group))) * np.linalg.norm(flat(direction))
        assert abs(slope - difference) <= 1e-6 * scale, group


def _at(point: Any, group: tuple[str, ...]) -> Any:
    for name in group:
        point = point[name]
    return point


def _moved(point: Any, group: tuple[str, ...], direction: Any, amount: float) -> Any:
    name, *rest = group
    if rest:
        return {**point, name: _moved(point[name], tuple(rest), direction, amount)}
    moved = rg.tree.map(lambda x, d: x + amount * d, point[name], direction)
    return {**point, name: moved}


@optimizers
@adjoints
def test_gradient_has_the_shapes_and_dtypes_of_what_it_is_of(kind: Any, adjoint: Any) -> None:
    point = everything(kind, "per step and element")
    found = hypergradient(point, kind, "per step and element", adjoint())
    assert rg.tree.flatten(found)[1] == rg.tree.flatten(point)[1]
    for bar, leaf in zip(rg.tree.leaves(found), rg.tree.leaves(point), strict=True):
        assert np.shape(bar) == np.shape(leaf)
        assert np.asarray(bar).dtype == np.asarray(leaf).dtype


@adjoints
def test_one_tenth_of_what_is_wanted_is_the_same_part_of_all(adjoint: Any) -> None:
    point = everything(rg.Adam, "per step")
    whole = hypergradient(point, rg.Adam, "per step", adjoint())

    def of_beta2(beta2: Any) -> Any:
        settings = {**point["settings"], "beta2": beta2}
        return outcome(trained({**point, "settings": settings}, rg.Adam, "per step", adjoint()))

    found = rg.grad(of_beta2)(point["settings"]["beta2"])
    assert_close(found, whole["settings"]["beta2"], 1e-12)


@optimizers
@adjoints
def test_mixed_forms(kind: Any, adjoint: Any) -> None:
    """Hyperparameters that meet in one factor, one of them per leaf and one per element."""
    point = everything(kind, "scalar")
    names = list(point["settings"])
    makers = ["per step and leaf", "per element", "scalar", "container"]
    given = {n: FORMS[makers[i]][0](point["settings"][n]) for i, n in enumerate(names)}
    marks = {n: FORMS[makers[i]][1] for i, n in enumerate(names)}

    def value(given: Any, adjoint: Adjoint | None) -> Any:
        optimizer = kind(**{n: marks[n](v) for n, v in given.items()})
        run = (loss, weights(), hyper(), optimizer, STEPS)
        return outcome(
            rg.train_in_floats(*run) if adjoint is None else rg.train(*run, adjoint=adjoint)
        )

    found = rg.grad(lambda p: value(p, adjoint()))(given)
    for name in names:
        direction = rg.tree.map(lambda leaf: np.ones(np.shape(leaf)), given[name])
        ends = [value(_moved(given, (name,), direction, c), None) for c in (1e-6, -1e-6)]
        slope = float(np.sum(flat(found[name])))
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-7), name


@pytest.fixture
def combined() -> type[Optimizer]:
    from dataclasses import make_dataclass

    from retrograd.optimizers import Program, add, decay

    program = Program(
        slots=("velocity",),
        statements=(
            add("velocity", "gradient", lambda scale, rate: -scale * rate),
            decay("velocity", lambda keep, scale: keep * scale),
            decay("velocity", "keep"),
            decay("weights", lambda rate, keep: 1 - rate * keep / 4),
            add("weights", "velocity", "rate"),
        ),
    )
    kind = make_dataclass(
        "Combined",
        ["rate", "scale", "keep"],
        bases=(Optimizer,),
        frozen=True,
        eq=False,
        kw_only=True,
    )
    kind.program = program  # type: ignore[attr-defined]
    kind.radixes = {"weights": 44, "velocity": 50}  # type: ignore[attr-defined]
    return kind


@adjoints
@pytest.mark.parametrize("forms", [("scalar", "per leaf"), ("per leaf", "per element")])
def test_factors_of_several_hyperparameters(
    combined: Any, adjoint: Any, forms: tuple[str, str]
) -> None:
    """Decays after additions, twice on one slot, and of the weights themselves."""
    values = {"rate": 0.25, "scale": 0.75, "keep": 0.875}
    form = {"rate": forms[0], "scale": forms[1], "keep": "per step and leaf"}
    given = {n: FORMS[form[n]][0](v) for n, v in values.items()}

    def value(given: Any, adjoint: Adjoint | None) -> Any:
        optimizer = combined(**{n: FORMS[form[n]][1](v) for n, v in given.items()})
        run = (loss, weights(), hyper(), optimizer, STEPS)
        return outcome(
            rg.train_in_floats(*run) if adjoint is None else rg.train(*run, adjoint=adjoint)
        )

    found = rg.grad(lambda p: value(p, adjoint()))(given)
    for name in given:
        direction = rg.tree.map(lambda leaf: np.ones(np.shape(leaf)), given[name])
        ends = [value(_moved(given, (name,), direction, c), None) for c in (1e-6, -1e-6)]
        slope = float(np.sum(flat(found[name])))
        # Products of factors are rounded to rationals, by up to 2**-33.
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5), name


@optimizers
@adjoints
def test_a_bare_array_as_weights_and_no_hyper(kind: Any, adjoint: Any) -> None:
    def value(w0: Any, adjoint: Adjoint | None) -> Any:
        run = (lambda w, hyper, step: np.sum((w - step) ** 2), w0, None, kind(rate=0.1), 4)
        w = rg.train_in_floats(*run) if adjoint is None else rg.train(*run, adjoint=adjoint)
        return np.sum(w**3)

    w0 = np.array([[0.5, -1.0], [2.0, 0.25]])
    found = rg.grad(lambda w: value(w, adjoint()))(w0)
    for i in np.ndindex(2, 2):
        unit = np.zeros((2, 2))
        unit[i] = 1e-5
        difference = (value(w0 + unit, None) - value(w0 - unit, None)) / 2e-5
        assert found[i] == pytest.approx(difference, rel=1e-6)


@optimizers
@adjoints
def test_single_numbers_as_weights(kind: Any, adjoint: Any) -> None:
    def value(w0: Any, adjoint: Adjoint | None) -> Any:
        def bowl(w: Any, hyper: Any, step: int) -> Any:
            return (w[0] - 1.0) ** 2 * (1 + w[1] ** 2)

        run = (bowl, w0, None, kind(rate=0.1), 4)
        w = rg.train_in_floats(*run) if adjoint is None else rg.train(*run, adjoint=adjoint)
        return w[0] * w[1]

    found = rg.grad(lambda w: value(w, adjoint()))((0.5, 2.0))
    ends = [value((0.5 + c, 2.0), None) for c in (1e-5, -1e-5)]
    assert float(found[0]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
    ends = [value((0.5, 2.0 + c), None) for c in (1e-5, -1e-5)]
    assert float(found[1]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@optimizers
@adjoints
def test_float32_weights(kind: Any, adjoint: Any) -> None:
    point = everything(kind, "per leaf")
    single = rg.tree.map(lambda leaf: np.asarray(leaf, np.float32), point["w0"])
    point32 = {**point, "w0": single}
    w = trained(point32, kind, "per leaf", adjoint())
    assert [leaf.dtype for leaf in rg.tree.leaves(w)] == [np.float32] * 3
    found = hypergradient(point32, kind, "per leaf", adjoint())
    assert [leaf.dtype for leaf in rg.tree.leaves(found["w0"])] == [np.float32] * 3
    assert_close(found, hypergradient(point32, kind, "per leaf", rg.Stored()), 1e-12)
    assert_close(found, hypergradient(point, kind, "per leaf", adjoint()), 1e-4)


@adjoints
def test_hyper_may_hold_what_has_no_derivative(adjoint: Any) -> None:
    def power(w: Any, hyper: Any, step: int) -> Any:
        assert hyper["name"] == "tail"
        tail = np.sum(np.abs(w[hyper["rows"]]) ** hyper["power"])
        return hyper["scale"] * (np.sum(w**2) + tail)

    def value(scale: Any) -> Any:
        hyper = {"name": "tail", "power": 3, "rows": np.array([0, 2]), "scale": scale, "no": None}
        start = np.array([1.0, 0.5, -1.0])
        w = rg.train(power, start, hyper, rg.Momentum(0.1), 5, adjoint=adjoint())
        return np.sum(w**2)

    ends = [value(0.3 + c) for c in (1e-5, -1e-5)]
    assert rg.grad(value)(0.3) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@adjoints
def test_momentum_zero_is_plain_descent(adjoint: Any) -> None:
    """Also for some steps, leaves and elements only; and its derivative there is right."""
    point = everything(rg.Momentum, "per step and leaf")
    momentum = point["settings"]["momentum"]
    momentum[1], momentum[3, 2] = 0.0, 0.0
    found = hypergradient(point, rg.Momentum, "per step and leaf", adjoint())
    for place in [(1, 0), (1, 2), (3, 2), (4, 1)]:
        ends = []
        for change in (1e-5, 2e-5):  # to one side, since momenta are not negative
            moved = momentum.copy()
            moved[place] += change
            settings = {**point["settings"], "momentum": moved}
            ends.append(
                outcome(
                    trained({**point, "settings": settings}, rg.Momentum, "per step and leaf", None)
                )
            )
        start = outcome(trained(point, rg.Momentum, "per step and leaf", None))
        slope = (4 * ends[0] - ends[1] - 3 * start) / 2e-5
        assert found["settings"]["momentum"][place] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@adjoints
@pytest.mark.parametrize("form", ["one for all", "per element"])
def test_the_factor_that_was_applied_is_differentiated(adjoint: Any, form: str) -> None:
    """A constant gradient's part in the velocity decays by n/d where each element has its own."""
    momentum, steps = 0.6 + 1 / np.pi, 30
    n, d = rational(np.array([momentum]))
    given = momentum if form == "one for all" else np.full(3, momentum)

    def final(dampening: Any) -> Any:
        optimizer = rg.Momentum(0.5, given, rg.per_step(dampening))
        w = rg.train(
            lambda w, hyper, step: np.sum(w), np.zeros(3), None, optimizer, steps, adjoint=adjoint()
        )
        return w[0]

    found = rg.grad(final)(np.zeros(steps))[0]
    exactly, nearly = (0.5 * np.sum(x ** np.arange(steps)) for x in (momentum, n[0] / d[0]))
    applied, other = (exactly, nearly) if form == "one for all" else (nearly, exactly)
    assert found == pytest.approx(applied, rel=1e-14)
    assert found != pytest.approx(other, rel=1e-12)
