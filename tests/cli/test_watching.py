"""Following a study: a bar in a terminal, lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import re

from rich.console import Console

from retrograd.cli.watching import lines, watch

ENTRIES = [
    {"meta_step": 0, "train_loss": 0.5, "valid_loss": 0.6},
    {"meta_step": 1, "train_loss": 0.4, "valid_loss": None},
    {"meta_step": 2, "train_loss": 0.3, "valid_loss": 0.45},
]


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)


def said(place: Console) -> str:
    assert isinstance(place.file, io.StringIO)
    return place.file.getvalue()


def test_lines_tell_the_losses_and_the_time_left():
    place = console(terminal=False)
    clock = iter([0.0, 10.0, 25.0])
    observe = lines(2, place, lambda: next(clock))
    for entry in ENTRIES:
        observe(entry)
    assert said(place).splitlines() == [
        "meta-step 1/2  loss: training 0.500  validation 0.600  elapsed 10.0 s  left 10.0 s",
        "meta-step 2/2  loss: training 0.400  validation –  elapsed 25.0 s  left 0 s",
    ]


def test_without_a_terminal_there_are_lines():
    place = console(terminal=False)
    with watch(2, console=place) as observe:
        assert observe is not None
        observe(ENTRIES[0])
    assert said(place).startswith("meta-step 1/2  loss: training 0.500")


def test_in_a_terminal_there_is_a_bar_that_fits():
    place = console(terminal=True)
    with watch(50, console=place) as observe:
        assert observe is not None
        observe({"meta_step": 11, "train_loss": 0.3, "valid_loss": 0.45})
    shown = said(place).split("\r")[-1].splitlines()[0]
    assert "meta-step 12/50 ━" in shown
    assert "training 0.300  validation 0.450" in shown
    assert re.search(r"\d:\d\d:\d\d left [-\d]+:", shown)


def test_quiet_shows_nothing():
    place = console(terminal=True)
    with watch(2, quiet=True, console=place) as observe:
        assert observe is None
    assert said(place) == ""
