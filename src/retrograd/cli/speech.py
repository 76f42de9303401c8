"""What the commands say: results on standard output, everything else on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["results", "say", "say_error", "show_outcome"]


def say(message: str) -> None:
    """Tell the person something that is no result."""
    _print_whole(Console(stderr=True), Text(message))


def say_error(error: Exception) -> None:
    """Say what went wrong and what was noted about it, without a traceback."""
    message = Text("Error: ", style="bold red").append(str(error), style="not bold default")
    for note in getattr(error, "__notes__", ()):
        message.append(f"\n{note}", style="not bold default")
    _print_whole(Console(stderr=True), message)


def results(path: Path, label: str) -> None:
    """Say where a result lies; without a label, its path alone."""
    _print_whole(Console(), Text(f"{label}: {path}" if label else str(path)))


def show_outcome(summary: Mapping[str, Any]) -> None:
    """Print what came out, and what it took."""
    from retrograd.report.outcome import costs, qualities

    console = Console()
    console.print(
        _table(("The network at the end of training", "before", "after"), qualities(summary))
    )
    console.print(_table(("What a hypergradient took", ""), costs(summary)))


def _table(heads: tuple[str, ...], rows: Any) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _print_whole(console: Console, text: Text) -> None:
    # A path broken over two lines can be neither copied nor clicked.
    console.print(text, soft_wrap=True, highlight=False)
