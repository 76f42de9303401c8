"""What `train` refuses, each with a message that names the argument, the value and the cure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_problem import ADJOINTS, OPTIMIZERS

import retrograd as rg
from retrograd.errors import ArgumentError, DifferentiationError

WEIGHTS = {"W": np.ones((2, 3)), "b": np.zeros(3)}


def bowl(w: Any, hyper: Any, step: int) -> Any:
    return sum(np.sum((x - 1) ** 2) for x in rg.tree.leaves(w))


def run(**given: Any) -> Any:
    defaults = {"w0": WEIGHTS, "hyper": None, "optimizer": rg.Momentum(0.1, 0.5), "steps": 5}
    return rg.train(given.pop("loss", bowl), **{**defaults, **given})


def refused(pattern: str, **given: Any) -> None:
    with pytest.raises(ArgumentError, match=pattern):
        run(**given)


@pytest.mark.parametrize("steps", [0, -1, 1.5, 2.0, True, "3", None, np.float64(3)])
def test_steps(steps: Any) -> None:
    refused(r"^steps: .* was given; give a whole number of at least 1", steps=steps)
    with pytest.raises(ArgumentError, match=r"^steps: "):
        rg.train_in_floats(bowl, WEIGHTS, None, rg.Momentum(0.1), steps)


def test_steps_may_be_a_numpy_integer() -> None:
    assert np.array_equal(run(steps=np.int64(3))["b"], run(steps=3)["b"])


@pytest.mark.parametrize("w0", [None, [], {}, {"a": (), "b": None}])
def test_weights_without_arrays(w0: Any) -> None:
    refused("^w0: it holds no array", w0=w0)


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [
        (np.arange(3), "int64"),
        (np.ones(2, complex), "complex128"),
        (np.array([True]), "bool"),
        (np.array(["a"]), "<U1"),
        ("a", "str"),
        (3, "int"),
        (1j, "complex"),
    ],
)
def test_weights_that_are_no_floats(leaf: Any, kind: str) -> None:
    refused(rf"^w0: \['b'\] is .*\({kind}\); give real float", w0={"a": np.ones(2), "b": leaf})


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_weights_without_elements(shape: tuple[int, ...]) -> None:
    refused(r"^w0: \['b'\] has shape .* no elements", w0={"a": np.ones(2), "b": np.ones(shape)})


@pytest.mark.parametrize("loss", [None, 3.0, "mse"])
def test_loss(loss: Any) -> None:
    refused(r"^loss: .* give a function loss\(w, hyper, step\)", loss=loss)


def test_a_loss_that_is_no_number() -> None:
    with pytest.raises(DifferentiationError, match=r"^loss, at step 0: .* shape \(2, 3\)"):
        run(loss=lambda w, hyper, step: w["W"])
    with pytest.raises(DifferentiationError, match="real number"):
        run(loss=lambda w, hyper, step: np.sum(w["W"]) * 1j)


@pytest.mark.parametrize("optimizer", ["adam", None, rg.Adam, 0.1])
def test_optimizer(optimizer: Any) -> None:
    refused("^optimizer: .* give one of retrograd's", optimizer=optimizer)
    with pytest.raises(ArgumentError, match=r"^optimizer: "):
        rg.train_in_floats(bowl, WEIGHTS, None, optimizer, 3)


@pytest.mark.parametrize("adjoint", ["stored", rg.Stored, 3])
def test_adjoint(adjoint: Any) -> None:
    refused(r"^adjoint: .* give an instance", adjoint=adjoint)


@pytest.mark.parametrize("diagnostics", [[], rg.Diagnostics, "all"])
def test_diagnostics(diagnostics: Any) -> None:
    refused(r"^diagnostics: .* give an instance", diagnostics=diagnostics)


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("bad", [-0.1, 1, 1.0, 1.5, np.nan, np.inf, -np.inf])
def test_momentum_outside_its_domain(bad: float, adjoint: Any) -> None:
    for momentum in (bad, rg.per_step([0.5, 0.5, bad, 0.5, 0.5]), {"W": 0.5, "b": bad}):
        refused(
            r"^momentum: .* was given to Momentum; it must be a finite number in \[0, 1\)",
            optimizer=rg.Momentum(0.1, momentum),
            adjoint=adjoint(),
        )
    with pytest.raises(ArgumentError, match=r"^momentum: "):
        rg.train_in_floats(bowl, WEIGHTS, None, rg.Momentum(0.1, bad), 3)


def test_momentum_zero_is_kept_whole() -> None:
    """A factor of 0 loses everything, and everything is kept; the gradient is that of Stored."""
    later = rg.per_step([0.5, 0.5, 0.5, 0.0, 0.5])
    for momentum in (0, 0.0, later, rg.per_leaf([0.5, 0.0])):

        def final(rate: Any, adjoint: Any, momentum: Any = momentum) -> Any:
            w = rg.train(bowl, WEIGHTS, None, rg.Momentum(rate, momentum), 5, adjoint=adjoint)
            return np.sum(w["W"]) + np.sum(w["b"])

        found = [rg.grad(final)(0.1, adjoint) for adjoint in (rg.Reversible(), rg.Stored())]
        assert found[0] == found[1] != 0


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("bad", "end"), [(1e-9, 0), (1 - 1e-9, 1)])
def test_momentum_that_rounds_to_an_end(bad: float, end: int, adjoint: Any) -> None:
    """Found before the first step, wherever in the schedule of each element it stands."""
    calls = []
    schedule = {"W": np.full((5, 2, 3), 0.5), "b": np.full((5, 3), 0.5)}
    schedule["W"][4, 1, 1] = bad

    def loss(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        return bowl(w, hyper, step)

    refused(
        rf"^momentum: at step 4, Momentum multiplies slot 'velocity' by .*rounds to {end}",
        loss=loss,
        optimizer=rg.Momentum(0.1, rg.per_step(schedule)),
        adjoint=adjoint(),
    )
    assert not calls


def test_momentum_next_to_one_is_no_rounding() -> None:
    """Factors for a whole leaf are put off, and multiplied until they amount to something."""

    def final(momentum: Any) -> Any:
        w = rg.train(bowl, WEIGHTS, None, rg.Momentum(0.01, momentum), 50)
        return np.sum(w["W"])

    ends = [final(1 - 1e-3 + e) for e in (1e-6, -1e-6)]
    slope = (ends[0] - ends[1]) / 2e-6
    assert rg.grad(final)(1 - 1e-3) == pytest.approx(slope, rel=1e-4)
    assert rg.grad(final)(1 - 1e-9) == pytest.approx(slope, rel=0.1)


@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("bad", [-0.1, 1, np.nan])
def test_moments_outside_their_domain(name: str, bad: float) -> None:
    given: dict[str, Any] = {name: bad}
    refused(rf"^{name}: .* given to Adam; .*\[0, 1\)", optimizer=rg.Adam(**given))


@pytest.mark.parametrize("bad", [0.0, -1e-8, np.inf])
def test_epsilon_outside_its_domain(bad: float) -> None:
    refused(r"^epsilon: .* given to Adam; .*\(0, inf\)", optimizer=rg.Adam(epsilon=bad))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_rate_that_is_not_finite(bad: float, kind: Any) -> None:
    refused(rf"^rate: {bad} was given to {kind.__name__}; .*finite", optimizer=kind(rate=bad))


def test_empty_data_is_refused_where_batches_are_drawn() -> None:
    data = np.ones((0, 2))

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return np.sum(data[rg.data.minibatch(len(data), 10, step, 0)] @ w)

    refused(r"(?i)0", loss=loss, w0=np.ones(2))


def test_a_batch_of_no_examples_gives_no_number() -> None:
    with pytest.warns(RuntimeWarning), pytest.raises(ArithmeticError, match="nan at step 0"):
        run(loss=lambda w, hyper, step: np.mean(w["b"][:0]))


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)
def test_radix(adjoint: Any) -> None:
    def wrong(radix: Any, pattern: str) -> None:
        optimizer = rg.Momentum(0.1, radix=radix)
        refused(pattern, optimizer=optimizer, adjoint=adjoint())

    wrong({"velocities": 40}, r"^radix: Momentum has no slot \['velocities'\]; its slots are")
    wrong({"weights": 62}, "^radix is 62; give a whole number from 0 to 61")
    wrong({"weights": 4.5}, r"^radix is 4\.5")
    wrong(44, "^radix: 44 was given; give digits by slot")


def test_a_smaller_radix_holds_larger_weights() -> None:
    far = {"W": np.full((2, 3), 1e6), "b": np.zeros(3)}
    with pytest.raises(OverflowError, match=r"slot 'weights', \['W'\]\[0, 0\] at step 0.*radix"):
        run(w0=far, optimizer=rg.Momentum(1e-9))
    w = run(w0=far, optimizer=rg.Momentum(1e-9, radix={"weights": 40, "velocity": 30}))
    assert np.abs(w["W"] - 1e6).max() < 1
