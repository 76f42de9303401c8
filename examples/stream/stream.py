"""Learn how to learn from a stream that goes by only once.

    python examples/stream/stream.py [--quick] [--out FOLDER]

An instrument measures six voltages; a small network is trained on them, batch after batch as they
come in, to tell the quantity behind them. The instrument drifts, and in the middle somebody kicks
it: from then on all that was learned is wrong. Which rate should each step have, and how large
should the initial weights be, so that the network is good *after* the last step? Both are
hyperparameters like any other, and `rg.train` gives their hypergradient.

But its sweep asks for every batch again, and so does every further meta-step, while the instrument
gives each of them once: its noise and its drift come from a generator whose state is nowhere to be
had. That is what `rg.data.Spool` is for. It reads the stream as training asks for it, writes what
it reads to disk, and gives it back bit for bit.

What comes out, nobody wrote into the program: the rates before the kick stay where they were, for
what is learned there does not matter; after it they rise, so that the old is forgotten and the new
learned in the steps that are left; and at the end they fall, so that noise averages out.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import retrograd as rg
from retrograd import tree
from retrograd.data import Spool
from retrograd.optimizers import Adam, Momentum
from retrograd.report.style import FAINT, GRID, INK, RC, SERIES, WIDTH
from retrograd.study import MetaStep, descend

Batch = dict[str, NDArray[np.float64]]
Hyper = dict[str, Any]


class Settings(NamedTuple):
    """The sizes of everything."""

    steps: int = 200  # of each training run, one batch each
    ahead: int = 100  # batches after them, by which the result is judged
    kick: int = 100  # the step at which the instrument is kicked
    hidden: int = 16
    meta_steps: int = 60
    meta_rate: float = 0.05


QUICK = Settings(steps=30, ahead=6, kick=18, hidden=4, meta_steps=3)


# --- The stream -----------------------------------------------------------------------------------


def instrument(kick: int, seed: int, batch: int = 16) -> Iterator[Batch]:
    """What is measured, for ever: `batch` readings of six voltages, and the quantity behind each.

    Drift, kick and noise are drawn on the way, so a batch that has gone by is gone.
    """
    rng = np.random.default_rng(seed)
    wiring = rng.normal(size=(3, 6))
    for step in itertools.count():
        if step == kick:
            wiring = rng.normal(size=(3, 6))
        causes = rng.normal(size=(batch, 3))
        quantity = np.sin(2.0 * causes[:, 0]) + causes[:, 1] * causes[:, 2]
        yield {
            "x": causes @ wiring + 0.1 * rng.normal(size=(batch, 6)),
            "y": quantity + 0.5 * rng.normal(size=batch),
        }
        wiring = wiring + 0.005 * rng.normal(size=wiring.shape)


# --- The model, and its training ------------------------------------------------------------------


def initial_weights(hidden: int, log_scale: Any, seed: int = 0) -> dict[str, Any]:
    """Random weights of a network with one layer of `hidden` units, times exp(log_scale)."""
    rng = np.random.default_rng(seed)
    return {
        "first": np.exp(log_scale) * rng.normal(size=(6, hidden)),
        "bias": np.zeros(hidden),
        "second": np.exp(log_scale) * rng.normal(size=hidden),
    }


def error(w: Any, batch: Batch) -> Any:
    """The mean squared error of the network on a batch."""
    told = np.tanh(batch["x"] @ w["first"] + w["bias"]) @ w["second"]
    return np.mean((told - batch["y"]) ** 2)


def trained(hyper: Hyper, spool: Spool, settings: Settings) -> tuple[Any, rg.Diagnostics]:
    """The weights after one training on the stream, and what was seen on the way."""

    def loss(w: Any, _: None, step: int) -> Any:
        return error(w, spool(step))

    seen = rg.Diagnostics()
    w0 = initial_weights(settings.hidden, hyper["log_scale"])
    optimizer = Momentum(rate=rg.per_step(np.exp(hyper["log_rates"])), momentum=0.8)
    return rg.train(loss, w0, None, optimizer, settings.steps, diagnostics=seen), seen


def judged(w: Any, spool: Spool, first: int, settings: Settings) -> Any:
    """The mean error on the batches from step `first` on, on which nothing was trained."""
    return sum(error(w, spool(first + i)) for i in range(settings.ahead)) / settings.ahead


# --- Learning its hyperparameters -----------------------------------------------------------------


def initial_hyper(steps: int) -> Hyper:
    """Where the hyperparameters start: the same rate at every step."""
    return {"log_rates": np.full(steps, np.log(0.02)), "log_scale": np.log(0.3)}


def objective(hyper: Hyper, spool: Spool, settings: Settings) -> Any:
    """How wrong the trained network is on the batches that follow its training."""
    w, _ = trained(hyper, spool, settings)
    return judged(w, spool, settings.steps, settings)


def learn(spool: Spool, settings: Settings) -> Iterator[MetaStep]:
    """Move the hyperparameters along their hypergradients."""

    def value(hyper: Hyper, _: int) -> tuple[Any, None]:
        return objective(hyper, spool, settings), None

    start = initial_hyper(settings.steps)
    return descend(value, start, Adam(settings.meta_rate), settings.meta_steps)


def slopes(spool: Spool, settings: Settings, seed: int = 0) -> tuple[float, float]:
    """The objective's slope along a random direction: by hypergradient, by central difference."""
    rng = np.random.default_rng(seed)
    hyper = initial_hyper(settings.steps)
    ahead = tree.map(lambda leaf: rng.normal(size=np.shape(leaf)), hyper)

    def along(distance: Any) -> Any:
        moved = tree.map(lambda leaf, by: leaf + distance * by, hyper, ahead)
        return objective(moved, spool, settings)

    by_difference = (along(1e-4) - along(-1e-4)) / 2e-4
    return float(rg.grad(along)(0.0)), float(by_difference)


