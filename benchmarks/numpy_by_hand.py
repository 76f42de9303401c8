"""Training and hypergradients against loops that are written by hand in NumPy, as a table.

    python benchmarks/numpy_by_hand.py [--rounds 7] [--steps 100]

A tanh network 784-50-50-50-10 with a softmax on top, batch 200, float32, trained by momentum with
a rate and a momentum of its own for every step and group of parameters. By hand: gradients that
are written out and updates in place; for the hypergradient, a sweep over stored weights and
velocities with a Hessian-vector product that is written out (forward over reverse). Against them:
`retrograd.train` without a derivative, its `Reversible` and `Stored` hypergradients, the engine's
gradients in the place of the written ones, and `retrograd.train_in_floats`, which works in float64.

Processor time, one BLAS thread, all in turns in every round: medians over the rounds, of ratios
within each round. Both hypergradients are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd.experiments.network import cross_entropy, logits

SIZES, BATCH = [784, 50, 50, 50, 10], 200
# Largest difference of two hypergradients of float32 arithmetic, relative to the largest number.
TOLERANCE = 1e-4

Array = NDArray[Any]
Groups = list[Array]  # weights 1, biases 1, weights 2, ...


def gradient(w: Groups, x: Array, y: Array) -> Groups:
    """The gradient of the mean cross-entropy, by hand."""
    inputs = activations(w, x)
    g = softmax_slope(inputs.pop(), y)
    found: Groups = []
    for i in range(len(w) - 2, -1, -2):
        h = inputs.pop()
        found += [g.sum(axis=0), h.T @ g]
        if i:
            g = g @ w[i].T
            g *= 1 - h * h
    return found[::-1]


def activations(w: Groups, x: Array) -> list[Array]:
    """What enters each layer, and the outputs before the softmax."""
    found = [x]
    for i in range(0, len(w), 2):
        z = found[-1] @ w[i]
        z += w[i + 1]
        found.append(z if i == len(w) - 2 else np.tanh(z, out=z))
    return found


def softmax(z: Array) -> Array:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def softmax_slope(z: Array, y: Array) -> Array:
    """The derivative of the mean cross-entropy with respect to the outputs."""
    return (softmax(z) - y) / len(z)


def gradient_along(w: Groups, u: Groups, x: Array, y: Array) -> tuple[Groups, Groups]:
    """The gradient and the Hessian's product with `u`, by hand: forward over reverse."""
    inputs = activations(w, x)
    moved: list[Array | None] = [None]
    for i in range(0, len(w), 2):
        d = inputs[i // 2] @ u[i]
        d += u[i + 1]
        if i:
            d += moved[-1] @ w[i]  # type: ignore[operator]
        if i < len(w) - 2:
            h = inputs[i // 2 + 1]
            d *= 1 - h * h
        moved.append(d)
    p, d = softmax(inputs.pop()), moved.pop()
    g = (p - y) / len(x)
    g_moved = p * (d - (p * d).sum(axis=1, keepdims=True)) / len(x)
    found: Groups = []
    product: Groups = []
    for i in range(len(w) - 2, -1, -2):
        h, d = inputs.pop(), moved.pop()
        found += [g.sum(axis=0), h.T @ g]
        product += [g_moved.sum(axis=0), h.T @ g_moved]
        if d is not None:
            product[-1] += d.T @ g
            slope = 1 - h * h
            back = g @ w[i].T
            g_moved = (g_moved @ w[i].T + g @ u[i].T) * slope - 2 * back * h * d
            g = back * slope
    return found[::-1], product[::-1]


class Task:
    """The problem: batches, initial weights, rates and momenta."""

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(0)
        self.steps = steps
        self.x = rng.random((steps + 1, BATCH, SIZES[0])).astype(np.float32)
        teacher = rng.normal(size=(SIZES[0], SIZES[-1])).astype(np.float32)
        labels = np.argmax((self.x - 0.5) @ teacher, axis=2)
        self.y = np.eye(SIZES[-1], dtype=np.float32)[labels]
        self.w: Groups = []
        for m, n in pairwise(SIZES):
            self.w.append((rng.normal(size=(m, n)) / m**0.5).astype(np.float32))
            self.w.append(np.zeros(n, np.float32))
        self.rates = rng.uniform(0.05, 0.15, (steps, len(self.w)))
        self.momenta = rng.uniform(0.4, 0.6, (steps, len(self.w)))

    def loss(self, w: Any, hyper: None, step: int) -> Any:
        return cross_entropy(logits(w, self.x[step]), self.y[step])

    @property
    def layers(self) -> list[tuple[Array, Array]]:
        return list(zip(self.w[::2], self.w[1::2], strict=True))

    def optimizer(self, rates: Any, momenta: Any) -> rg.Momentum:
        momentum = rg.per_step(momenta)
        return rg.Momentum(rg.per_step(rates), momentum, dampening=momentum)


def train_by_hand(task: Task, asked: Callable[..., Groups], stored: list[Any] | None) -> Groups:
    """The plain loop; weights before and velocities before each step go into `stored`."""
    w = [part.copy() for part in task.w]
    v = [np.zeros_like(part) for part in w]
    for t in range(task.steps):
        if stored is not None:
            stored.append(([part.copy() for part in w], [part.copy() for part in v]))
        g = asked(w, task.x[t], task.y[t])
        for i in range(len(w)):
            momentum = float(task.momenta[t, i])
            v[i] *= momentum
            g[i] *= 1 - momentum
            v[i] -= g[i]
            w[i] += float(task.rates[t, i]) * v[i]
    return w


def hypergradient_by_hand(task: Task) -> tuple[Array, Array]:
    """The hypergradients of rates and momenta: the stored sweep."""
    stored: list[tuple[Groups, Groups]] = []
    w = train_by_hand(task, gradient, stored)
    w_bar = gradient(w, task.x[-1], task.y[-1])
    v_bar = [np.zeros_like(part) for part in w]
    rates, momenta = np.zeros_like(task.rates), np.zeros_like(task.momenta)
    for t in range(task.steps - 1, -1, -1):
        w, v = stored.pop()
        g_bar = []
        for i in range(len(w)):
            v_bar[i] += float(task.rates[t, i]) * w_bar[i]
            g_bar.append((float(task.momenta[t, i]) - 1) * v_bar[i])
        g, product = gradient_along(w, g_bar, task.x[t], task.y[t])
        for i in range(len(w)):
            momentum = float(task.momenta[t, i])
            after = momentum * v[i] - (1 - momentum) * g[i]
            rates[t, i] = np.vdot(w_bar[i], after)
            momenta[t, i] = np.vdot(v_bar[i], v[i]) + np.vdot(v_bar[i], g[i])
            w_bar[i] += product[i]
            v_bar[i] *= momentum
    return rates, momenta


def train_plain(task: Task) -> Any:
    optimizer = task.optimizer(task.rates, task.momenta)
    return rg.train(task.loss, task.layers, None, optimizer, task.steps)


def train_in_floats(task: Task) -> Any:
    optimizer = task.optimizer(task.rates, task.momenta)
    return rg.train_in_floats(task.loss, task.layers, None, optimizer, task.steps)


def train_with_engine(task: Task) -> Groups:
    """The loop by hand with the engine's gradients."""
    ours = rg.grad(lambda w, x, y: cross_entropy(logits(w, x), y))

    def asked(w: Groups, x: Array, y: Array) -> Groups:
        return rg.tree.leaves(ours(list(zip(w[::2], w[1::2], strict=True)), x, y))

    return train_by_hand(task, asked, None)


def hypergradient(task: Task, adjoint: Any) -> tuple[Array, Array]:
    def objective(hyper: tuple[Any, Any]) -> Any:
        w = rg.train(
            task.loss, task.layers, None, task.optimizer(*hyper), task.steps, adjoint=adjoint
        )
        return task.loss(w, None, task.steps)

    return rg.grad(objective)((task.rates, task.momenta))


def largest_difference(task: Task) -> float:
    """Between the hypergradient by hand and the reversible one, relative to the largest number."""
    pairs = zip(hypergradient_by_hand(task), hypergradient(task, rg.Reversible()), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(a))) for a, b in pairs)


