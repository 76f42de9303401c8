"""What a gradient through the fluid costs, by adjoint: memory, and time of one core.

The first row is the same loop without `iterate`: the engine then keeps what every operation of
every step needs. Prints a table and draws it:

    python examples/fluid/fluid_memory.py --out pictures
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from fluid_control import Task, objective
from fluid_shapes import filled, places
from fluid_solver import begin, step
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter
from numpy.typing import NDArray

import retrograd as rg
from retrograd.adjoints import Adjoint
from retrograd.adjoints.coded import Coded
from retrograd.adjoints.reverse_models.straight import Straight
from retrograd.report.style import RC, SERIES, WIDTH

__all__ = ["Row", "draw", "measure", "plain_objective", "table"]

Array = NDArray[np.floating[Any]]

ADJOINTS: dict[str, Adjoint] = {
    "Stored()": rg.Stored(),
    'Checkpointed(memory="8 MiB")': rg.Checkpointed(memory="8 MiB"),
    'Checkpointed(memory="2 MiB")': rg.Checkpointed(memory="2 MiB"),
    'Checkpointed(memory="512 KiB")': rg.Checkpointed(memory="512 KiB"),
    "Coded(Straight())": Coded(Straight()),
}


@dataclass(frozen=True)
class Row:
    """What one way to the gradient costs.

    Attributes:
        name: how the sweep gets the states back.
        kept: bytes that the adjoint kept between the two passes; None where there is none.
        peak: the most bytes in use at a time, of those that were not before. What `Coded` keeps
            lies in the memory of its coder, where Python cannot see it, and is added whole.
        seconds: of one core, the shortest of several.
    """

    name: str
    kept: int | None
    peak: int
    seconds: float


def plain_objective(control: Array, task: Task, edge: float) -> Any:
    """The objective by a loop of its own, without `iterate`."""
    state, here = begin(control, task.smoothness), places(task.size)
    for t in range(task.steps):
        state = step(state, None, t)
    origin = here + state["shift"] / task.size
    smoke = filled(task.source(origin[0], origin[1]), edge)
    return np.mean((smoke - filled(task.target(here[0], here[1]), edge)) ** 2)


def measure(task: Task, adjoints: Mapping[str, Adjoint], best: int = 5) -> list[Row]:
    """One row for the plain loop, and one for each adjoint.

    Args:
        task: the fluid and the picture.
        adjoints: each by the name of its row.
        best: how often each is timed, one after the other, so that all see the same machine.
    """
    control = 0.5 * np.random.default_rng(0).normal(size=(2, task.size, task.size))
    ways: dict[str, Callable[[Array], Any]] = {
        "no adjoint": rg.grad(lambda control: plain_objective(control, task, 0.1))
    }
    kept: dict[str, int | None] = {"no adjoint": None}
    for name, adjoint in adjoints.items():
        ways[name], kept[name] = _through(task, adjoint, control)
    peaks = {name: _peak(way, control) for name, way in ways.items()}
    for name, adjoint in adjoints.items():
        if isinstance(adjoint, Coded):
            peaks[name] += kept[name] or 0
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(best):
        for name, way in ways.items():
            seconds[name] = min(seconds[name], _seconds(way, control))
    return [Row(name, kept[name], peaks[name], seconds[name]) for name in ways]


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown; times are relative to those of `Stored`, the second row."""
    lines = ["| | kept | most in use | time |", "|---|---|---|---|"]
    for row in rows:
        kept = "" if row.kept is None else _mebibytes(row.kept)
        against = row.seconds / rows[1].seconds
        lines.append(f"| {row.name} | {kept} | {_mebibytes(row.peak)} | {against:.2f} |")
    return "\n".join(lines)


def _through(task: Task, adjoint: Adjoint, control: Array) -> tuple[Callable[[Array], Any], int]:
    """The gradient by an adjoint, and what that kept."""
    seen = rg.Diagnostics()
    rg.grad(lambda control: objective(control, task, 0.1, adjoint, seen))(control)
    assert seen.certificate is not None
    gradient = rg.grad(lambda control: objective(control, task, 0.1, adjoint))
    return gradient, seen.certificate.bytes_kept


def _peak(gradient: Callable[[Array], Any], control: Array) -> int:
    gradient(control)  # the first call also fills what is kept for good
    tracemalloc.start()
    try:
        gradient(control)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _seconds(gradient: Callable[[Array], Any], control: Array) -> float:
    started = time.process_time()
    gradient(control)
    return time.process_time() - started


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.2f} MiB"


def draw(rows: Sequence[Row]) -> Figure:
    """Time against memory, a dot for each row."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axes = figure.subplots()
        for row, shade in zip(rows, cycle(SERIES), strict=False):
            memory, against = row.peak / 2**20, row.seconds / rows[1].seconds
            axes.plot(memory, against, "o", markersize=7, color=shade.light, label=row.name)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set(xlabel="most memory in use, MiB", ylabel="time, relative to Stored")
        axes.set_title("The same gradient through 100 steps of a fluid")
        axes.set_xticks([2.0**k for k in range(2, 8)])
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description="Memory and time of a gradient, by adjoint.")
    parser.add_argument("--out", type=Path, default=Path("runs/fluid"), help="folder of the figure")
    parser.add_argument("--quick", action="store_true", help="16 x 16 cells and 10 steps")
    given = parser.parse_args(arguments)
    task = Task(16, 10) if given.quick else Task()
    rows = measure(task, ADJOINTS, best=1 if given.quick else 5)
    print(table(rows))
    given.out.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "fluid", "svg.fonttype": "path"}):
        draw(rows).savefig(given.out / "fluid_memory.svg", metadata={"Date": None})
    print(f"drawn: {given.out / 'fluid_memory.svg'}")


if __name__ == "__main__":
    main()