# --- The report -----------------------------------------------------------------------------------


class Course(NamedTuple):
    """How one training went: the error on each batch before it was learned from, and after the end.

    Attributes:
        hyper: its hyperparameters.
        errors: shape (steps + ahead,).
        later: the mean error on as many batches still further ahead.
    """

    hyper: Hyper
    errors: NDArray[np.float64]
    later: float


def course(hyper: Hyper, spool: Spool, settings: Settings) -> Course:
    """Train once more, and look."""
    w, seen = trained(hyper, spool, settings)
    end = settings.steps + settings.ahead
    after = [float(error(w, spool(step))) for step in range(settings.steps, end)]
    later = float(judged(w, spool, end, settings))
    return Course(hyper, np.array([*seen.losses, *after]), later)


def smooth(values: NDArray[np.float64], width: int = 10) -> NDArray[np.float64]:
    """The mean over `width` neighbours, or fewer at the ends."""
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def draw(before: Course, after: Course, settings: Settings, path: Path) -> None:
    """The learned schedule above, the errors with and without it below."""
    import matplotlib.pyplot as plt

    with plt.rc_context({**RC, "svg.hashsalt": path.name}):
        figure, (top, bottom) = plt.subplots(
            2, 1, sharex=True, figsize=(WIDTH, 4.6), layout="constrained"
        )
        for colour, label, run in ((FAINT, "at first", before), (SERIES[1], "learned", after)):
            log_rates = run.hyper["log_rates"]
            top.plot(np.exp(smooth(log_rates)), color=colour.light, label=label)
            bottom.plot(smooth(run.errors), color=colour.light, label=label)
        dots = np.exp(after.hyper["log_rates"])
        top.plot(dots, ".", color=SERIES[1].light, markersize=3, alpha=0.5)
        top.set(title="The rate of each step", yscale="log", ylabel="rate")
        bottom.set(
            title="The error on batches not yet learned from", yscale="log", xlabel="step",
            ylabel="squared error",
        )  # fmt: skip
        bottom.axvspan(settings.steps, len(before.errors) - 1, color=GRID.light, alpha=0.5, lw=0)
        for axes in (top, bottom):
            axes.axvline(settings.kick, color=INK.light, linewidth=0.8, linestyle=":")
        for axes, step, said in ((top, settings.kick, "kick"), (bottom, settings.steps, "judged")):
            axes.annotate(
                said, (step, 0.97), (4, 0), xycoords=("data", "axes fraction"), va="top",
                textcoords="offset points", fontsize=8.5,
            )  # fmt: skip
        top.legend(loc="upper left")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Learn the schedule, print the numbers, and draw the picture."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, in a second")
    default = Path("runs/stream")
    parser.add_argument("--out", type=Path, default=default, help="folder of the picture")
    parser.add_argument("--seed", type=int, default=5, help="of the instrument")
    options = parser.parse_args(argv)
    settings = QUICK if options.quick else Settings()
    options.out.mkdir(parents=True, exist_ok=True)
    with Spool(instrument(settings.kick, options.seed)) as spool:
        by_sweep, by_difference = slopes(spool, settings)
        print(f"slope by hypergradient {by_sweep:+.8f}, by difference {by_difference:+.8f}")
        steps = list(learn(spool, settings))
        for step in steps[:: max(len(steps) // 6, 1)]:
            print(f"meta-step {step.index:3d}: error {step.value:.4f}")
        before, after = (course(step.hyper, spool, settings) for step in (steps[0], steps[-1]))
        read = f"{len(spool)} batches, {spool.nbytes:,} bytes"
    draw(before, after, settings, options.out / "stream.svg")
    print(f"error on the {settings.ahead} batches after training, and on {settings.ahead} later:")
    for name, run, step in (("at first", before, steps[0]), ("learned", after, steps[-1])):
        print(f"  {name:8s} {step.value:.4f} {run.later:.4f}")
    print(f"initial scale {np.exp(after.hyper['log_scale']):.3f}, at first 0.300")
    print(f"spooled {read}; each batch came from the instrument once")
    print(f"drawn: {options.out / 'stream.svg'}")


if __name__ == "__main__":
    main()
