"""What `Coded` keeps, model by model, in bits per element and step.

    python benchmarks/coded_bits.py [--steps 100] [--figure docs/figures/coded.svg]
    python benchmarks/coded_bits.py --optimizers

Four computations: Momentum and Adam in float32 on the network of the learned schedule
(784-50-50-50-10, MNIST, batches of 200), an LSTM in float32 over 1,000 characters of text, and a
fluid solver in float64 over 200 steps. Prints a table in Markdown. "Error" is the mean binary
length of the prediction's error, counted in neighbouring floats; "entropy" is the empirical
entropy of these errors as integers, each array for itself, without contexts. Where nearly all of
the errors are different numbers it can only be that of the sample, the logarithm of its size; the
table gives ">" then. With `--optimizers`, the second table: `OptimizerInverse` on each optimizer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd import numpy as rnp
from retrograd.adjoints import Dynamics, Snapshot
from retrograd.adjoints.coded import Coded
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
from retrograd.data import load, minibatch, one_hot
from retrograd.experiments.network import cross_entropy, initial_weights, logits, unit_normals
from retrograd.lattice.ordered import bit_length, ordered, zigzag

Floats = np.ndarray[Any, np.dtype[Any]]


class Watched(ReverseModel):
    """A reverse model whose errors on the way forwards are written down."""

    def __init__(self, model: ReverseModel) -> None:
        self.model = model
        self.later = model.later
        self.errors: dict[str, list[Floats]] = {}

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return _Watched(self.model.predictor(dynamics), self.errors)


class _Watched(Predictor):
    def __init__(self, predictor: Predictor, errors: dict[str, list[Floats]]) -> None:
        self.predictor = predictor
        self.errors = errors
        self.forwards = True

    def predict(self, t: int, later: Sequence[Snapshot], settle: Any) -> None:
        def watched(name: str, guess: Guess) -> Floats:
            array = settle(name, guess)
            if self.forwards:
                error = ordered(array) - ordered(guess.values)
                self.errors.setdefault(name, []).append(error)
            return array

        self.predictor.predict(t, later, watched)

    def learn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        self.predictor.learn(now, later)

    def unlearn(self, now: Snapshot, later: Sequence[Snapshot]) -> None:
        self.predictor.unlearn(now, later)

    def finish(self) -> None:
        self.forwards = False
        self.predictor.finish()

    def is_empty(self) -> bool:
        return self.predictor.is_empty()


def entropy(errors: Sequence[Floats]) -> tuple[float, bool]:
    """The empirical entropy of integers in bits, and whether the sample was large enough."""
    joined = np.concatenate(errors)
    counts = np.unique(joined, return_counts=True)[1]
    p = counts / joined.size
    return float(-(p * np.log2(p)).sum()), len(counts) < joined.size / 4


def accuracy(errors: Sequence[Floats]) -> float:
    """The mean binary length of errors."""
    return float(np.mean(bit_length(zigzag(np.concatenate(errors)))))


@dataclass(frozen=True)
class Row:
    """One line of the table: sums over the arrays of the state, per element."""

    program: str
    model: str
    raw: float
    bits: float
    entropy: float
    resolved: bool
    error: float
    arrays: int
    kept: int


@dataclass(frozen=True)
class Program:
    """A computation: `final(adjoint, diagnostics)` is a function of one number to differentiate."""

    name: str
    raw: int
    arrays: int
    final: Callable[[rg.Diagnostics, Any], Callable[[Any], Any]]
    models: Sequence[ReverseModel]


def measured(program: Program, model: ReverseModel) -> Row:
    """Run forwards and back once."""
    watched, seen = Watched(model), rg.Diagnostics()
    rg.grad(program.final(seen, Coded(watched)))(1.0)
    parts = [entropy(errors) for errors in watched.errors.values()]
    certificate = seen.certificate
    assert certificate is not None
    bits = certificate.bits_per_element_step
    # An iterated map counts the elements of all arrays, training those of the weights.
    scale = 1 if program.name.startswith("train") else program.arrays
    return Row(
        program.name,
        type(model).__name__,
        program.raw,
        bits * scale,
        sum(bits for bits, _ in parts),
        all(resolved for _, resolved in parts),
        sum(accuracy(errors) for errors in watched.errors.values()) / program.arrays,
        program.arrays,
        certificate.bytes_kept,
    )


def training(name: str, optimizer: Callable[[Any], Any], arrays: int, steps: int) -> Program:
    """The network of the learned schedule, in float32."""
    data = load("mnist-10k")
    images = (data.train.images - data.train.images.mean(axis=0)).astype(np.float32)
    targets = one_hot(data.train.labels, data.classes).astype(np.float32)
    normals = unit_normals((784, 50, 50, 50, 10), 0)
    w0 = [
        (W.astype(np.float32), b.astype(np.float32))
        for W, b in initial_weights(normals, np.full(8, np.exp(-3.0)))
    ]

    def loss(w: Any, hyper: None, step: int) -> Any:
        chosen = minibatch(len(images), 200, step, 0)
        return cross_entropy(logits(w, images[chosen]), targets[chosen])

    def final(seen: rg.Diagnostics, adjoint: Any) -> Callable[[Any], Any]:
        def function(factor: Any) -> Any:
            w = rg.train(
                loss, w0, None, optimizer(factor), steps, adjoint=adjoint, diagnostics=seen
            )
            return cross_entropy(logits(w, images[:1000]), targets[:1000])

        return function

    models = (Nothing(), Straight(), *_linear(2), OptimizerInverse())
    return Program(f"train, {name}", 32 * arrays, arrays, final, models)


def lstm(characters: int = 1000, hidden: int = 128) -> Program:
    """An LSTM that reads the beginning of the text of the language model's example."""
    path = Path(__file__).parent.parent / "examples" / "language_model" / "text.txt"
    text = np.frombuffer(path.read_bytes(), np.uint8)[:characters]
    letters, codes = np.unique(text, return_inverse=True)
    rng = np.random.default_rng(0)
    inward = rng.normal(size=(len(letters), 4 * hidden)).astype(np.float32)
    around = (rng.normal(size=(hidden, 4 * hidden)) / np.sqrt(hidden)).astype(np.float32)
    bias = np.zeros(4 * hidden, np.float32)
    bias[:hidden] = 1.0

    def sigmoid(x: Any) -> Any:
        return 0.5 * (rnp.tanh(0.5 * x) + 1.0)

    def step(state: Any, params: Any, t: int) -> Any:
        h, c = state
        z = params[0][codes[t]] + rnp.dot(h, params[1]) + params[2]
        forget, enter = sigmoid(z[:hidden]), sigmoid(z[hidden : 2 * hidden])
        leave = sigmoid(z[2 * hidden : 3 * hidden])
        c = forget * c + enter * rnp.tanh(z[3 * hidden :])
        return [leave * rnp.tanh(c), c]

    start = [np.zeros(hidden, np.float32), np.zeros(hidden, np.float32)]

    def final(seen: rg.Diagnostics, adjoint: Any) -> Callable[[Any], Any]:
        def function(factor: Any) -> Any:
            params = [inward, around, (bias * factor).astype(np.float32)]
            h, _ = rg.iterate(step, start, params, len(text), adjoint=adjoint, diagnostics=seen)
            return rnp.sum(h**2)

        return function

    models = (Nothing(), Straight(), *_linear(2))
    return Program("LSTM, 1,000 characters", 64, 2, final, models)


