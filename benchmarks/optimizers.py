"""The optimizers against PyTorch's and optax's, and what it costs to run them backwards.

    python benchmarks/optimizers.py

Needs torch, jax and optax (`pip install "retrograd[bench]"`). All take 200 steps in float64 on the
same problem, with the same function for the gradient: 7,960 weights, 784-10-10, on batches of 50
digits. Prints two tables in Markdown:

1. the largest difference between the weights after 200 steps, divided by the largest distance that
   a weight has moved: retrograd in floats against the others, retrograd on the lattice against
   retrograd in floats, and, to say what of that the problem itself does to rounding, in floats from
   a start that is moved by 1e-15;
2. for those that can be run backwards, the bits per parameter and step that the tape grew by
   between step 1,000 and step 5,000 of a noisy quadratic problem (16 bits at a time, so that the
   last digit but one is the granularity), and what the factors alone say.

Optax's Muon divides by the norm of a bias-corrected average plus epsilon, ours by that of the
velocity plus epsilon: at the first step they agree to 3e-15, and this problem amplifies the
difference of the epsilons after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numpy as np
import optax
import torch
from numpy.typing import NDArray

import retrograd as rg
from retrograd.data import load
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.settings import ScheduleSettings

STEPS = 200
Leaves = list[NDArray[Any]]
# Takes the steps of a peer's optimizer.
Peer = Callable[[], Leaves]


@lru_cache
def problem() -> Problem:
    """The network and its digits."""
    return Problem(ScheduleSettings(steps=STEPS, batch=50, layers=(10,)), load("mnist-10k"))


def start() -> Any:
    """The initial weights."""
    return problem().initial({"log_scales": np.full(4, -2.0)}, 0)


def gradients(leaves: Leaves, step: int) -> Leaves:
    """The gradient of every leaf."""
    w = rg.tree.unflatten(rg.tree.flatten(start())[1], leaves)
    return rg.tree.leaves(rg.grad(problem().loss(0))(w, None, step))


def by_torch(kind: Any, clip: Callable[[Any], Any] | None = None, **settings: Any) -> Peer:
    """PyTorch's optimizer, fed with our gradients."""

    def run() -> Leaves:
        leaves = [torch.tensor(leaf, requires_grad=True) for leaf in rg.tree.leaves(start())]
        optimizer = kind(leaves, **settings)
        for t in range(STEPS):
            found = gradients([leaf.detach().numpy() for leaf in leaves], t)
            for leaf, gradient in zip(leaves, found, strict=True):
                leaf.grad = torch.tensor(gradient)
            if clip is not None:
                clip(leaves)
            optimizer.step()
        return [leaf.detach().numpy().copy() for leaf in leaves]

    return run


def by_optax(transform: Any) -> Peer:
    """Optax's transformation, fed with our gradients."""

    def run() -> Leaves:
        leaves = [jax.numpy.asarray(leaf) for leaf in rg.tree.leaves(start())]
        state, update = transform.init(leaves), jax.jit(transform.update)
        for t in range(STEPS):
            found = gradients([np.asarray(leaf) for leaf in leaves], t)
            updates, state = update(list(map(jax.numpy.asarray, found)), state, leaves)
            leaves = optax.apply_updates(leaves, updates)
        return [np.asarray(leaf) for leaf in leaves]

    return run


def optax_muon(rate: float, rest_rate: float, momentum: float) -> Any:
    """Optax's Muon without Nesterov, scaled as in Jordan et al., and momentum for the rest.

    Weights and biases alternate.
    """
    muon = optax.contrib.scale_by_muon(
        beta=momentum,
        eps=1e-7,
        nesterov=False,
        weight_dimension_numbers=lambda leaves: (
            [optax.contrib.MuonDimensionNumbers()] * len(leaves)
        ),
    )
    rest = optax.sgd(rest_rate, momentum)

    def init(params: Any) -> Any:
        return muon.init(params[::2]), rest.init(params[1::2])

    def update(gradients: Any, state: Any, params: Any) -> Any:
        matrices, first = muon.update(gradients[::2], state[0], params[::2])
        others, second = rest.update(gradients[1::2], state[1], params[1::2])
        scales = [max(1.0, x.shape[0] / x.shape[1]) ** 0.5 for x in matrices]
        matrices = [-rate * scale * x for x, scale in zip(matrices, scales, strict=True)]
        pairs = zip(matrices, others, strict=True)
        return [leaf for pair in pairs for leaf in pair], (first, second)

    return optax.GradientTransformation(init, update)