# By name: what it is compared with, the bar, and how it is run.
RUNS: dict[str, tuple[str, float, Callable[[Task], Any]]] = {
    "training by hand": ("training by hand", 1.0, lambda t: train_by_hand(t, gradient, None)),
    "by hand with the engine's gradients": ("training by hand", np.nan, train_with_engine),
    "`train`, no derivative": ("training by hand", 1.3, train_plain),
    "`train_in_floats` (float64)": ("training by hand", np.nan, train_in_floats),
    "hypergradient by hand": ("hypergradient by hand", 1.0, hypergradient_by_hand),
    "`train`, `Reversible`": (
        "hypergradient by hand", 1.3, lambda t: hypergradient(t, rg.Reversible()),
    ),
    "`train`, `Stored`": ("hypergradient by hand", 1.3, lambda t: hypergradient(t, rg.Stored())),
}  # fmt: skip


def processor_time(run: Callable[[Task], Any], task: Task) -> float:
    start = time.process_time()
    run(task)
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    task = Task(options.steps)
    with threadpool_limits(1):
        difference = largest_difference(task)
        if not difference < TOLERANCE:
            raise SystemExit(f"the hypergradients differ by {difference:.1e}")
        rounds = [
            {name: processor_time(run, task) for name, (_, _, run) in RUNS.items()}
            for _ in range(options.rounds)
        ]
    print(f"largest relative difference of the hypergradients: {difference:.1e}\n")
    print("| run | seconds | over by hand | bar |")
    print("|---|---:|---:|---:|")
    for name, (base, bar, _) in RUNS.items():
        seconds = statistics.median(times[name] for times in rounds)
        ratio = statistics.median(times[name] / times[base] for times in rounds)
        print(f"| {name} | {seconds:.3f} | {ratio:.2f} | {'' if np.isnan(bar) else bar} |")


if __name__ == "__main__":
    main()
