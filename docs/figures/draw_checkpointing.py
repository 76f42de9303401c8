"""Draw the figures of docs/checkpointing.md.

    python docs/figures/draw_checkpointing.py

Writes `checkpointing.svg`, a schedule in time, and `checkpointing-cost.svg`, what keeping states,
derivatives of steps, or both costs for a given memory, beside this file. No model is run.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator, NullLocator, ScalarFormatter

from retrograd.adjoints.mixed_schedule import MixedSchedule, What
from retrograd.adjoints.schedule import Advance, Drop, Pull, Restore, Save, binomial
from retrograd.report.drawing import svg
from retrograd.report.figures import Picture
from retrograd.report.style import FAINT, INK, RC, SERIES, WIDTH

STEPS, SLOTS = 20, 4
RUN, STATES, PULLS = INK.light, SERIES[0].light, SERIES[1].light


def draw_schedule(axes: Axes, steps: int, slots: int) -> None:
    """The state at hand in time, the states that are saved as bars, the pulls as dots."""
    time, saved = 0, dict[int, int]()
    # The step after the last one stands for the loss.
    for action in binomial(steps + 1, slots):
        match action:
            case Advance(start, stop):
                axes.plot([time, time + stop - start], [start, stop], color=RUN, lw=1.2, zorder=3)
                time += stop - start
            case Save(step):
                saved[step] = time
            case Restore(step):
                axes.plot(time, step, marker=">", ms=4, color=STATES, zorder=4)
            case Drop(step):
                axes.plot([saved[step], time], [step, step], color=STATES, lw=3.2, alpha=0.45)
            case Pull(step):
                axes.plot([time, time + 1], [step + 1, step], color=PULLS, lw=1.8, zorder=5)
                time += 1
            case _:
                raise AssertionError(action)
    axes.set_xlabel("time, in steps taken and pulled")
    axes.set_ylabel("step")
    axes.set_xlim(-1, time + 1)
    axes.set_ylim(-0.8, steps + 1.6)


def schedule() -> Picture:
    """How 20 steps are run backwards with 4 states."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    draw_schedule(axes, STEPS, SLOTS)
    axes.set_title(f"{STEPS} steps, {SLOTS} states kept at a time")
    axes.plot([], [], color=RUN, lw=1.2, label="a step is taken")
    axes.plot([], [], color=PULLS, lw=1.8, label="a step is pulled")
    axes.plot([], [], color=STATES, lw=3.2, alpha=0.45, label="a state is kept")
    axes.plot([], [], ">", ms=4, color=STATES, label="and gone back to")
    axes.legend(loc="upper right")
    axes.yaxis.set_major_locator(MultipleLocator(5))
    alt = (
        f"Against time, the step that the computation is at: it runs up to {STEPS}, saving states "
        "on the way, and returns in short runs from the saved states, each ending in a pull."
    )
    return Picture("checkpointing", figure, "", alt)


def cost() -> Picture:
    """Repeated work against memory, for what may be kept."""
    steps, derivative = 500, 5
    budgets = np.unique(np.geomspace(8, 400, 22).astype(int)).tolist()
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    lines: list[tuple[What, int, str]] = [
        ("derivatives", 2, "--"),
        ("states", 0, "-."),
        ("both", 1, "-"),
    ]
    for what, colour, style in lines:
        # One run is the forward run itself.
        runs = [MixedSchedule(steps, m, derivative, what=what).cost / steps for m in budgets]
        axes.plot(budgets, runs, style, color=SERIES[colour].light, label=f"{what} kept")
    axes.axvline(steps * (derivative + 1) / 20, color=FAINT.light, lw=0.8, ls=":")
    axes.text(steps * (derivative + 1) / 20 * 1.04, 3.6, "5% of everything", color=FAINT.light)
    axes.set(xscale="log", ylim=(0, 4), xlabel="memory, in states")
    axes.set_ylabel("steps without derivative\nper step")
    axes.set_title(f"{steps} steps; a derivative takes {derivative} states' memory")
    axes.xaxis.set_major_locator(FixedLocator([10, 30, 100, 300]))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower left")
    alt = (
        "Steps taken without their derivative, per step of the run, fall with memory; keeping "
        "both states and derivatives costs least everywhere."
    )
    return Picture("checkpointing-cost", figure, "", alt)


def main() -> None:
    """Write both figures."""
    with matplotlib.rc_context(RC):
        pictures = schedule(), cost()
    for picture in pictures:
        path = Path(__file__).with_name(f"{picture.name}.svg")
        path.write_bytes(svg(picture))
        print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
