"""Following long work: a bar for the forward run, and one for the sweep."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, TextIO

from retrograd.errors import ArgumentError

__all__ = ["Progress"]

_DELAY = 3.0  # seconds before anything is shown where nobody asked for it
_PAUSE = 0.2  # between two pictures in a terminal
_LONG_PAUSE = 10.0  # between two lines in a file or a pipe

Show = Callable[[int], None]
"""Takes how many steps are done."""


class Progress:
    """Follows one pass over the steps of a run; use it as a context.

    Args:
        wanted: True shows it from the start, False never; None shows it where standard error is a
            terminal, when the pass has taken some seconds.
        what: what is done, for the line.
        steps: how many steps there are.
        back: whether they are counted from the last to the first.

    Raises:
        ArgumentError: `wanted` is none of the three.
    """

    def __init__(self, wanted: bool | None, what: str, steps: int, *, back: bool = False) -> None:
        if wanted not in (None, True, False):
            raise ArgumentError(f"progress: {wanted!r:.60} was given; give True, False or None")
        self.what = what
        self.steps = steps
        self.back = back
        self.shown = _is_terminal(sys.stderr) if wanted is None else wanted
        self._delay = _DELAY if wanted is None else 0.0
        self._display: _Plain | _Rich | None = None

    def __enter__(self) -> Progress:
        self._started = monotonic()
        self._next = self._started + self._delay
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.close()

    def over(self, steps: Iterable[int]) -> Iterable[int]:
        """The same steps; what shows them costs nothing where nothing is shown."""
        return self._followed(steps) if self.shown else steps

    def _followed(self, steps: Iterable[int]) -> Iterator[int]:
        for t in steps:
            yield t
            if monotonic() >= self._next:
                self._show(self.steps - t if self.back else t + 1)

    def _show(self, done: int) -> None:
        if self._display is None:
            self._display = _display(self.what, self.steps, self._started)
        self._display.show(done)
        self._next = monotonic() + self._display.pause


class _Plain:
    """A line of text: rewritten in a terminal, a new one now and then elsewhere."""

    def __init__(self, what: str, steps: int, started: float, file: TextIO) -> None:
        self.what = what
        self.steps = steps
        self.started = started
        self.file = file
        self.terminal = _is_terminal(file)
        self.pause = _PAUSE if self.terminal else _LONG_PAUSE
        self._length = 0

    def show(self, done: int) -> None:
        elapsed = monotonic() - self.started
        left = elapsed / done * (self.steps - done)
        line = (
            f"{self.what}: step {done:,} of {self.steps:,} ({done / self.steps:.0%}), "
            f"{_clock(elapsed)} elapsed, {_clock(left)} left"
        )
        self._write(f"\r{line.ljust(self._length)}" if self.terminal else f"{line}\n")
        self._length = len(line)

    def close(self) -> None:
        if self.terminal:
            self._write(f"\r{' ' * self._length}\r")

    def _write(self, text: str) -> None:
        self.file.write(text)
        self.file.flush()


class _Rich:
    """A bar drawn by rich."""

    pause = _PAUSE

    def __init__(self, rich: Any, what: str, steps: int, started: float) -> None:
        columns = (
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("step {task.completed:,.0f} of {task.total:,.0f}"),
            rich.progress.TextColumn("{task.fields[times]}"),
        )
        self.steps = steps
        self.started = started
        console = rich.console.Console(stderr=True)
        self._bar = rich.progress.Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task(what, total=steps, times="")
        self._bar.start()

    def show(self, done: int) -> None:
        elapsed = monotonic() - self.started
        left = elapsed / done * (self.steps - done)
        times = f"{_clock(elapsed)} elapsed, {_clock(left)} left"
        self._bar.update(self._task, completed=done, times=times)

    def close(self) -> None:
        self._bar.stop()


def _display(what: str, steps: int, started: float) -> _Plain | _Rich:
    """A bar in a terminal, where rich is installed; else a line of text."""
    if _is_terminal(sys.stderr):
        try:
            import rich.console
            import rich.progress
        except ImportError:
            pass
        else:
            return _Rich(rich, what, steps, started)
    return _Plain(what, steps, started, sys.stderr)


def _is_terminal(file: Any) -> bool:
    return file is not None and file.isatty()


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