def fluid(size: int = 32, steps: int = 200) -> Program:
    """Smoke in a periodic box: projection by Jacobi's iteration, semi-Lagrangian advection."""
    rng = np.random.default_rng(0)
    waves = np.fft.fftfreq(size, 1 / size)
    smooth = np.exp(-(waves[:, None] ** 2 + waves[None, :] ** 2) / 8)
    fields = [
        np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * smooth)) for _ in range(3)
    ]
    cells = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")

    def ahead(f: Any, axis: int) -> Any:
        return rnp.roll(f, -1, axis) - rnp.roll(f, 1, axis)

    def project(vx: Any, vy: Any) -> Any:
        divergence, p = -0.5 * (ahead(vx, 0) + ahead(vy, 1)), 0.0 * vx
        for _ in range(10):
            around = [rnp.roll(p, way, axis) for way in (-1, 1) for axis in (0, 1)]
            p = (divergence + sum(around)) / 4.0
        return vx - 0.5 * ahead(p, 0), vy - 0.5 * ahead(p, 1)

    def advect(f: Any, vx: Any, vy: Any) -> Any:
        xs, ys = cells[0] - vx, cells[1] - vy
        left, top = rnp.floor(xs).astype(int), rnp.floor(ys).astype(int)
        a, b = xs - left, ys - top
        left, top = left % size, top % size
        right, bottom = (left + 1) % size, (top + 1) % size
        upper = (1 - b) * f[left, top] + b * f[left, bottom]
        return (1 - a) * upper + a * ((1 - b) * f[right, top] + b * f[right, bottom])

    def step(state: Any, params: None, t: int) -> Any:
        vx, vy, smoke = state
        vx, vy = project(advect(vx, vx, vy), advect(vy, vx, vy))
        return [vx, vy, advect(smoke, vx, vy)]

    def final(seen: rg.Diagnostics, adjoint: Any) -> Callable[[Any], Any]:
        def function(factor: Any) -> Any:
            start = [fields[0] * factor, fields[1] * factor, fields[2] * 1.0]
            last = rg.iterate(step, start, None, steps, adjoint=adjoint, diagnostics=seen)
            return rnp.sum(last[2] ** 2)

        return function

    models = (Nothing(), Straight(), *_linear(2), *_linear(6))
    return Program("fluid, 200 steps", 192, 3, final, models)


