"""Losses as people write them: plain NumPy, batches by counter, branches on the step."""

from __future__ import annotations

from typing import Any

import numpy
import numpy as np
import pytest
from small_problem import ADJOINTS

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.data import minibatch

adjoints = pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)

RNG = numpy.random.default_rng(0)
IMAGES = RNG.normal(size=(50, 4))
TARGETS = IMAGES @ RNG.normal(size=4)


def in_plain_numpy(w: Any, hyper: Any, step: int) -> Any:
    residual = np.tanh(IMAGES @ w) - TARGETS
    return np.mean(residual * residual) + hyper * np.sum(np.abs(w))


def in_the_drop_in(w: Any, hyper: Any, step: int) -> Any:
    residual = rnp.tanh(IMAGES @ w) - TARGETS
    return rnp.mean(residual * residual) + hyper * rnp.sum(rnp.abs(w))


def on_minibatches(w: Any, hyper: Any, step: int) -> Any:
    chosen = minibatch(len(IMAGES), 8, step, seed=3)
    residual = IMAGES[chosen] @ w - TARGETS[chosen]
    return np.mean(residual * residual) + hyper * np.sum(w * w)


def with_branches(w: Any, hyper: Any, step: int) -> Any:
    if step % 3 == 0:
        return hyper * np.sum(w * w)
    total = 0.0
    for i in range(step % 4 + 1):
        total = total + (w[i] - 1.0) ** 2
    return total if step < 10 else total * hyper


def with_seeded_noise(w: Any, hyper: Any, step: int) -> Any:
    noise = np.random.Generator(np.random.Philox(key=[7, step])).normal(size=4)
    return np.sum((w - hyper * noise) ** 2)


def in_place(w: Any, hyper: Any, step: int) -> Any:
    w = w * 1.0
    w -= hyper
    w *= w
    return np.sum(w)


LOSSES = [
    in_plain_numpy, in_the_drop_in, on_minibatches, with_branches, with_seeded_noise, in_place,
]  # fmt: skip


def final(loss: Any, hyper: Any, rate: Any, adjoint: Any) -> Any:
    given = loss, numpy.full(4, 0.25), hyper, rg.Momentum(rate, 0.75), 15
    w = rg.train(*given, adjoint=adjoint) if adjoint else rg.train_in_floats(*given)
    return np.sum(w * np.arange(1.0, 5.0))


@adjoints
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_gradient_agrees_with_differences(loss: Any, adjoint: Any) -> None:
    by_hyper, by_rate = rg.grad(lambda h, r: final(loss, h, r, adjoint()), (0, 1))(0.125, 0.0625)
    ends = [final(loss, 0.125 + c, 0.0625, None) for c in (1e-6, -1e-6)]
    assert by_hyper == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
    ends = [final(loss, 0.125, 0.0625 + c, None) for c in (1e-6, -1e-6)]
    assert by_rate == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_both_namespaces_train_the_same_bits() -> None:
    expected = rg.train(in_plain_numpy, np.ones(4), 0.1, rg.Momentum(0.1), 10)
    found = rg.train(in_the_drop_in, np.ones(4), 0.1, rg.Momentum(0.1), 10)
    assert np.array_equal(found, expected)


@adjoints
def test_the_loss_is_asked_once_a_step_forwards_and_once_backwards(adjoint: Any) -> None:
    calls: list[int] = []

    def loss(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        return np.sum((w - hyper) ** 2)

    rg.grad(lambda h: final(loss, h, 0.1, adjoint()))(0.5)
    # The first step is asked for twice before the run: the preflight.
    assert calls == [0, 0, *range(1, 15), *reversed(range(15))]


def test_what_the_loss_gets() -> None:
    seen: dict[str, Any] = {}

    def loss(w: Any, hyper: Any, step: int) -> Any:
        seen.update(structure=rg.tree.flatten(w)[1], hyper=hyper, step=type(step))
        return np.sum(w["a"][0]) * hyper["scale"]

    w0 = {"a": (np.ones(2), 0.5), "b": None}
    hyper = {"scale": 2.0, "labels": [1, 2], "name": "x", "none": None}
    rg.train(loss, w0, hyper, rg.Momentum(0.1), 2)
    assert seen == {"structure": rg.tree.flatten(w0)[1], "hyper": hyper, "step": int}


def test_arguments_are_left_as_they_were() -> None:
    w0, rates, hyper = np.ones(3), np.full(5, 0.1), np.zeros(3)
    run = lambda w0, rates, hyper: np.sum(  # noqa: E731
        rg.train(
            lambda w, h, step: np.sum((w - h) ** 2), w0, hyper, rg.Momentum(rg.per_step(rates)), 5
        )
    )
    rg.grad(run, (0, 1, 2))(w0, rates, hyper)
    assert np.array_equal(w0, np.ones(3))
    assert np.array_equal(rates, np.full(5, 0.1))
    assert np.array_equal(hyper, np.zeros(3))
