"""What came out of a study, as rows of words: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from retrograd.report.quantities import UNKNOWN, decimal, duration, memory, percent, times
from retrograd.study import Record, summarize

__all__ = ["Cost", "Quality", "costs", "qualities", "status", "summary_of"]


class Quality(NamedTuple):
    """One measure of the trained network, before the first meta-step and after the last."""

    name: str
    before: str
    after: str


class Cost(NamedTuple):
    """One measure of what the hypergradients took."""

    name: str
    value: str


def summary_of(record: Record) -> dict[str, Any]:
    """The summary that the study wrote, or what its entries tell so far; at least one entry."""
    return record.summary if record.summary is not None else summarize(record.entries)


def status(record: Record) -> str:
    """Where the study stands, in one sentence.

    Example:
        >>> from pathlib import Path
        >>> from retrograd.study import Record
        >>> asked = {"settings": {"meta_steps": 50}}
        >>> status(Record(Path(), asked, [], {"interrupted": True, "meta_steps_done": 7}, []))
        'Interrupted after 7 of 50 meta-steps.'
    """
    asked = record.settings["settings"]["meta_steps"]
    if record.summary is None:
        return f"Not finished: {len(record.entries)} of {asked} meta-steps so far."
    done = record.summary["meta_steps_done"]
    if record.summary["interrupted"]:
        return f"Interrupted after {done} of {asked} meta-steps."
    return f"Finished: {done} meta-steps."


def qualities(summary: Mapping[str, Any]) -> list[Quality]:
    """Losses and test error, before and after."""
    before, after = summary["before"], summary["after"]
    rows = (
        ("Training loss", "train_loss", decimal),
        ("Validation loss", "valid_loss", decimal),
        ("Test loss", "test_loss", decimal),
        ("Test error", "test_error", percent),
    )
    return [Quality(name, say(before.get(key)), say(after.get(key))) for name, key, say in rows]


def costs(summary: Mapping[str, Any]) -> list[Cost]:
    """Time and memory of a hypergradient, beside plain training and a stored trajectory."""
    seconds, held = summary["seconds"], summary["bytes"]
    bits = summary["bits_per_element_step"]
    return [
        Cost("One plain training", duration(seconds["training"])),
        Cost(
            "One hypergradient: run and sweep",
            _beside(duration(seconds["hypergradient"]), _trainings(seconds)),
        ),
        Cost("How it got the states back", summary.get("adjoint") or UNKNOWN),
        Cost("Memory that the sweep kept", memory(held["kept"])),
        Cost("Storing the trajectory", _beside(memory(held["trajectory"]), _times_more(held))),
        Cost(
            "Kept for each parameter and step",
            UNKNOWN if bits is None else f"{bits:.3g} bits",
        ),
        Cost("Every step recovered bit for bit", _yes_or_no(summary["exact"])),
        Cost("All meta-steps together", duration(seconds["total"])),
    ]


def _beside(value: str, comparison: str) -> str:
    return f"{value} ({comparison})" if comparison else value


def _trainings(seconds: Mapping[str, Any]) -> str:
    return "" if seconds["ratio"] is None else f"{times(seconds['ratio'])} trainings"


def _times_more(held: Mapping[str, Any]) -> str:
    return "" if held["ratio"] is None else f"{times(held['ratio'])} times as much"


def _yes_or_no(exact: bool | None) -> str:
    return UNKNOWN if exact is None else "yes" if exact else "NO"