def _linear(lags: int) -> tuple[ReverseModel, ReverseModel]:
    return Linear(lags), OnlineLinear(lags)


def rows_of(program: Program) -> list[Row]:
    """All models on one program; offline ones once before, to learn."""
    rows = []
    for model in program.models:
        if isinstance(model, Linear):
            measured(program, model)
        row = measured(program, model)
        rows.append(row)
        sign = "" if row.resolved else "> "
        print(
            f"| {row.program} | {model!r} | {row.raw:.0f} | {row.bits:.3f} | {sign}"
            f"{row.entropy:.3f} | {row.error:.2f} | {row.kept:,} |",
            flush=True,
        )
    return rows


def draw(rows: Sequence[Row], path: str) -> None:
    """Bits kept against the length of the error, all per number."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "coded"
    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    axes.plot([0, 64], [0, 64], color="0.8", zorder=0)
    names = ["Nothing", "Straight", "Linear", "OnlineLinear", "OptimizerInverse"]
    markers = dict(zip(names, "os^vD", strict=True))
    programs = list(dict.fromkeys(row.program for row in rows))
    colors = ["#4477aa", "#ee6677", "#228833", "#aa3377"]
    for program, color in zip(programs, colors, strict=True):
        mine = [row for row in rows if row.program == program]
        for row in mine:
            axes.scatter(
                row.error, row.bits / row.arrays, color=color, marker=markers[row.model], s=36
            )
        raw = mine[0].raw / mine[0].arrays
        axes.scatter([], [], color=color, label=f"{program} (raw {raw:.0f})")
    for model, marker in markers.items():
        axes.scatter([], [], color="0.4", marker=marker, label=model)
    axes.set_xlim(-1, 50)
    axes.set_ylim(-1, 50)
    axes.set_xlabel("mean length of the prediction's error, in bits")
    axes.set_ylabel("bits kept per number and step")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "Momentum": lambda f: rg.Momentum(0.1 * f),
    "Adam": lambda f: rg.Adam(1e-3 * f),
    "AdamW": lambda f: rg.AdamW(1e-3 * f),
    "Adamax": lambda f: rg.Adamax(2e-3 * f),
    "RMSprop": lambda f: rg.RMSprop(1e-3 * f, momentum=0.9),
    "Signum": lambda f: rg.Signum(1e-4 * f),
    "Muon": lambda f: rg.Muon(0.02 * f),
    "SGD": lambda f: rg.SGD(0.1 * f),
    "Lion": lambda f: rg.Lion(1e-4 * f),
    "Nesterov": lambda f: rg.Nesterov(0.1 * f),
    "NAdam": lambda f: rg.NAdam(2e-3 * f),
}


def print_optimizers(steps: int) -> None:
    """One line for each optimizer in float32."""
    print("| optimizer | raw bits | kept |")
    print("|---|---|---|")
    for name, optimizer in OPTIMIZERS.items():
        slots = len(optimizer(1.0).program.all_slots)
        row = measured(training(name, optimizer, slots, steps), OptimizerInverse())
        print(f"| `{name}` | {row.raw:.0f} | {row.bits:.2f} |", flush=True)


def main() -> None:
    """Print the table; draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=100, help="training steps")
    parser.add_argument("--optimizers", action="store_true", help="print the second table")
    parser.add_argument("--figure", help="where to draw the figure")
    options = parser.parse_args()
    if options.optimizers:
        print_optimizers(options.steps)
        return
    programs = [
        training("Momentum", lambda f: rg.Momentum(0.1 * f, 0.9), 2, options.steps),
        training("Adam", lambda f: rg.Adam(1e-3 * f), 3, options.steps),
        lstm(),
        fluid(),
    ]
    print("| computation | model | raw bits | kept | entropy | error | bytes kept |")
    print("|---|---|---|---|---|---|---|")
    rows = [row for program in programs for row in rows_of(program)]
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
