"""The language model at small sizes: its gradient, its learning, its writing, the script."""

from __future__ import annotations

import re

import numpy as np
import pytest

import retrograd as rg

pytest.importorskip("constriction")
pytest.importorskip("matplotlib")


@pytest.fixture
def lm(example):
    return example("language_model/language_model")


@pytest.fixture
def text(lm):
    return lm.TEXT.read_text(encoding="utf-8")


@pytest.fixture
def problem(lm, text):
    """Weights of a small model, and passages of 30 letters."""
    alphabet = lm.alphabet_of(text)
    passages = lm.passages_of(text, alphabet, count=3, letters=30)
    return lm.initial_params(len(alphabet), hidden=5), passages


def by_loop(lm, params, passages):
    """The objective without `iterate`."""
    count, steps = len(passages), passages.shape[1] - 1
    state = lm.initial_state(count, len(params["around"]), params["around"].dtype)
    h, c, loss = state["h"], state["c"], state["loss"]
    for t in range(steps):
        h, c = lm.lstm(h, c, passages[:, t], params)
        told = lm.log_chances(h, params)[np.arange(count), passages[:, t + 1]]
        loss = loss - np.mean(told) / steps
    return loss


def test_the_text_is_some_kilobytes_of_sonnets(text):
    assert 5_000 < len(text) < 10_000
    assert [len(sonnet.strip().split("\n")) for sonnet in text.split("\n\n")] == [14] * 13


def test_passages_are_spread_over_the_text(lm, text):
    alphabet = lm.alphabet_of(text)
    passages = lm.passages_of(text, alphabet, count=4, letters=50)
    told = ["".join(alphabet[letter] for letter in passage) for passage in passages]
    assert passages.shape == (4, 51)
    assert text.startswith(told[0])
    assert text.endswith(told[-1])


def test_the_loss_starts_at_that_of_guessing(lm, problem):
    params, passages = problem
    loss = lm.objective({**params, "out": 0.0 * params["out"]}, passages, rg.Stored())
    assert loss == pytest.approx(np.log(57))


def test_the_gradient_is_that_of_the_loop(lm, problem):
    params, passages = problem
    ours, _ = lm.gradient(params, passages, rg.Checkpointed(slots=3))
    theirs = rg.grad(lambda params: by_loop(lm, params, passages))(params)
    for name in params:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-14)


def test_the_gradient_agrees_with_differences(lm, problem):
    params, passages = problem
    rng = np.random.default_rng(0)
    ahead = {name: rng.normal(size=value.shape) for name, value in params.items()}
    gradient, _ = lm.gradient(params, passages, rg.Stored())
    slope = sum(np.sum(gradient[name] * ahead[name]) for name in params)

    def along(distance):
        moved = {name: params[name] + distance * ahead[name] for name in params}
        return lm.objective(moved, passages, rg.Stored())

    errors = []
    for distance in (2e-3, 1e-3):
        difference = (along(distance) - along(-distance)) / (2 * distance)
        errors.append(abs(difference - slope))
    # Of second order: half the distance, a quarter of the error.
    assert errors[1] < 1e-3 * abs(slope)
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_every_strategy_gives_the_same_bits_in_float32(lm, problem):
    params, passages = lm.single(problem[0]), problem[1]
    found = lm.costs(params, passages, rounds=1)
    assert all(cost.same for cost in found)
    stored, kept = found[0], [cost.nbytes for cost in found if cost.slots]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 0.15 * stored.nbytes  # two of 30 states, and 8 bytes for each step
    assert found[-1].adjoint.startswith("Coded")


def test_the_prediction_counts_the_steps_taken_again(lm):
    stored = lm.Cost("Stored()", None, seconds=5.0, forward=1.0, nbytes=1, same=True)
    assert lm.predicted(100, 100, stored) == 5.0
    # One state alone: 99 steps again for the last pull, 98 for the one before, ..., none for 0.
    assert lm.predicted(1, 100, stored) == pytest.approx(5.0 + sum(range(100)) / 100)


def test_learning_descends(lm, problem):
    params, passages = problem
    settings = lm.Settings(letters=30, gradients=20, rate=0.03)
    losses = [step.value for step in lm.learn(params, passages, settings)]
    assert losses[-1] < 0.8 * losses[0]


def test_writing_is_repeatable_and_goes_on_from_the_start(lm, problem, text):
    alphabet = lm.alphabet_of(text)
    once, again = (lm.write(problem[0], alphabet, "Shall I ", 25) for _ in range(2))
    assert once == again
    assert once.startswith("Shall I ")
    assert len(once) == len("Shall I ") + 25


def test_the_script(run_example, tmp_path):
    told = run_example("language_model/language_model", "--quick", "--out", "figures")
    losses = [float(loss) for loss in re.findall(r"([\d.]+) nats", told)]
    assert losses[-1] < losses[0]
    assert told.count("| yes |") == told.count("MB |") >= 6
    assert (tmp_path / "figures" / "language_model.svg").read_text().startswith("<?xml")
