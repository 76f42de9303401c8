"""Hypergradients in JAX and PyTorch: time over plain training, memory, and the peers.

    python benchmarks/hypergradients.py [--library jax|torch] [--problem small|wide|tiny]
        [--device cpu|gpu] [--rounds 10] [--only NAME ...] [--most-gigabytes 8]

Needs the library; equinox for one peer of JAX, higher and torchopt for two of PyTorch (those that
are missing are left out). The problems are those of `hypergradient_problem.py`, in float32; the
peers those of `peers_jax.py` and `peers_torch.py`.

Plain training is what one writes by hand: in JAX a compiled scan of gradient and momentum, its
batches gathered in the device's memory; in PyTorch an eager loop in place. Plain training and all
contenders take turns; "times" is the median over the rounds of the ratios within each round, the
first round left out. On the CPU everything runs on one thread of one core, and times are processor
times. "Kept" is in bytes per parameter and step: in all (what does not grow with the number of
steps included), and by each further step (in parentheses, what the certificate says that grows);
how it was measured is said below the table. A contender that would keep more than
`--most-gigabytes` is not run. "Difference" is the largest relative difference, over the leaves of
the hypergradient, from the same in float64.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from importlib import import_module
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypergradient_problem import Contender, Leaves, Problem

ROUNDS = {"small": 10, "wide": 3, "tiny": 2}
HEADER = "| hypergradient | times | compiled in, s | kept, in all | kept by a step | difference |"


def one_thread() -> None:
    """Keep this process, and the libraries that it will import, on one thread of one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 "
        + os.environ.get("XLA_FLAGS", "")
    )
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


class Comparison:
    """The contenders of one library on one problem, and what was measured of them."""

    def __init__(self, library: Any, problem: Problem, device: str) -> None:
        self.library, self.problem, self.device = library, problem, device
        self.clock = process_time if device == "cpu" else perf_counter
        self.plain = library.plain(problem, device)
        self.seconds: list[float] = []
        self.contenders: dict[str, Contender] = {}
        self.ratios: dict[str, list[float]] = {}
        self.found: dict[str, Leaves] = {}
        self.notes: dict[str, str] = {}

    def prepare(self, name: str, longer: Problem, limit: float) -> None:
        """Compile a contender, or note why it does not take part."""
        if not self.library.installed(name):
            self.notes[name] = "not installed"
            return
        prepared = self.library.contender(name, self.problem, longer, self.device, limit)
        self.contenders[name] = prepared
        if prepared.run is None:
            self.notes[name] = f"not run: it keeps over {limit / 1e9:g} GB"

    def round(self) -> None:
        """One plain training, and one hypergradient of each contender."""
        self.seconds.append(self.timed(self.plain)[0])
        for name, contender in self.contenders.items():
            if contender.run is None or name in self.notes:
                continue
            try:
                seconds, self.found[name] = self.timed(contender.run)
            except Exception as error:
                if not self.library.out_of_memory(error):
                    raise
                self.notes[name] = "out of memory"
            else:
                self.ratios.setdefault(name, []).append(seconds / self.seconds[-1])

    def timed(self, function: Callable[[], Any]) -> tuple[float, Any]:
        """The seconds that a call takes, and its result."""
        started = self.clock()
        result = function()
        return self.clock() - started, result

    def row(self, name: str, reference: Leaves) -> str:
        """A contender's line of the table."""
        title, contender = self.library.TITLES[name], self.contenders.get(name)
        if contender is None:
            return f"| {title} | {self.notes[name]} | | | | |"
        cells = [self.times(name), *self.costs(contender), self.difference(name, reference)]
        return f"| {title} | {' | '.join(cells)} |"

    def times(self, name: str) -> str:
        """The time of a hypergradient over that of plain training."""
        if name in self.notes:
            return self.notes[name]
        return f"**{statistics.median(self.ratios[name][1:]):.2f}**"

    def costs(self, contender: Contender) -> list[str]:
        """The seconds of compilation, and the bytes kept per parameter and step."""
        seconds, kept, weights = (
            contender.compile_seconds,
            contender.bytes_kept,
            self.problem.parameters,
        )
        tape = contender.bytes_certified
        certified = "" if tape is None else f" ({tape / weights:.3f})"
        return [
            "-" if seconds is None else f"{seconds:.1f}",
            "-" if kept is None else f"{kept / weights / self.problem.steps:.2f}",
            f"{contender.bytes_by_step / weights:.3f}" + certified,
        ]

    def difference(self, name: str, reference: Leaves) -> str:
        """The distance of a contender's hypergradient from the exact one."""
        from hypergradient_problem import relative_difference

        if name not in self.found:
            return "-"
        return f"{relative_difference(self.found[name], reference):.1e}"


def compare(library: Any, options: argparse.Namespace) -> None:
    """Measure and print the table."""
    from hypergradient_problem import KINDS, problem_of

    library.setup(options.device)
    longer = problem_of(options.problem)
    problem = longer.first(KINDS[options.problem].steps)
    comparison = Comparison(library, problem, options.device)
    names = options.only or list(library.SWEEPS)
    for name in names:
        comparison.prepare(name, longer, 1e9 * options.most_gigabytes)
    for _ in range((options.rounds or ROUNDS[options.problem]) + 1):
        comparison.round()
    seconds = statistics.median(comparison.seconds[1:])
    where = f"{options.library}, {options.problem}, {options.device}"
    size = f"{problem.parameters:,} parameters, {problem.steps} steps"
    print(f"{where}: {size}; plain training {seconds:.3f} s\n\n{HEADER}\n{'|---' * 6}|")
    reference = library.reference(problem, options.device)
    for name in names:
        print(comparison.row(name, reference))
    print(f"\nKept: bytes per parameter and step, of the {library.MEASURED}.")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--library", choices=("jax", "torch"), default="jax")
    parser.add_argument("--problem", choices=ROUNDS, default="small")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--most-gigabytes", type=float, default=8.0)
    options = parser.parse_args()
    if options.device == "cpu":
        one_thread()
    library = import_module(f"peers_{options.library}")
    unknown = set(options.only or ()) - set(library.SWEEPS)
    if unknown:
        parser.error(
            f"--only {', '.join(sorted(unknown))}: choose from {', '.join(library.SWEEPS)}"
        )
    compare(library, options)


if __name__ == "__main__":
    main()
