"""What each reverse model predicts, and that what it learns can be unlearned."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from retrograd.adjoints.adjoint import Dynamics, Snapshot
from retrograd.adjoints.reverse_models import (
    Guess,
    Linear,
    Nothing,
    OnlineLinear,
    OptimizerInverse,
    Predictor,
    ReverseModel,
    Straight,
)
from retrograd.errors import ArgumentError

NO_DYNAMICS = cast("Dynamics", object())


def guesses(predictor: Predictor, later: list[Snapshot], now: Snapshot) -> dict[str, Guess]:
    found: dict[str, Guess] = {}

    def settle(name: str, guess: Guess) -> Any:
        found[name] = guess
        return now[name]

    predictor.predict(0, later, settle)
    return found


def decaying(steps: int, seed: int = 0) -> list[Snapshot]:
    """Two arrays; the position moves by a multiple of a velocity that shrinks and is kicked."""
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=40), rng.normal(size=40)
    states = [{"x": x, "v": v}]
    for _ in range(steps):
        v = 0.8 * v + 1e-3 * rng.normal(size=40)
        x = x + 0.25 * v
        states.append({"x": x, "v": v})
    return states


def run_over(predictor: Predictor, states: list[Snapshot], later: int) -> list[Snapshot]:
    """Learn from and predict all states but the last, in order; the values of the guesses."""
    found = []
    for t in range(len(states) - 1):
        after = states[t + 1 : t + 1 + later]
        predictor.learn(states[t], after)
        found.append({n: g.values for n, g in guesses(predictor, after, states[t]).items()})
    return found


def test_nothing_and_straight_say_what_they_say() -> None:
    now = {"x": np.array([1.0, 5.0]), "n": np.array([3])}
    later = [
        {"x": np.array([2.0, 5.0]), "n": np.array([4])},
        {"x": np.array([3.5, 5.0]), "n": np.array([6])},
    ]
    still = guesses(Nothing().predictor(NO_DYNAMICS), later, now)
    assert still["x"].values.tolist() == [2.0, 5.0]
    line = guesses(Straight().predictor(NO_DYNAMICS), later, now)
    assert line["x"].values.tolist() == [0.5, 5.0]
    assert line["n"].values.tolist() == [4]
    contexts = line["x"].contexts
    assert contexts is not None
    assert contexts[0] > 40  # far from equal, in neighbouring floats
    assert contexts[1] == 0


@pytest.mark.parametrize("model", [Nothing(), Straight(), OnlineLinear(), Linear()], ids=repr)
def test_near_the_end_fewer_states_are_known(model: ReverseModel) -> None:
    states = decaying(1)
    predictor = model.predictor(NO_DYNAMICS)
    predictor.learn(states[0], states[1:])
    for name, guess in guesses(predictor, states[1:], states[0]).items():
        assert np.array_equal(guess.values, states[1][name])


def test_an_online_model_learns_what_is_linear() -> None:
    model, states = OnlineLinear(), decaying(30)
    found = run_over(model.predictor(NO_DYNAMICS), states, model.later)
    # The position's change is a multiple of the velocity after the step, exactly.
    for t in range(5, 15):
        assert np.abs(found[t]["x"] - states[t]["x"]).max() < 1e-7
        error = np.abs(found[t]["v"] - states[t]["v"]).mean()
        assert error < 0.2 * np.abs(states[t + 1]["v"] - states[t]["v"]).mean()


def test_what_was_learned_is_unlearned_exactly() -> None:
    model, states = OnlineLinear(3), decaying(12)
    predictor = model.predictor(NO_DYNAMICS)
    forwards = run_over(predictor, states, model.later)
    assert predictor.nbytes > 0
    assert not predictor.is_empty()
    for t in reversed(range(len(states) - 1)):
        after = states[t + 1 : t + 1 + model.later]
        for name, guess in guesses(predictor, after, states[t]).items():
            assert guess.values.tobytes() == forwards[t][name].tobytes()
        predictor.unlearn(states[t], after)
    assert predictor.is_empty()


def test_what_was_learned_can_be_saved() -> None:
    model, states = OnlineLinear(), decaying(6)
    predictor, other = (model.predictor(NO_DYNAMICS) for _ in range(2))
    run_over(predictor, states, model.later)
    other.load(predictor.export())
    ours, theirs = (guesses(p, states[1:4], states[0]) for p in (predictor, other))
    assert all(ours[name].values.tobytes() == theirs[name].values.tobytes() for name in ours)


def test_an_offline_model_learns_on_the_first_run_only() -> None:
    model = Linear()
    assert model.coefficients is None
    first = model.predictor(NO_DYNAMICS)
    run_over(first, decaying(30), model.later)
    first.finish()
    coefficients = model.coefficients
    assert coefficients is not None
    second = model.predictor(NO_DYNAMICS)
    states = decaying(10, seed=1)
    found = run_over(second, states, model.later)
    second.finish()
    assert model.coefficients is coefficients
    assert second.is_empty()
    assert np.abs(found[0]["x"] - states[0]["x"]).max() < 1e-6
    same = Linear(coefficients=coefficients).predictor(NO_DYNAMICS)
    again = run_over(same, states, model.later)
    assert again[3]["v"].tobytes() == found[3]["v"].tobytes()


def test_numbers_that_are_none_do_not_spoil_what_is_learned() -> None:
    model, states = OnlineLinear(), decaying(20)
    for t, value in ((3, np.nan), (4, np.inf), (5, -np.inf), (6, 1e308), (7, 5e-324)):
        states[t] = {name: array.copy() for name, array in states[t].items()}
        states[t]["x"][t] = states[t]["v"][0] = value
    predictor = model.predictor(NO_DYNAMICS)
    found = run_over(predictor, states, model.later)
    assert np.isfinite(found[-1]["x"]).all()
    error = np.abs(found[12]["x"] - states[12]["x"]).mean()
    assert error < 0.3 * np.abs(states[13]["x"] - states[12]["x"]).mean()
    for t in reversed(range(20)):
        predictor.unlearn(states[t], states[t + 1 : t + 1 + model.later])
    assert predictor.is_empty()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_predictions_have_the_dtype_of_the_state(dtype: Any) -> None:
    states = [{n: x.astype(dtype) for n, x in state.items()} for state in decaying(6)]
    states = [{**state, "count": np.array([t])} for t, state in enumerate(states)]
    model = OnlineLinear()
    for values in run_over(model.predictor(NO_DYNAMICS), states, model.later):
        assert values["x"].dtype == dtype
        assert values["count"].dtype == np.int64


def test_an_optimizer_is_needed_to_invert_one() -> None:
    with pytest.raises(ArgumentError, match=r"no optimizer to invert.*such as Straight\(\)"):
        OptimizerInverse().predictor(NO_DYNAMICS)


@pytest.mark.parametrize("lags", [0, -1, 1.5, True, "two"])
@pytest.mark.parametrize("kind", [Linear, OnlineLinear])
def test_lags_are_a_number_of_changes(kind: Any, lags: Any) -> None:
    with pytest.raises(
        ArgumentError, match=f"{kind.__name__}: lags=.* was given; give a whole number"
    ):
        kind(lags)
