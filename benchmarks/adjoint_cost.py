"""What a hypergradient costs by optimizer and adjoint: time over one plain training, bytes kept.

    python benchmarks/adjoint_cost.py [--network small|wide] [--optimizers Momentum Adam ...]
        [--adjoints reversible stored ...] [--rounds 5] [--steps 100]

"small" is the learned schedule's problem: a network 784-50-50-50-10, batch 200; "wide" is
784-1000-1000-10, batch 100, which has few operations per parameter. Rates are one number per step;
float64, one BLAS thread, processor time. Plain training is the same optimizer in the engine's own
floats (`retrograd.train_in_floats`). The derivative is taken with respect to the rates and the
initial weights. Plain training and all adjoints take turns; the table holds medians of the ratios
within a round.
"""

from __future__ import annotations

import argparse
import statistics
from time import process_time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd import optimizers
from retrograd.adjoints import Adjoint, OptimizerInverse
from retrograd.data import load, minibatch, one_hot
from retrograd.experiments.network import (
    cross_entropy,
    initial_weights,
    logits,
    unit_normals,
)

NETWORKS = {"small": ((784, 50, 50, 50, 10), 200), "wide": ((784, 1000, 1000, 10), 100)}
RATES = {"Adam": 1e-3, "AdamW": 1e-3, "Adamax": 1e-3, "NAdam": 1e-3, "Lion": 1e-4, "RMSprop": 1e-3}
VARIANTS = {"RMSprop+momentum": lambda rate: optimizers.RMSprop(rate, momentum=0.9)}
ADJOINTS: dict[str, Any] = {
    "reversible": rg.Reversible,
    "segments": lambda: rg.Reversible(checkpoints=10),
    "stored": rg.Stored,
    "checkpointed": lambda: rg.Checkpointed(slots=10),
    "coded": lambda: rg.Coded(OptimizerInverse()),
}


class Problem:
    """A training problem, and how long it takes plainly and with each adjoint."""

    def __init__(self, network: str, optimizer: str, steps: int) -> None:
        sizes, batch = NETWORKS[network]
        data = load("mnist-10k").train
        targets = one_hot(data.labels, sizes[-1])

        def loss(w: Any, hyper: Any, step: int) -> Any:
            chosen = minibatch(len(targets), batch, step, 0)
            return cross_entropy(logits(w, data.images[chosen]), targets[chosen])

        self.loss, self.steps = loss, steps
        scale = np.full(2 * (len(sizes) - 1), 0.05)
        self.w0 = initial_weights(unit_normals(sizes, 0), scale)
        self.kind = VARIANTS.get(optimizer) or getattr(optimizers, optimizer)
        self.rates = np.full(steps, RATES.get(optimizer.partition("+")[0], 0.05))

    def optimizer(self, rates: Any) -> Any:
        return self.kind(rg.per_step(rates))

    def plain(self) -> float:
        """Seconds of one training without derivatives."""
        started = process_time()
        rg.train_in_floats(self.loss, self.w0, None, self.optimizer(self.rates), self.steps)
        return process_time() - started

    def hypergradient(self, adjoint: Adjoint) -> tuple[float, int]:
        """Seconds of the forward run and the sweep, and the bytes kept."""
        seen = rg.Diagnostics()

        def trained(rates: Any, w0: Any) -> Any:
            given = self.loss, w0, None, self.optimizer(rates), self.steps
            return rg.train(*given, adjoint=adjoint, diagnostics=seen)

        started = process_time()
        w, pullback = rg.vjp(trained, self.rates, self.w0)
        pullback(w)
        seconds = process_time() - started
        assert seen.certificate is not None
        return seconds, seen.certificate.bytes_kept


def row(problem: Problem, names: list[str], rounds: int) -> tuple[float, list[tuple[float, int]]]:
    """The seconds of plain training, and for each adjoint the ratio and the bytes."""
    plain: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in names}
    kept: dict[str, int] = {}
    for _ in range(rounds + 1):
        plain.append(problem.plain())
        for name in names:
            try:
                seconds, kept[name] = problem.hypergradient(ADJOINTS[name]())
            except rg.errors.NotReversibleError:
                continue
            ratios[name].append(seconds / plain[-1])
    found = [
        (statistics.median(ratios[n][1:]) if ratios[n] else np.nan, kept.get(n, 0)) for n in names
    ]
    return statistics.median(plain[1:]), found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--optimizers", nargs="+", default=["Momentum", "Adam"])
    parser.add_argument("--adjoints", nargs="+", choices=ADJOINTS, default=list(ADJOINTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    print("| optimizer | plain, s | " + " | ".join(options.adjoints) + " |")
    print("|---" * (2 + len(options.adjoints)) + "|")
    with threadpool_limits(1):
        for name in options.optimizers:
            problem = Problem(options.network, name, options.steps)
            plain, found = row(problem, options.adjoints, options.rounds)
            cells = [
                "-" if np.isnan(ratio) else f"{ratio:.2f} ({kept / 1e6:,.1f} MB)"
                for ratio, kept in found
            ]
            print(f"| {name} | {plain:.3f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
