"""How wrong the approximate adjoints are: against the exact gradient of the schedule experiment.

    python benchmarks/approximate_adjoints.py [--data mnist-10k] [--steps 100] [--rate -1.0]

The problem is the learned schedule's: a network 784-50-50-50-10, batch 200, momentum with a rate
and a momentum for every step and group, and a scale of the initial weights for every group. For
each adjoint and each kind of hyperparameter, the cosine of the angle between its gradient and that
of `Reversible`, and the norm of the difference over the norm of the exact gradient. Time is that of
the forward run and the sweep over that of `Reversible`; one BLAS thread.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
from retrograd.adjoints import Adjoint
from retrograd.data import load
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.network import cross_entropy, logits
from retrograd.experiments.settings import ScheduleSettings

KINDS = {"log_rates": "rates", "logit_momenta": "momenta", "log_scales": "initial scales"}


def gradient(problem: Problem, hyper: Any, adjoint: Adjoint) -> tuple[Any, rg.Diagnostics]:
    """The hypergradient by one adjoint, and what its run left behind."""
    seen = rg.Diagnostics()

    def objective(hyper: Any) -> Any:
        w = rg.train(
            problem.loss(0),
            problem.initial(hyper, 0),
            None,
            problem.optimizer(hyper),
            problem.settings.steps,
            adjoint=adjoint,
            diagnostics=seen,
            progress=False,
        )
        return cross_entropy(logits(w, problem.images("train")), problem.targets)

    return rg.grad(objective)(hyper), seen


def compared(found: Any, exact: Any) -> str:
    """Cosine, and relative error."""
    norms = float(np.linalg.norm(found)), float(np.linalg.norm(exact))
    error = float(np.linalg.norm(found - exact)) / norms[1]
    if not norms[0]:
        return f"- | {error:.2g}"
    return f"{float(np.vdot(found, exact)) / (norms[0] * norms[1]):.3f} | {error:.2g}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mnist-10k")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rate", type=float, help="the logarithm of the rates")
    options = parser.parse_args()
    settings = ScheduleSettings(data=options.data, steps=options.steps)
    problem = Problem(settings, load(options.data))
    hyper = problem.start()
    if options.rate is not None:
        hyper["log_rates"] = np.full_like(hyper["log_rates"], options.rate)
    lengths = sorted({options.steps // 2, options.steps // 10, 1}, reverse=True)
    adjoints = [rg.Reversible(), rg.StraightLine(), *[rg.Truncated(k) for k in lengths]]
    heads = " | ".join(f"{name}: cosine | error" for name in KINDS.values())
    print(f"| adjoint | {heads} | time | bytes kept |")
    print("|---" * (3 + 2 * len(KINDS)) + "|")
    with threadpool_limits(1):
        gradient(problem, hyper, rg.Reversible())  # so that all find the same caches
        exact, first = gradient(problem, hyper, rg.Reversible())
        for adjoint in adjoints:
            found, seen = gradient(problem, hyper, adjoint)
            assert seen.certificate is not None
            cells = " | ".join(compared(found[name], exact[name]) for name in KINDS)
            seconds = seen.seconds_forward + seen.seconds_sweep
            ratio = seconds / (first.seconds_forward + first.seconds_sweep)
            print(f"| `{adjoint!r}` | {cells} | {ratio:.2f} | {seen.certificate.bytes_kept:,} |")


if __name__ == "__main__":
    main()
