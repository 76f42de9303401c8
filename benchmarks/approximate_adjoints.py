"""How wrong the approximate gradients are: against the exact one, on the schedule experiment.

    python benchmarks/approximate_adjoints.py [--data mnist-10k] [--steps 100] [--log-rates -3 -1]
        [--rounds 3] [--figure docs/figures/approximate.svg]
    python benchmarks/approximate_adjoints.py --meta-steps 20

The problem is the learned schedule's: a network 784-50-50-50-10, batches of 200, momentum with a
rate and a momentum for every step and group of parameters, a scale of the initial weights for every
group; the objective is the loss on all training images after training. Prints, for each logarithm
of the rates, a table in Markdown: by kind of hyperparameter, the cosine of the angle between an
adjoint's gradient and that of `Reversible`, and the norm of the difference over the norm of the
exact gradient. "Shared" rates and momenta are one for all steps, for every group: their gradient is
the sum over the steps.

T1-T2 is `retrograd.study.descend_online` with a rate and a momentum for every group, that do not
move (the meta-rate is 0), so that its training is that of the others. The hypergradient of its step
t is its answer for the rates and momenta of step t. It is judged, after every step, on all training
images, or on a mini-batch of the size of the step's.

With `--meta-steps` the outer loop follows each adjoint's gradient for so many meta-steps, as the
command `retrograd learn schedule` does, from the experiment's own start; the table holds the loss
on all training images after training.

Time is that of the forward run and the sweep over that of one plain training in floats, medians
over the rounds, in which all take turns; processor time, one BLAS thread. The loss on all training
images and its gradient belong to the time of T1-T2, which evaluates them at every step, but not to
that of the others, which do so once.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd.adjoints import Adjoint, OptimizerInverse
from retrograd.data import load, minibatch
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.network import cross_entropy, logits
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import descend, descend_online

Floats = NDArray[np.float64]

SEED = 0
# Another seed than that of training, so that T1-T2 is judged on other images than it trains on.
SEED_OF_JUDGING = 1

KINDS = {
    "log_rates": "rates",
    "logit_momenta": "momenta",
    "log_scales": "initial scales",
    "shared log_rates": "shared rates",
    "shared logit_momenta": "shared momenta",
}


@dataclass(frozen=True)
class Found:
    """A gradient, and what it took.

    Attributes:
        gradient: by kind of hyperparameter; zeros where the method has no answer.
        seconds: processor time.
        nbytes: the most that was kept at one moment.
    """

    gradient: dict[str, Floats]
    seconds: float
    nbytes: int


def trained(
    problem: Problem, hyper: Any, adjoint: Adjoint, seed: int, seen: rg.Diagnostics | None = None
) -> Any:
    """The weights after training."""
    start, optimizer = problem.initial(hyper, seed), problem.optimizer(hyper)
    given = problem.loss(seed), start, None, optimizer, problem.settings.steps
    return rg.train(*given, adjoint=adjoint, diagnostics=seen, progress=False)


def judged(problem: Problem, w: Any) -> Any:
    """The loss on all training images."""
    return cross_entropy(logits(w, problem.images("train")), problem.targets)


def by_adjoint(problem: Problem, hyper: Any, adjoint: Adjoint) -> Found:
    """The hypergradient by one run and its sweep."""
    seen = rg.Diagnostics()
    started = process_time()
    w, pullback = rg.vjp(lambda hyper: trained(problem, hyper, adjoint, SEED, seen), hyper)
    forward = process_time() - started
    slope = rg.grad(lambda w: judged(problem, w))(w)
    started = process_time()
    (gradient,) = pullback(slope)
    seconds = forward + process_time() - started
    assert seen.certificate is not None  # a sweep that fails raises
    nbytes = max(seen.certificate.bytes_kept, seen.certificate.bytes_peak)
    return Found(with_sums(gradient), seconds, nbytes)


def online(problem: Problem, hyper: Any, batch: int | None) -> Found:
    """T1-T2's hypergradients, judged on all training images or on a mini-batch."""
    images, targets = problem.images("train"), problem.targets

    def validation_loss(w: Any, step: int) -> Any:
        if batch is None:
            return judged(problem, w)
        chosen = minibatch(len(images), batch, step, SEED_OF_JUDGING)
        return cross_entropy(logits(w, images[chosen]), targets[chosen])

    def optimizer(shared: Any) -> rg.Momentum:
        momentum = rg.per_leaf(1 / (1 + np.exp(-shared["logit_momenta"])))
        rate = rg.per_leaf(np.exp(shared["log_rates"]))
        return rg.Momentum(rate=rate, momentum=momentum, dampening=momentum)

    shared = {name: hyper[name][0] for name in ("log_rates", "logit_momenta")}
    started = process_time()
    path = descend_online(
        problem.loss(SEED),
        validation_loss,
        problem.initial(hyper, SEED),
        shared,
        optimizer,
        rg.SGD(0.0),
        problem.settings.steps,
    )
    steps = [step.hypergradient for step in path]
    seconds = process_time() - started
    gradient = {name: np.array([step[name] for step in steps]) for name in shared}
    gradient["log_scales"] = np.zeros_like(hyper["log_scales"])
    return Found(with_sums(gradient), seconds, 0)


