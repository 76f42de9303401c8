"""Unmodified training in floats, gone back over by the optimizer's own inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.adjoints import Adjoint, Stored
from retrograd.adjoints.coded import Coded
from retrograd.adjoints.reverse_models import (
    Linear,
    Nothing,
    OnlineLinear,
    OptimizerInverse,
    Straight,
)
from retrograd.data import load, minibatch, one_hot
from retrograd.experiments.network import cross_entropy, initial_weights, logits, unit_normals
from retrograd.optimizers import OPTIMIZERS, Averaged, ClippedByNorm, CoupledDecay, Polyak

STEPS = 9


def weights(dtype: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=4).astype(dtype)]


def loss(w: Any, hyper: Any, step: int) -> Any:
    x = np.sin(np.arange(15.0).reshape(5, 3) + step).astype(w[0].dtype)
    z = rnp.tanh(x @ w[0] + w[1])
    return rnp.sum((z - hyper) ** 2) / 5


def hypergradient(
    optimizer: Any, adjoint: Adjoint, dtype: Any = np.float32, seen: Any = None
) -> Any:
    """With respect to a target, the initial weights and the rate."""

    def final(given: Any) -> Any:
        w0, target, rate = given
        w = rg.train(loss, w0, target, optimizer(rate), STEPS, adjoint=adjoint, diagnostics=seen)
        return rnp.sum(rnp.sin(w[0])) + rnp.sum(w[1] ** 2)

    target = np.linspace(-0.5, 0.5, 4).astype(dtype)
    return rg.grad(final)([weights(dtype), target, 0.02])


def flat(gradient: Any) -> Any:
    return np.concatenate([np.ravel(leaf).astype(float) for leaf in rg.tree.leaves(gradient)])


WRAPPED = {
    "average": lambda rate: Averaged(rg.Adam(rate), decay=0.9),
    "Polyak": lambda rate: Polyak(rg.Momentum(rate)),
    "clipped": lambda rate: ClippedByNorm(rg.Adam(rate), threshold=0.5),
    "decayed": lambda rate: CoupledDecay(rg.Momentum(rate), decay=0.1),
}
ALL: dict[str, Any] = {**{kind.__name__: kind for kind in OPTIMIZERS}, **WRAPPED}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_changes_no_bit_of_the_gradient(name: str, dtype: Any) -> None:
    plain = flat(hypergradient(ALL[name], Coded(Nothing()), dtype))
    for adjoint in (Coded(OptimizerInverse()), Coded(OptimizerInverse(), checkpoints=4)):
        assert flat(hypergradient(ALL[name], adjoint, dtype)).tobytes() == plain.tobytes()


@pytest.mark.parametrize("name", ["Adam", "Momentum", "RMSprop", "average"])
def test_it_is_the_gradient(name: str) -> None:
    ours = flat(hypergradient(ALL[name], Coded(OptimizerInverse()), np.float64))
    reference = flat(hypergradient(ALL[name], Stored(), np.float64))
    assert np.abs(ours - reference).max() < 1e-6 * np.abs(reference).max()


@pytest.mark.parametrize("model", [Straight(), OnlineLinear(), Linear()], ids=repr)
def test_other_models_train_too(model: Any) -> None:
    plain = flat(hypergradient(rg.Adam, Coded(Nothing())))
    for _ in range(2):
        assert flat(hypergradient(rg.Adam, Coded(model))).tobytes() == plain.tobytes()


def kept(optimizer: Any, model: Any, steps: int) -> float:
    """Bits per parameter and step in all, of a network on real data in float32."""
    data = load("mnist-10k")
    images = (data.train.images - data.train.images.mean(axis=0)).astype(np.float32)
    targets = one_hot(data.train.labels, data.classes).astype(np.float32)
    normals = unit_normals((784, 30, 30, 10), 0)
    w0 = [
        (W.astype(np.float32), b.astype(np.float32))
        for W, b in initial_weights(normals, np.full(6, np.exp(-3.0)))
    ]

    def on_batch(w: Any, hyper: None, step: int) -> Any:
        chosen = minibatch(len(images), 100, step, 0)
        return cross_entropy(logits(w, images[chosen]), targets[chosen])

    def final(factor: Any) -> Any:
        w = rg.train(
            on_batch,
            w0,
            None,
            optimizer(factor),
            steps,
            adjoint=Coded(model),
            diagnostics=seen,
        )
        return rnp.sum(w[-1][0] ** 2)

    seen = rg.Diagnostics()
    rg.grad(final)(1.0)
    certificate = seen.certificate
    assert certificate is not None
    return certificate.bits_per_element_step


def test_adam_in_float32_keeps_little_of_its_96_bits() -> None:
    bits = kept(lambda f: rg.Adam(1e-3 * f), OptimizerInverse(), steps=60)
    assert 0.3 < bits < 1.0


def test_momentum_in_float32_keeps_little_of_its_64_bits() -> None:
    assert 0.2 < kept(lambda f: rg.Momentum(0.1 * f), OptimizerInverse(), steps=30) < 0.8


def test_the_better_the_model_the_less_is_kept() -> None:
    models = (Nothing(), OnlineLinear(), OptimizerInverse())
    nothing, linear, inverse = (
        kept(lambda f: rg.Momentum(0.1 * f), model, steps=8) for model in models
    )
    # The position's part of a linear model is exact; the velocity needs the gradient.
    assert linear < 0.8 * nothing
    assert inverse < 0.1 * linear


def test_an_iterated_map_is_gone_back_over() -> None:
    def step(state: Any, rate: Any, t: int) -> Any:
        x, v = state
        v = 0.9 * v - rate * rnp.sin(x + t)
        return [x + v, v]

    def last(adjoint: Adjoint) -> Any:
        def function(rate: Any) -> Any:
            start = [np.linspace(0.0, 1.0, 6), np.zeros(6)]
            return rnp.sum(rg.iterate(step, start, rate, steps=20, adjoint=adjoint)[0])

        return rg.grad(function)(0.3)

    for model in (Nothing(), Straight(), OnlineLinear(), Linear()):
        for every in (None, 6):
            assert last(Coded(model, every)) == last(Stored())