def signum(rate: float, momentum: float) -> Any:
    """Signum, made of optax's parts."""
    return optax.chain(optax.ema(momentum, debias=False), optax.scale_by_sign(), optax.scale(-rate))


def clip_by_value(leaves: Any) -> None:
    """PyTorch's clipping by value."""
    torch.nn.utils.clip_grad_value_(leaves, 0.01)


def cases() -> list[tuple[Any, Peer | None, Peer | None]]:
    """Each optimizer with its peers: PyTorch's and optax's."""
    t = torch.optim
    norm_in_optax = optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9))
    value_in_optax = optax.chain(optax.clip(0.01), optax.adam(1e-3))
    coupled = optax.chain(optax.add_decayed_weights(0.01), optax.adam(1e-3))
    return [
        (rg.SGD(0.1), by_torch(t.SGD, lr=0.1), by_optax(optax.sgd(0.1))),
        (
            rg.Momentum(0.1),
            by_torch(t.SGD, lr=0.1, momentum=0.9),
            by_optax(optax.sgd(0.1, 0.9)),
        ),
        (
            rg.Nesterov(0.1),
            by_torch(t.SGD, lr=0.1, momentum=0.9, nesterov=True),
            by_optax(optax.sgd(0.1, 0.9, nesterov=True)),
        ),
        (rg.Adam(1e-3), by_torch(t.Adam, lr=1e-3), by_optax(optax.adam(1e-3))),
        (
            rg.AdamW(1e-3, decay=0.1),
            by_torch(t.AdamW, lr=1e-3, weight_decay=0.1),
            by_optax(optax.adamw(1e-3, weight_decay=0.1)),
        ),
        (
            rg.AdamW(1e-3, decay=1e-3),
            by_torch(t.AdamW, lr=1e-3, weight_decay=1e-3),
            by_optax(optax.adamw(1e-3, weight_decay=1e-3)),
        ),
        (rg.Adamax(2e-3), by_torch(t.Adamax, lr=2e-3), by_optax(optax.adamax(2e-3))),
        (rg.NAdam(2e-3), by_torch(t.NAdam, lr=2e-3), None),
        (
            rg.RMSprop(1e-3),
            by_torch(t.RMSprop, lr=1e-3),
            by_optax(optax.rmsprop(1e-3, decay=0.99, eps_in_sqrt=False)),
        ),
        (
            rg.RMSprop(1e-3, momentum=0.9),
            by_torch(t.RMSprop, lr=1e-3, momentum=0.9),
            None,
        ),
        (rg.Signum(1e-3), None, by_optax(signum(1e-3, 0.9))),
        (rg.Lion(1e-3), None, by_optax(optax.lion(1e-3, weight_decay=0.0))),
        (
            rg.DecoupledDecay(rg.Lion(1e-3), 0.1),
            None,
            by_optax(optax.lion(1e-3, weight_decay=0.1)),
        ),
        (rg.Muon(0.02, 0.1, 0.95), None, by_optax(optax_muon(0.02, 0.1, 0.95))),
        (rg.ClippedByNorm(rg.Momentum(0.1), 0.5), None, by_optax(norm_in_optax)),
        (
            rg.ClippedByValue(rg.Adam(1e-3), 0.01),
            by_torch(t.Adam, clip_by_value, lr=1e-3),
            by_optax(value_in_optax),
        ),
        (
            rg.CoupledDecay(rg.Adam(1e-3), 0.01),
            by_torch(t.Adam, lr=1e-3, weight_decay=0.01),
            by_optax(coupled),
        ),
        (rg.Averaged(rg.Adam(1e-3), 0.99), None, None),
        (rg.Polyak(rg.Adam(1e-3)), None, None),
    ]