def with_sums(gradient: dict[str, Floats]) -> dict[str, Floats]:
    """A gradient, with that of rates and momenta that all steps share."""
    sums = {f"shared {name}": gradient[name].sum(axis=0) for name in ("log_rates", "logit_momenta")}
    return {**gradient, **sums}


def approximate(steps: int) -> list[Adjoint]:
    """The approximate adjoints."""
    lengths = sorted({max(1, steps // 2), max(1, steps // 10), 1}, reverse=True)
    return [rg.StraightLine(), *[rg.Truncated(k) for k in lengths]]


def methods(steps: int) -> dict[str, Callable[[Problem, Any], Found]]:
    """What is compared, by name; the exact gradient first."""
    adjoints = [
        rg.Reversible(),
        rg.Checkpointed(),
        rg.Coded(OptimizerInverse()),
        *approximate(steps),
    ]

    def strategy(adjoint: Adjoint) -> Callable[[Problem, Any], Found]:
        return lambda problem, hyper: by_adjoint(problem, hyper, adjoint)

    return {
        **{f"`{adjoint!r}`": strategy(adjoint) for adjoint in adjoints},
        "T1–T2, judged on all images": lambda p, h: online(p, h, None),
        "T1–T2, judged on a batch": lambda p, h: online(p, h, p.settings.batch),
    }


def measured(problem: Problem, rounds: int) -> tuple[dict[str, Found], dict[str, float]]:
    """What each method found, and its time over that of plain training."""
    hyper = problem.start()
    compared = methods(problem.settings.steps)
    found: dict[str, Found] = {}
    ratios: dict[str, list[float]] = {name: [] for name in compared}
    for turn in range(rounds + 1):
        plain = plain_seconds(problem, hyper)
        for name, method in compared.items():
            found[name] = method(problem, hyper)
            if turn:  # the first round fills the caches
                ratios[name].append(found[name].seconds / plain)
    return found, {name: statistics.median(values) for name, values in ratios.items()}


def plain_seconds(problem: Problem, hyper: Any) -> float:
    """Processor time of one training without derivatives."""
    started = process_time()
    problem.seconds_in_floats(hyper, SEED)
    return process_time() - started


def cosine(found: Floats, exact: Floats) -> float:
    """Of the angle between two gradients; NaN if one is zero."""
    norms = float(np.linalg.norm(found)) * float(np.linalg.norm(exact))
    return float(np.vdot(found, exact)) / norms if norms else np.nan


def cell(found: Floats, exact: Floats) -> str:
    """Cosine and relative error, as words."""
    angle = cosine(found, exact)
    if np.isnan(angle):
        return "none"
    error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    return f"{angle:.3f}, {amount(error)}".replace("-", "−")


def amount(error: float) -> str:
    """A relative error: in percent, or as a power of ten where it is rounding."""
    if error == 0:
        return "0"
    return f"{error:.0e}" if error < 1e-4 else f"{float(f'{100 * error:.2g}'):,g}%"


def table(found: dict[str, Found], ratios: dict[str, float]) -> str:
    """The table, in Markdown."""
    exact = next(iter(found.values())).gradient
    heads = ["method", *KINDS.values(), "time", "bytes kept"]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, each in found.items():
        cells = [cell(each.gradient[kind], exact[kind]) for kind in KINDS]
        rows.append(f"| {name} | {' | '.join(cells)} | {ratios[name]:.1f} | {each.nbytes:,} |")
    return "\n".join(rows)


def learned(problem: Problem, adjoint: Adjoint, meta_steps: int) -> list[float]:
    """The training loss after training, before each meta-step and after the last."""
    settings = problem.settings

    def objective(hyper: Any, meta_step: int) -> tuple[Any, None]:
        w = trained(problem, hyper, adjoint, settings.seed + meta_step)
        return judged(problem, w), None

    beta1, beta2 = settings.meta_betas
    meta_optimizer = rg.Adam(settings.meta_rate, beta1, beta2)
    path = descend(objective, problem.start(), meta_optimizer, meta_steps)
    return [meta.value for meta in path]


def print_learned(problem: Problem, meta_steps: int) -> None:
    """The table of what is learned with each adjoint's gradient."""
    print("| gradient by | training loss before | after |\n|---|---|---|")
    for adjoint in (rg.Reversible(), *approximate(problem.settings.steps)):
        losses = learned(problem, adjoint, meta_steps)
        print(f"| `{adjoint!r}` | {losses[0]:.3f} | {losses[-1]:.3f} |", flush=True)


def draw(panels: Sequence[tuple[float, dict[str, Found]]], path: Path) -> None:
    """Draw the rates' gradient, step by step and summed over the groups, for each starting rate."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "retrograd"
    figure = Figure(figsize=(8.5, 3.4), layout="constrained")
    for axes, (log_rate, found) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        slopes = {name: by_step(found[name]) for name in LINES if name in found}
        for name, slope in slopes.items():
            style = LINES[name]
            axes.plot(range(len(slope)), slope, label=name.strip("`"), **style)
        scale(axes, list(slopes.values()))
        axes.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        axes.set_title(f"rates of $e^{{{log_rate:g}}}$", fontsize=10)
        axes.set_xlabel("training step")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("derivative of the final loss\nby the log rate of the step")
    figure.axes[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def by_step(found: Found) -> Floats:
    """The derivative by the log rate of each step, which all groups have in common."""
    return found.gradient["log_rates"].sum(axis=1)


def scale(axes: Any, slopes: Sequence[Floats]) -> None:
    """A logarithmic scale outside of the exact gradient's range, where another one is far out."""
    exact, *others = (float(np.abs(slope).max()) for slope in slopes)
    if max(others) > 3 * exact:
        axes.set_yscale("symlog", linthresh=10 ** np.ceil(np.log10(exact)))
    else:
        axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)


LINES: dict[str, dict[str, Any]] = {
    "`Reversible()`": {"color": "#222222", "lw": 2.2},
    "`StraightLine()`": {"color": "#c2410c", "lw": 1.5},
    "`Truncated(steps=50)`": {"color": "#2563eb", "lw": 1.5, "ls": "--"},
    "`Truncated(steps=10)`": {"color": "#0d9488", "lw": 1.5, "ls": "--"},
    "T1–T2, judged on all images": {"color": "#9333ea", "lw": 1.5},
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="mnist-10k")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--log-rates", type=float, nargs="+", default=[-3.0, -1.0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--meta-steps", type=int, help="learn with each gradient instead")
    parser.add_argument("--figure", type=Path, help="where the picture goes, as SVG")
    options = parser.parse_args()
    settings = ScheduleSettings(data=options.data, steps=options.steps)
    panels: list[tuple[float, dict[str, Found]]] = []
    with threadpool_limits(1):
        if options.meta_steps is not None:
            print_learned(Problem(settings, load(options.data)), options.meta_steps)
            return
        for log_rate in options.log_rates:
            problem = Problem(replace(settings, log_rate=log_rate), load(options.data))
            found, ratios = measured(problem, options.rounds)
            print(f"\nRates of e^{log_rate:g}:\n\n{table(found, ratios)}", flush=True)
            panels.append((log_rate, found))
    if options.figure is not None:
        draw(panels, options.figure)


if __name__ == "__main__":
    main()
