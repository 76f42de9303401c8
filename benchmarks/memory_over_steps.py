"""What a run of many steps takes: the peak of the process, over the number of steps.

    python benchmarks/memory_over_steps.py [--most 100000] [--adjoints NAME ...]
        [--figure memory_over_steps.svg]

A hypergradient of a small network (32-64-32-10, 4,522 weights, batch 4, momentum 0.9, float64),
each in a process of its own with one BLAS thread. The peak is the resident memory that the system
reports at the end of the process (`ru_maxrss`), less what it reported after a hypergradient of 20
steps. What the lattice's theory says is log2(1/0.9) = 0.152 bits per weight and step; besides these
a run keeps a 64-bit checksum of the gradient for each step, and in the sweep the norm of the
adjoint. `Stored` is run as long as its states stay below 2 GB.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import retrograd as rg

SIZES = (32, 64, 32, 10)
BATCH, EXAMPLES, MOMENTUM = 4, 256, 0.9
ADJOINTS = {"Reversible()": rg.Reversible, "Checkpointed()": rg.Checkpointed, "Stored()": rg.Stored}
MOST_STORED = 2_000_000_000
STATE_BYTES_PER_WEIGHT = 24  # weights, velocity, digits
WEIGHTS = sum((rows + 1) * columns for rows, columns in pairwise(SIZES))


def network() -> tuple[Any, Any]:
    """The loss of a small network, and its first weights."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(EXAMPLES, SIZES[0]))
    labels = np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], EXAMPLES)]
    w0 = [
        (rng.normal(size=(rows, columns)) / math.sqrt(rows), np.zeros(columns))
        for rows, columns in pairwise(SIZES)
    ]

    def loss(w: Any, decay: Any, step: int) -> Any:
        start = step * BATCH % EXAMPLES
        x = images[start : start + BATCH]
        for matrix, bias in w[:-1]:
            x = np.tanh(x @ matrix + bias)
        scores = x @ w[-1][0] + w[-1][1]
        fit = np.log(np.sum(np.exp(scores), axis=1))
        right = np.sum(scores * labels[start : start + BATCH], axis=1)
        return np.mean(fit - right) + decay * sum(np.sum(matrix**2) for matrix, _ in w)

    return loss, w0


def hypergradient(adjoint: Any, steps: int, seen: rg.Diagnostics | None = None) -> Any:
    """The derivative of what the trained network is, with respect to weight decay."""
    loss, w0 = network()
    optimizer = rg.Momentum(1e-3, MOMENTUM)

    def outcome(decay: Any) -> Any:
        w = rg.train(
            loss, w0, decay, optimizer, steps, adjoint=adjoint, diagnostics=seen, progress=False
        )
        return sum(np.sum(matrix**2) for matrix, _ in w)

    return rg.grad(outcome)(1e-3)


def peak() -> int:
    """The largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(name: str, steps: int) -> dict[str, Any]:
    """One point, in this process."""
    adjoint = ADJOINTS[name]()
    hypergradient(adjoint, 20)
    before, started = peak(), perf_counter()
    hypergradient(adjoint, steps)
    return {"grown": peak() - before, "seconds": perf_counter() - started}


def measured(name: str, steps: int) -> dict[str, Any]:
    """One point, in a process of its own."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, __file__, "--point", name, str(steps)],
        env={**os.environ, **threads},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def theory(name: str, steps: int) -> float:
    """The bytes that the strategy is meant to keep."""
    state = STATE_BYTES_PER_WEIGHT * WEIGHTS
    if name == "Stored()":
        return state * steps
    if name == "Checkpointed()":
        return state * math.sqrt(2 * steps)
    return WEIGHTS * (8 + steps * -math.log2(MOMENTUM) / 8)


def draw(rows: dict[str, list[tuple[int, int]]], path: Path) -> None:
    """The picture: bytes over steps."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from retrograd.report.drawing import svg
    from retrograd.report.figures import Picture
    from retrograd.report.style import RC, SERIES, WIDTH

    with mpl.rc_context(RC):
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        for colour, (name, points) in zip(SERIES, rows.items(), strict=False):
            steps = [t for t, _ in points]
            grown = [max(x, 1) / 1e6 for _, x in points]
            kept = [theory(name, t) / 1e6 for t in steps]
            axes.plot(steps, grown, "o-", ms=4, color=colour.light, label=name)
            axes.plot(steps, kept, ":", color=colour.light)
        axes.set(xscale="log", yscale="log", xlabel="steps")
        axes.set_ylabel("growth of the peak (MB)")
        axes.set_title("What the process takes (dotted: what is meant to be kept)")
        axes.legend(loc="upper left")
    alt = (
        "Against the number of steps, the growth of the process's peak. Stored grows by a state a "
        "step, Checkpointed by the root of the steps, Reversible by a fraction of a bit per weight."
    )
    path.write_bytes(svg(Picture("memory_over_steps", figure, "", alt)))


def main() -> None:
    """Print the table, and draw the picture if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--adjoints", nargs="+", choices=ADJOINTS, default=list(ADJOINTS))
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--point", nargs=2, metavar=("ADJOINT", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(measure(options.point[0], int(options.point[1]))))
        return
    grid = [t for t in (100, 300, 1000, 3000, 10_000, 30_000, 100_000) if t <= options.most]
    rows: dict[str, list[tuple[int, int]]] = {}
    print("| adjoint | steps | peak grew by | meant to be kept | bytes per step above 100 | time |")
    print("|---|---|---|---|---|---|")
    for name in options.adjoints:
        points = rows.setdefault(name, [])
        for steps in grid:
            if name == "Stored()" and theory(name, steps) > MOST_STORED:
                continue
            point = measured(name, steps)
            points.append((steps, point["grown"]))
            more = (point["grown"] - points[0][1]) / max(steps - grid[0], 1)
            print(
                f"| `{name}` | {steps:,} | {point['grown'] / 1e6:.2f} MB "
                f"| {theory(name, steps) / 1e6:.2f} MB | {more:,.0f} | {point['seconds']:.1f} s |",
                flush=True,
            )
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