def difference(found: Leaves, expected: Leaves) -> str:
    """The largest difference, relative to the largest move."""
    apart = max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))
    moved = max(np.abs(a - b).max() for a, b in zip(expected, rg.tree.leaves(start()), strict=True))
    return f"{apart / moved:.1e}"


def in_floats(optimizer: Any, moved: float = 0.0) -> Leaves:
    """The weights after training in floats, from a start that is moved relatively by so much."""
    w0 = rg.tree.map(lambda x: x * (1 + moved), start())
    return rg.tree.leaves(rg.train_in_floats(problem().loss(0), w0, None, optimizer, STEPS))


def on_lattice(optimizer: Any) -> Leaves:
    """The weights after training on the lattice."""
    adjoint = rg.Stored()
    w = rg.train(problem().loss(0), start(), None, optimizer, STEPS, adjoint=adjoint)
    return rg.tree.leaves(w)


def compare() -> None:
    """The first table."""
    print("| optimizer | PyTorch | optax | lattice | start moved by 1e-15 |")
    print("|---|---|---|---|---|")
    for optimizer, *peers in cases():
        floats = in_floats(optimizer)
        columns = [difference(floats, peer()) if peer else "" for peer in peers]
        columns.append(difference(on_lattice(optimizer), floats))
        columns.append(difference(in_floats(optimizer, 1e-15), floats))
        print(f"| `{optimizer!r}` | {' | '.join(columns)} |", flush=True)


def tape(optimizer: Any, steps: int) -> int:
    """The bytes that the way back of a small run needs, the fixed part included."""
    rng, size = np.random.default_rng(0), 1_000
    targets, noise = rng.normal(size=size), rng.normal(size=(64, size))

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return hyper * np.sum((w - targets - noise[step % 64]) ** 2) / 2

    seen = rg.Diagnostics()

    def final(hyper: Any) -> Any:
        adjoint = rg.Reversible()
        w = rg.train(
            loss, np.zeros(size), hyper, optimizer, steps, adjoint=adjoint, diagnostics=seen
        )
        return np.sum(w)

    rg.grad(final)(1.0)
    assert seen.certificate is not None
    return seen.certificate.bytes_kept


def bits() -> None:
    """The second table."""
    reversible: list[tuple[Any, float]] = [
        (rg.Momentum(0.01), np.log2(1 / 0.9)),
        (rg.Adam(1e-3), np.log2(1 / 0.9 / 0.999)),
        (rg.AdamW(1e-3, decay=0.1), np.log2(1 / 0.9 / 0.999 / 0.9999)),
        (rg.Adamax(1e-3), np.log2(1 / 0.9 / 0.999)),
        (rg.RMSprop(1e-3, momentum=0.9), np.log2(1 / 0.9 / 0.99)),
        (rg.Signum(1e-3), np.log2(1 / 0.9)),
        (rg.Muon(1e-3, 1e-3), np.log2(1 / 0.95)),
        (rg.Averaged(rg.Momentum(0.01), 0.99), np.log2(1 / 0.9 / 0.99)),
        (rg.Polyak(rg.Momentum(0.01)), np.log2(1 / 0.9) + np.log2(5) / 4000),
    ]
    print("\n| optimizer | bits per parameter and step | by the factors |\n|---|---|---|")
    for optimizer, expected in reversible:
        grown = 8 * (tape(optimizer, 5_000) - tape(optimizer, 1_000)) / 1_000 / 4_000
        print(f"| `{optimizer!r}` | {grown:.3f} | {expected:.4f} |", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    compare()
    bits()
