"""Which lines of the training text make the model better, and which make it worse?

    python examples/data_attribution/data_attribution.py [--overfit] [--quick] [--out FOLDER]

A small transformer learns twelve of Shakespeare's sonnets letter by letter with AdamW, and is
judged by the thirteenth. Every line of the twelve has a weight in the loss, 1 by default. The
weights of the lines are hyperparameters like any other, so

    jax.grad(lambda weights: judge(rg.train(loss, w0, weights, rg.AdamW(rate), steps)))

says for every line at once what more or less of it does to the loss of the thirteenth sonnet,
through all steps of the training. No line is left out for that, and no state of the run is kept.

The prediction is then put to the test: for some lines (the most helpful, the most harmful, and
others at random) the model is really trained again without the line, or with its weight halved or
half as much again. The figure shows what came out against what the gradient said.

The text is that of the language model; see there. It is in the public domain.

References:
    P. W. Koh, P. Liang: Understanding black-box predictions via influence functions. ICML 2017,
    which approximates such derivatives at the end of training, and checks them by leaving out
    one example, as here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from data_attribution_model import (
    TEXT,
    Shape,
    Weights,
    initial_weights,
    lines_of,
    losses,
    sonnets_of,
)
from numpy.typing import NDArray

import retrograd as rg
from retrograd.report.style import FAINT, INK, RC, SERIES, WIDTH

Array = NDArray[np.float64]


class Settings(NamedTuple):
    """The sizes of everything, and how the model is trained."""

    name: str = "stopped in time"
    shape: Shape = Shape()
    sonnets: int = 13
    held_out: int = 3  # the number of the sonnet that judges, from 0: sonnet 18
    batch: int = 8  # lines in each step, a divisor of their number
    steps: int = 300
    rate: float = 3e-3  # at its highest, after a tenth of the steps
    decay: float = 0.1
    retrained: int = 24  # lines with which the prediction is put to the test
    changes: tuple[float, ...] = (-1.0, -0.5, 0.5)  # of the weight of such a line, which is 1


OVERFIT = Settings(name="learned by heart", steps=600, rate=1e-2)
QUICK = Settings(
    name="quick",
    shape=Shape(layers=1, width=8, heads=2),
    sonnets=3,
    held_out=2,
    batch=7,
    steps=60,
    retrained=12,
)


# --- Training, as a function of the weights of the lines ------------------------------------------


class Task:
    """What is learned, and the loss by which the result is judged.

    Args:
        settings: the sizes of everything.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        sonnets = sonnets_of(TEXT.read_text(encoding="utf-8"))[: settings.sonnets]
        held_out = sonnets.pop(settings.held_out)
        self.lines = [line for sonnet in sonnets for line in sonnet]
        alphabet = "".join(sorted(set("\n".join(self.lines + held_out))))
        every = lines_of(self.lines + held_out, alphabet)
        self.training = every.at(slice(len(self.lines)))
        self.judging = every.at(slice(len(self.lines), None))
        length = every.letters.shape[1] - 1
        self.w0 = initial_weights(settings.shape, len(alphabet), length)
        self.order = jax.random.key(0)

    @property
    def ones(self) -> Any:
        """The weights of the lines by default, (lines,)."""
        return jnp.ones(len(self.lines))

    @property
    def round(self) -> int:
        """The steps in which every line comes once."""
        return len(self.lines) // self.settings.batch

    def batch(self, step: Any) -> Any:
        """The numbers of a step's lines; in every round they come in a new order."""
        size, key = self.settings.batch, jax.random.fold_in(self.order, step // self.round)
        order = jax.random.permutation(key, len(self.lines))
        return jax.lax.dynamic_slice(order, (step % self.round * size,), (size,))

    def loss(self, w: Weights, weights: Any, step: Any) -> Any:
        """The loss of a step's batch, each line by its weight."""
        chosen = self.batch(step)
        lines = self.training.at(chosen)
        return jnp.mean(weights[chosen] * losses(self.settings.shape, w, lines))

    def trained(self, weights: Any, seen: rg.Diagnostics | None = None) -> Weights:
        """The model after training with these weights of the lines."""
        steps = self.settings.steps
        schedule = rg.schedules.cosine(self.settings.rate, steps, warmup=steps // 10)
        optimizer = rg.AdamW(schedule, decay=self.settings.decay)
        return rg.train(
            self.loss, self.w0, weights, optimizer, steps, adjoint=rg.Reversible(), diagnostics=seen
        )

    def judged(self, weights: Any, seen: rg.Diagnostics | None = None) -> Any:
        """The loss of the held-out sonnet after training, in nats per letter."""
        w = self.trained(weights, seen)
        return jnp.mean(losses(self.settings.shape, w, self.judging))

    @cached_property
    def retrained(self) -> Any:
        """`judged`, compiled: each call is a whole training run."""
        return jax.jit(self.judged)


class Influence(NamedTuple):
    """What the gradient says of every line.

    Attributes:
        slopes: of the held-out loss in the weight of each line, (lines,); that of a helpful line
            is negative.
        value: the held-out loss.
        seen: the losses on the way, and the certificate of the sweep.
    """

    slopes: Array
    value: float
    seen: rg.Diagnostics


def influence(task: Task) -> Influence:
    """The gradient of the held-out loss in the weights of all lines: one run and one sweep."""
    seen = rg.Diagnostics()
    value, slopes = jax.value_and_grad(lambda weights: task.judged(weights, seen))(task.ones)
    return Influence(np.asarray(slopes, float), float(value), seen)


# --- The test: training again ---------------------------------------------------------------------


def ranks(values: Array) -> NDArray[np.int64]:
    """The place of each value in their order, from 0."""
    return np.argsort(np.argsort(values))


class Trial(NamedTuple):
    """What changes of the held-out loss were predicted, and what came out.

    Attributes:
        change: of the weight of each line, in turn.
        predicted: by the gradient, (lines,).
        actual: by training again, (lines,).
    """

    change: float
    predicted: Array
    actual: Array

    @property
    def pearson(self) -> float:
        """The correlation of the two."""
        return float(np.corrcoef(self.predicted, self.actual)[0, 1])

    @property
    def spearman(self) -> float:
        """The correlation of their ranks."""
        return float(np.corrcoef(ranks(self.predicted), ranks(self.actual))[0, 1])

    @property
    def scale(self) -> float:
        """The factor by which the prediction fits best: 1 if it has the right size."""
        return float(self.predicted @ self.actual / (self.predicted @ self.predicted))


def chosen_lines(slopes: Array, count: int, seed: int = 0) -> NDArray[np.int64]:
    """The most helpful and the most harmful lines, a third each, and others drawn at random."""
    third, order = count // 3, np.argsort(slopes)
    between = order[third : len(order) - third]
    drawn = np.random.default_rng(seed).choice(between, count - 2 * third, replace=False)
    return np.concatenate([order[:third], order[len(order) - third :], drawn])


def trial(task: Task, slopes: Array, lines: NDArray[np.int64], change: float) -> Trial:
    """Train again for each of the lines, its weight changed."""
    ones = task.ones
    before = float(task.retrained(ones))
    after = [float(task.retrained(ones.at[line].add(change))) for line in lines]
    return Trial(change, change * slopes[lines], np.array(after) - before)


class Removal(NamedTuple):
    """A tenth of all lines left out at once.

    Attributes:
        which: in words.
        predicted: change of the held-out loss.
        actual: change.
    """

    which: str
    predicted: float
    actual: float


def removals(task: Task, slopes: Array) -> list[Removal]:
    """Train again without the most harmful tenth, a random one, the most helpful one."""
    order, tenth = np.argsort(slopes), len(slopes) // 10
    drawn = np.random.default_rng(1).choice(order, tenth, replace=False)
    groups = {"most harmful": order[-tenth:], "random": drawn, "most helpful": order[:tenth]}
    before = float(task.retrained(task.ones))
    return [
        Removal(
            which,
            -float(slopes[lines].sum()),
            float(task.retrained(task.ones.at[lines].set(0.0))) - before,
        )
        for which, lines in groups.items()
    ]


# --- The report -----------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """All that was found with one setting."""

    task: Task
    influence: Influence
    trials: list[Trial]
    removals: list[Removal]


def study(settings: Settings) -> Outcome:
    """Predict, train again, and say so."""
    task = Task(settings)
    started = perf_counter()
    found = influence(task)
    parameters = sum(leaf.size for leaf in task.w0.values())
    learned = np.mean(found.seen.losses[-task.round :])
    print(
        f"# {settings.name}: {settings.steps} steps, rate {settings.rate:g}\n\n"
        f"{len(task.lines)} lines, {parameters:,} parameters; loss on the batches of the last "
        f"round {learned:.3f}, on the held-out sonnet {found.value:.3f}\n"
        f"{found.seen.certificate}\n"
        f"gradient in {perf_counter() - started:.0f} s, compilation included"
    )
    started = perf_counter()
    lines = chosen_lines(found.slopes, settings.retrained)
    trials = [trial(task, found.slopes, lines, change) for change in settings.changes]
    groups = removals(task, found.slopes)
    runs = len(lines) * len(trials) + len(groups)
    print(f"{runs} trainings in {perf_counter() - started:.0f} s\n")
    outcome = Outcome(task, found, trials, groups)
    report(outcome)
    return outcome


def report(outcome: Outcome, shown: int = 5) -> None:
    """The tables, and the lines at both ends."""
    print("| weight of a line | rank correlation | correlation | actual over predicted |")
    print("|---|---|---|---|")
    for trial in outcome.trials:
        weight = 1.0 + trial.change
        print(f"| {weight:g} | {trial.spearman:.3f} | {trial.pearson:.3f} | {trial.scale:.2f} |")
    print("\n| tenth left out | predicted change | actual change |\n|---|---|---|")
    for group in outcome.removals:
        print(f"| {group.which} | {group.predicted:+.4f} | {group.actual:+.4f} |")
    slopes, lines = outcome.influence.slopes, outcome.task.lines
    order = np.argsort(slopes)
    for title, ends in (("helpful", order[:shown]), ("harmful", order[::-1][:shown])):
        print(f"\nmost {title} (slope of the held-out loss in the weight of the line):")
        for line in ends:
            print(f"  {slopes[line]:+.4f}  {lines[line]}")
    print()


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """What came out against what was predicted, one panel for each setting."""
    import matplotlib.pyplot as plt

    with plt.rc_context({**RC, "svg.hashsalt": path.name}):
        size = (WIDTH * (1.0 if len(outcomes) == 1 else 1.5), 3.9)
        figure, panels = plt.subplots(
            1, len(outcomes), figsize=size, layout="constrained", squeeze=False
        )
        for axes, outcome in zip(panels[0], outcomes, strict=True):
            scatter(axes, outcome)
        panels[0, 0].set_ylabel("actual change after training again")
        panels[0, 0].legend(loc="upper left")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def scatter(axes: Any, outcome: Outcome) -> None:
    """One panel."""
    everything = np.concatenate([[*t.predicted, *t.actual] for t in outcome.trials])
    reach = 1.1 * np.abs(everything).max()
    axes.plot([-reach, reach], [-reach, reach], color=FAINT.light, linewidth=0.8, linestyle=":")
    for trial, shade in zip(outcome.trials, (INK, *SERIES), strict=False):
        label = "left out" if trial.change == -1 else f"weight {1 + trial.change:g}"
        axes.plot(trial.predicted, trial.actual, "o", color=shade.light, markersize=4, label=label)
    settings = outcome.task.settings
    axes.set(
        title=f"{settings.name}: {settings.steps} steps",
        xlabel="predicted change of the held-out loss",
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        aspect="equal",
    )
    axes.locator_params(nbins=5)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, train again, compare, and draw the figure."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument(
        "--overfit", action="store_true", help="also a run in which the gradient says little"
    )
    default = Path("runs/data_attribution")
    parser.add_argument("--out", type=Path, default=default, help="folder of the figure")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    settings = [QUICK if options.quick else Settings()] + [OVERFIT] * options.overfit
    outcomes = [study(each) for each in settings]
    draw(outcomes, options.out / "data_attribution.svg")
    print(f"drawn: {options.out / 'data_attribution.svg'}")


if __name__ == "__main__":
    main()
