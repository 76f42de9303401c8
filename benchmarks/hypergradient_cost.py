"""What a hypergradient costs: its time over that of one plain training, and the bytes it keeps.

    python benchmarks/hypergradient_cost.py [--rounds 15] [--data mnist-10k]

The problem is the learned schedule's: a network 784-50-50-50-10, batch 200, 100 steps of momentum,
a rate and a momentum for every step and group, float64, one BLAS thread. Plain training is the same
number of gradient steps by the same engine without the lattice (`retrograd.train_in_floats`).
Plain training and both adjoints take turns; the table holds medians over the rounds of the ratios
within each round. The outer loss is evaluated outside the timed part: the time of a hypergradient
is that of the forward run and the sweep.

The lattice's share is the time in the optimizer's program on integers, forwards (`Step.forward`)
and in the sweep (`Step.backward` without the derivative of the gradient that it asks for).
"""

from __future__ import annotations

import argparse
import statistics
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd.data import load
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.settings import ScheduleSettings
from retrograd.training.step import Step


class Clock:
    """Adds up the time spent in the program's readings, the gradients that they ask for apart."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.forward, self.backward = Step.forward, Step.backward

    def __enter__(self) -> Clock:
        clock = self

        def forward(step: Step, *args: Any) -> Any:
            return clock.timed(clock.forward, step, *args)

        def backward(step: Step, adjoint: Any, ask: Any, *args: Any) -> Any:
            def asked(direction: Any) -> Any:
                started = perf_counter()
                gradient = ask(direction)
                clock.seconds -= perf_counter() - started
                return gradient

            return clock.timed(clock.backward, step, adjoint, asked, *args)

        Step.forward, Step.backward = forward, backward  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Step.forward, Step.backward = self.forward, self.backward  # type: ignore[method-assign]

    def timed(self, function: Any, *args: Any) -> Any:
        started = perf_counter()
        result = function(*args)
        self.seconds += perf_counter() - started
        return result


def hypergradient(problem: Problem, hyper: Any) -> rg.Diagnostics:
    """One hypergradient; its times and certificate."""
    seen: list[rg.Diagnostics] = []

    def objective(hyper: Any) -> Any:
        value, aux = problem.objective(hyper, 0)
        seen.append(aux["seen"])
        return value

    rg.grad(objective)(hyper)
    return seen[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", default="mnist-10k")
    options = parser.parse_args()
    data = load(options.data)
    problems = {
        name: Problem(ScheduleSettings(data=options.data, adjoint=name), data)
        for name in ("reversible", "stored")
    }
    hyper = problems["reversible"].start()
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in problems}
    plain: list[float] = []
    bytes_kept: dict[str, int] = {}
    with threadpool_limits(1):
        for _ in range(options.rounds + 1):
            plain.append(problems["reversible"].seconds_in_floats(hyper, 0))
            for name, problem in problems.items():
                with Clock() as clock:
                    seen = hypergradient(problem, hyper)
                assert seen.certificate is not None
                bytes_kept[name] = seen.certificate.bytes_kept
                times = seen.seconds_forward, seen.seconds_sweep, clock.seconds
                rows[name].append(tuple(t / plain[-1] for t in times))  # type: ignore[arg-type]
    print(f"plain training: {np.median(plain[1:]):.3f} s\n")
    print("| adjoint | hypergradient / training | forward | sweep | of it lattice | bytes kept |")
    print("|---|---|---|---|---|---|")
    for name, ratios in rows.items():
        forward, sweep, lattice = (
            statistics.median(column) for column in zip(*ratios[1:], strict=True)
        )
        total = statistics.median(a + b for a, b, _ in ratios[1:])
        print(
            f"| {name} | **{total:.2f}** | {forward:.2f} | {sweep:.2f} | {lattice:.2f} "
            f"| {bytes_kept[name]:,} |"
        )


if __name__ == "__main__":
    main()
