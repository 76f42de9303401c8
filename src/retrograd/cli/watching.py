"""Following a study: a progress bar in a terminal, a line for each meta-step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from retrograd.report.quantities import decimal, duration

__all__ = ["Observer", "lines", "watch"]

Observer = Callable[[Mapping[str, Any]], None]


@contextmanager
def watch(
    meta_steps: int, *, quiet: bool = False, console: Console | None = None
) -> Iterator[Observer | None]:
    """Follow a study of so many meta-steps.

    Args:
        meta_steps: How many meta-steps there will be.
        quiet: Show nothing.
        console: Where to show it; standard error by default.

    Yields:
        What to call with each entry of the record; None if nothing is shown.
    """
    console = console or Console(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        with _bar(console) as progress:
            yield _advance(progress, meta_steps)
    else:
        yield lines(meta_steps, console)


def lines(
    meta_steps: int, console: Console, clock: Callable[[], float] = time.monotonic
) -> Observer:
    """An observer that prints a line for each entry."""
    start = clock()
    width = len(str(meta_steps))

    def observe(entry: Mapping[str, Any]) -> None:
        if entry["meta_step"] == meta_steps:
            return  # the evaluation of the result: it stands in the table
        done, elapsed = _done(entry, meta_steps), clock() - start
        left = elapsed / done * (meta_steps - done)
        console.print(
            f"meta-step {done:{width}}/{meta_steps}  loss: {_losses(entry)}  "
            f"elapsed {duration(elapsed)}  left {duration(left)}",
            soft_wrap=True,
            highlight=False,
        )

    return observe


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("meta-step {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=None),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        speed_estimate_period=600,
    )


def _advance(progress: Progress, meta_steps: int) -> Observer:
    task = progress.add_task("first training".ljust(33), total=meta_steps)

    def observe(entry: Mapping[str, Any]) -> None:
        progress.update(task, completed=_done(entry, meta_steps), description=_losses(entry))

    return observe


def _done(entry: Mapping[str, Any], meta_steps: int) -> int:
    # The last entry evaluates the result and makes no meta-step of its own.
    return min(entry["meta_step"] + 1, meta_steps)


def _losses(entry: Mapping[str, Any]) -> str:
    training, validation = decimal(entry["train_loss"]), decimal(entry["valid_loss"])
    return f"training {training}  validation {validation}"
