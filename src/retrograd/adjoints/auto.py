"""The planner's adjoint: it measures a run, picks the strategy that fits, and says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from time import perf_counter

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot
from retrograd.adjoints.byte_count import byte_count
from retrograd.adjoints.checkpointed import Checkpointed
from retrograd.adjoints.planner import Choice, Needs, choose, in_units
from retrograd.adjoints.reversible import Reversible
from retrograd.adjoints.stored import Stored

__all__ = ["Auto"]

# For the unit of time the first step is taken again, until so many seconds are over, but only this
# part of the steps of the run, or this many where that is more.
_LONG = 0.1
_PART, _LEAST = 0.02, 3


class Auto(Adjoint):
    """Pick the adjoint by the memory that it may take.

    In this order, whichever fits first: `Stored()`; `Reversible()`; `Reversible(checkpoints=k)`
    with the k that takes the least memory; `Checkpointed(slots)` with as many states as there is
    room for. Only computations that can be undone are run backwards. Before the run it prints
    (to standard error) what it chose and why, with the bytes and seconds predicted, and after the
    sweep what they were. The unit of time is the first step, which it takes a few times for this.

    The memory is that of what is kept between the steps; what one step needs for a moment, and the
    adjoint of the state, come on top.

    Args:
        memory: bytes, or a text such as "256 MiB".
        quiet: True prints nothing.

    Raises:
        ArgumentError: `memory` is no amount of memory, or, in a run, not even one state fits.

    Example:
        >>> Auto("1.5 GB"), Auto(10**6, quiet=True)
        (Auto(memory='1.5 GB'), Auto(memory=1000000, quiet=True))
    """

    def __init__(self, memory: str | float = "256 MiB", *, quiet: bool = False) -> None:
        self.budget = byte_count(memory, "Auto")
        self.given = memory
        self.quiet = quiet

    def memory(self, dynamics: Dynamics) -> Memory:
        unit = _seconds_of_a_step(dynamics)
        choice = choose(_needs(dynamics), self.budget)
        chosen = _made(choice)
        seconds = choice.trainings * unit * dynamics.steps
        self._say(
            f"Auto: {chosen!r} because {choice.because}; predicted {in_units(choice.nbytes)}, "
            f"about {choice.trainings:.1f} forward runs = {_time(seconds)}"
        )
        return _Measured(chosen, chosen.memory(dynamics), choice, seconds, self._say)

    def __repr__(self) -> str:
        quiet = ", quiet=True" if self.quiet else ""
        return f"Auto(memory={self.given!r}{quiet})"

    def _say(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


class _Measured(Memory):
    """The chosen strategy's memory, whose bytes and seconds are compared with the prediction.

    Args:
        chosen: the strategy.
        memory: its memory of the run.
        choice: what was predicted.
        seconds: the time that was predicted.
        say: takes the line that is printed in the end.
    """

    def __init__(
        self,
        chosen: Adjoint,
        memory: Memory,
        choice: Choice,
        seconds: float,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(memory.dynamics)
        self.inner = memory
        self.returns, self.retreats, self.repairs = memory.returns, memory.retreats, memory.repairs
        self.strategy = f"Auto: {chosen!r}"
        self.choice = choice
        self.predicted_seconds = seconds
        self.say = say
        self.most = 0
        self.seconds = 0.0
        self._since = perf_counter()

    def enter(self, t: int) -> None:
        self.inner.enter(t)

    def finish(self) -> None:
        self.inner.finish()
        self.most = self.inner.nbytes
        self.seconds = perf_counter() - self._since

    def back(self, t: int) -> None:
        if t == self.dynamics.steps - 1:
            self._since = perf_counter()
        self.inner.back(t)
        self.most = max(self.most, self.inner.nbytes)

    @property
    def nbytes(self) -> int:
        return self.inner.nbytes

    @property
    def tape_bits(self) -> int:
        return self.inner.tape_bits

    def check_used_up(self) -> None:
        self.inner.check_used_up()
        self.seconds += perf_counter() - self._since
        self.say(
            f"Auto: kept {in_units(self.most)} ({in_units(self.choice.nbytes)} predicted) and took "
            f"{_time(self.seconds)} ({_time(self.predicted_seconds)} predicted)"
        )

    @property
    def repaired(self) -> Sequence[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.inner.repaired

    def state_at(self, t: int) -> Snapshot | None:
        return self.inner.state_at(t)

    def verified(self, t: int) -> None:
        self.inner.verified(t)

    def repair(self, t: int) -> bool:
        return self.inner.repair(t)

    def export(self) -> Snapshot:
        return self.inner.export()

    def load(self, arrays: Snapshot) -> None:
        self.inner.load(arrays)
        self.most = self.inner.nbytes
        self._since = perf_counter()


def _needs(dynamics: Dynamics) -> Needs:
    """What a computation at its first state would keep."""
    undoable = dynamics.obstacle is None
    return Needs(
        steps=dynamics.steps,
        state_nbytes=dynamics.state_nbytes,
        tape_nbytes=dynamics.tape_nbytes_after(dynamics.steps) if undoable else None,
        empty_tape_nbytes=(dynamics.tape_nbytes_after(0) or 0) if undoable else 0,
        arithmetic=dynamics.arithmetic,
        obstacle=dynamics.obstacle or "the length of its tape depends on the gradients",
    )


def _made(choice: Choice) -> Adjoint:
    if choice.strategy == "Stored":
        return Stored()
    if choice.strategy == "Reversible":
        return Reversible(choice.count)
    return Checkpointed(choice.count)


def _seconds_of_a_step(dynamics: Dynamics) -> float:
    """The mean time of the first step, once it has been taken; the state stays what it is."""
    first = dynamics.snapshot()
    dynamics.advance(0)
    dynamics.restore(first)
    taken, seconds = 0, 0.0
    while taken < max(_LEAST, _PART * dynamics.steps) and seconds < _LONG:
        started = perf_counter()
        dynamics.advance(0)
        seconds += perf_counter() - started
        dynamics.restore(first)
        taken += 1
    return seconds / taken


def _time(seconds: float) -> str:
    """A time as people read it, with two figures."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
