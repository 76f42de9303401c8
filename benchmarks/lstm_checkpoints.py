"""An LSTM over a long sequence: what the memory that `Checkpointed` spares costs in time.

    python benchmarks/lstm_checkpoints.py [--steps 1000 2000] [--hidden 128] [--batch 16]
                                          [--rounds 5]

The gradient of an LSTM's loss with respect to its weights, float32, one BLAS thread, through
`retrograd.iterate`. The adjoints take turns; the table holds medians over the rounds of processor
times and of their ratios within each round. `kept` is what the adjoint keeps from the forward run
for the sweep (the certificate's number), `peak` the most that is allocated at once during a
gradient (tracemalloc, in a run apart). The last row is the loop without `iterate`, differentiated
by the engine, which keeps every intermediate array of every step: ordinary backpropagation through
time. The row before it is `Checkpointed` with a twentieth of the memory of that, which may keep
derivatives of steps too.

The reference for Gruslys et al. (2016, "Memory-Efficient Backpropagation Through Time", NIPS): for
a sequence of 1,000 steps, 95 % of the memory spared for a third more time per iteration.
"""

from __future__ import annotations

import argparse
import statistics
import tracemalloc
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd.adjoints import Adjoint

FRACTIONS = (0.2, 0.1, 0.05, 0.02, 0.01)


class Problem:
    """An LSTM that adds up how far its output is from a sequence of targets."""

    def __init__(self, steps: int, hidden: int, batch: int) -> None:
        rng = np.random.default_rng(0)
        self.steps = steps
        self.inputs = rng.normal(size=(steps, batch, hidden)).astype(np.float32)
        self.params = {
            "inward": (rng.normal(size=(hidden, 4 * hidden)) / 10).astype(np.float32),
            "around": (rng.normal(size=(hidden, 4 * hidden)) / 10).astype(np.float32),
            "bias": np.zeros(4 * hidden, np.float32),
        }
        state = np.zeros((batch, hidden), np.float32)
        self.start = {"h": state, "c": state, "loss": np.zeros((), np.float32)}

    def step(self, x: Any, params: Any, t: int) -> Any:
        """One input read; the target is the input itself."""
        z = self.inputs[t] @ params["inward"] + x["h"] @ params["around"] + params["bias"]
        forget, enter, leave, new = np.split(z, 4, axis=1)
        c = _sigmoid(forget) * x["c"] + _sigmoid(enter) * np.tanh(new)
        h = _sigmoid(leave) * np.tanh(c)
        loss = x["loss"] + np.mean((h - self.inputs[t]) ** 2) / self.steps
        return {"h": h, "c": c, "loss": loss}

    def gradient(self, adjoint: Adjoint) -> rg.Diagnostics:
        """One gradient through `iterate`; its times and certificate."""
        seen = rg.Diagnostics()

        def loss(params: Any) -> Any:
            return rg.iterate(
                self.step, self.start, params, self.steps, adjoint=adjoint, diagnostics=seen
            )["loss"]

        rg.grad(loss)(self.params)
        return seen

    def unrolled(self) -> None:
        """One gradient of the loop itself."""

        def loss(params: Any) -> Any:
            x = self.start
            for t in range(self.steps):
                x = self.step(x, params, t)
            return x["loss"]

        rg.grad(loss)(self.params)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def seconds(gradient: Callable[[], Any]) -> float:
    """How long one gradient takes, by the processor's clock: others on the machine do not count."""
    started = process_time()
    gradient()
    return process_time() - started


def peak(gradient: Callable[[], Any]) -> int:
    """The most bytes that one gradient has allocated at once."""
    tracemalloc.start()
    try:
        gradient()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def table(problem: Problem, rounds: int) -> None:
    """Measure, and print the rows of one problem."""
    slots = [max(round(fraction * problem.steps), 2) for fraction in FRACTIONS]
    checkpointed = [rg.Checkpointed(slots=count) for count in slots]
    twentieth = rg.Checkpointed(memory=peak(problem.unrolled) // 20)
    adjoints = [rg.Stored(), *checkpointed, twentieth]
    gradients: dict[str, Callable[[], Any]] = {
        f"`{adjoint!r}`": lambda adjoint=adjoint: problem.gradient(adjoint) for adjoint in adjoints
    }
    kept: dict[str, int] = {}
    for name, gradient in gradients.items():
        certificate = gradient().certificate
        assert certificate is not None
        kept[name] = certificate.bytes_kept
    gradients["the loop itself"] = problem.unrolled
    times: dict[str, list[float]] = {name: [] for name in gradients}
    for _ in range(rounds):
        for name, gradient in gradients.items():
            times[name].append(seconds(gradient))
    reference = next(iter(gradients))
    for name, gradient in gradients.items():
        ratio = statistics.median(
            own / stored for own, stored in zip(times[name], times[reference], strict=True)
        )
        mine = "— | —"
        if name in kept:
            mine = f"{kept[name] / 1e6:.2f} MB | {kept[name] / kept[reference]:.1%}"
        print(
            f"| {problem.steps} | {name} | {mine} "
            f"| {peak(gradient) / 1e6:.1f} MB | {statistics.median(times[name]):.3f} s "
            f"| **{ratio:.2f}** |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| steps | adjoint | kept | of Stored | peak | time | of Stored |")
    print("|---|---|---|---|---|---|---|")
    with threadpool_limits(1):
        for steps in options.steps:
            table(Problem(steps, options.hidden, options.batch), options.rounds)


if __name__ == "__main__":
    main()
