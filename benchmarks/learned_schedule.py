"""The learned schedule on the full MNIST set with the paper's sizes, for several seeds.

    RETROGRAD_DATA=... python benchmarks/learned_schedule.py [--seeds 0 100 200] [--data mnist]

Prints, for each seed, the losses at the first meta-step and the last, the lowest training loss on
the way, and what the schedule looks like: the geometric mean of the learned rates of each layer's
weights over the first tenth of training, over the middle, and over the last tenth. The paper
reports a training loss from 0.53 to 0.12 and a test loss from 0.59 to 0.24, the top layer's rate
large in the first tenth and all rates small in the last (Maclaurin, Duvenaud & Adams 2015,
section 3.1).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from retrograd.experiments.learned_schedule import learn_schedule
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import Record, read

HEAD = """\
| seed | training loss | lowest | test loss | test error | hypergradient / training \
| rates of layers 1 2 3 4: first tenth, middle, last tenth |
|---|---|---|---|---|---|---|"""


def study(settings: ScheduleSettings) -> tuple[Record, np.ndarray]:
    """Run one study; its record, and the learned log rates of the weights, (steps, layers)."""
    with tempfile.TemporaryDirectory() as folder:
        learn_schedule(settings, Path(folder))
        record = read(folder)
        return record, record.arrays(-1)["hyper/log_rates"][:, ::2]


def tenths(log_rates: np.ndarray) -> str:
    """Rates of the layers in the first tenth, the middle and the last tenth."""
    tenth = len(log_rates) // 10
    parts = log_rates[:tenth], log_rates[tenth:-tenth], log_rates[-tenth:]
    return " \\| ".join(" ".join(f"{np.exp(r):.2f}" for r in part.mean(axis=0)) for part in parts)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 100, 200])
    parser.add_argument("--data", default="mnist")
    options = parser.parse_args()
    print(HEAD)
    for seed in options.seeds:
        with threadpool_limits(1):
            record, log_rates = study(ScheduleSettings(data=options.data, seed=seed))
        summary = record.summary
        assert summary is not None
        before, after = summary["before"], summary["after"]
        lowest = min(entry["train_loss"] for entry in record.entries)
        print(
            f"| {seed} | {before['train_loss']:.3f} → {after['train_loss']:.3f} | {lowest:.3f} "
            f"| {before['test_loss']:.3f} → {after['test_loss']:.3f} "
            f"| {before['test_error']:.1%} → {after['test_error']:.1%} "
            f"| {summary['seconds']['ratio']:.2f} | {tenths(log_rates)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
