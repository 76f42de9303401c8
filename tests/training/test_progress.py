"""Progress: shown where somebody looks, and free where nobody does."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.training import progress
from retrograd.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that a test moves by hand: `clock.now`."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress, "monotonic", lambda: Clock.now)
    return Clock


def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rich", "rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, module, None)


def follow(bar: Progress, steps: Any, clock: Any, seconds: float) -> list[int]:
    done = []
    with bar:
        for t in bar.over(steps):
            clock.now += seconds
            done.append(t)
    return done


@pytest.mark.parametrize("wanted", [None, False])
def test_nothing_is_shown_or_paid_in_a_pipe(wanted: Any, capsys: Any) -> None:
    steps = range(3)
    with Progress(wanted, "work", 3) as bar:
        assert bar.over(steps) is steps
    assert capsys.readouterr().err == ""


def test_a_terminal_is_left_alone_for_some_seconds(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    without_rich(monkeypatch)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert follow(Progress(None, "work", 4), range(4), clock, 0.7) == [0, 1, 2, 3]
    assert terminal.getvalue() == ""
    assert follow(Progress(None, "work", 4), range(4), clock, 1.5) == [0, 1, 2, 3]
    assert "work: step 2 of 4 (50%), 0:03 elapsed, 0:03 left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")  # the line is wiped in the end


def test_the_sweep_counts_from_the_last_step(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    without_rich(monkeypatch)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    bar = Progress(True, "back", 2000, back=True)
    follow(bar, reversed(range(1000, 2000)), clock, 1.0)
    assert "back: step 1,000 of 2,000 (50%), 16:40 elapsed, 16:40 left" in terminal.getvalue()


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    follow(Progress(True, "work", 60), range(60), clock, 1.0)
    lines = file.getvalue().splitlines()
    assert 5 <= len(lines) <= 7
    assert lines[0].startswith("work: step 1 of 60 (2%)")
    assert "\r" not in file.getvalue()


def test_rich_draws_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    follow(Progress(True, "work", 3), range(3), clock, 4000.0)
    assert "work" in terminal.getvalue()
    assert "step 3 of 3" in terminal.getvalue()
    assert "3:20:00 elapsed" in terminal.getvalue()


def test_a_run_shows_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LONG_PAUSE", 0.0)

    def lines(shown: bool | None, function: Any) -> list[str]:
        monkeypatch.setattr(sys, "stderr", file := io.StringIO())
        rg.grad(function)(0.1, shown)
        return file.getvalue().splitlines()

    def trained(rate: Any, shown: Any) -> Any:
        def loss(w: Any, hyper: Any, step: int) -> Any:
            return np.sum(w**2)

        return np.sum(rg.train(loss, np.ones(2), None, rg.Momentum(rate), 5, progress=shown))

    def iterated(rate: Any, shown: Any) -> Any:
        return np.sum(rg.iterate(lambda x, r, t: r * x, np.ones(2), rate, 5, progress=shown))

    for function, name in ((trained, "Momentum"), (iterated, "iterate")):
        assert lines(None, function) == lines(False, function) == []
        shown = lines(True, function)
        for way in (f"{name} forwards: step ", f"{name} back: step "):
            assert sum(line.startswith(way) for line in shown) == 5
        assert "step 5 of 5 (100%)" in shown[-1]


def test_it_must_be_said_plainly() -> None:
    with pytest.raises(ArgumentError, match="progress: 'yes' was given; give True, False or None"):
        rg.train(lambda w, h, t: np.sum(w), np.ones(2), None, rg.Momentum(0.1), 5, progress="yes")  # type: ignore[arg-type]
