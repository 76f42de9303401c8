"""Which adjoint fits into a given memory, and what it costs: arithmetic that knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

from retrograd.adjoints.adjoint import MARK_NBYTES
from retrograd.adjoints.schedule import forward_steps
from retrograd.errors import ArgumentError

__all__ = ["Choice", "Needs", "best_checkpoints", "choose", "in_units", "segments_pay_from"]

# The time of one step of a sweep over that of one forward step, measured: on the lattice 1.8 to 3.0
# for networks of 500 to 42,000 weights (momentum and Adam); for maps that are iterated 3 or more.
_SWEEP_STEP = {"lattice": 2.4, "floats": 4.0}


@dataclass(frozen=True)
class Needs:
    """What a computation would keep.

    Attributes:
        steps: how many steps it has.
        state_nbytes: the bytes of one state.
        tape_nbytes: the bytes of the whole tape by which it can be undone; None if it cannot be, or
            if they are not known before.
        empty_tape_nbytes: the bytes of a tape of no steps.
        arithmetic: "lattice" or "floats".
        obstacle: why there are no `tape_nbytes`, as the end of a sentence.
        stored_nbytes: the bytes that `Stored` keeps of a state, where that is not all of it.
        mark_nbytes: the bytes that `Checkpointed` keeps of every step besides.
    """

    steps: int
    state_nbytes: int
    tape_nbytes: int | None = None
    empty_tape_nbytes: int = 0
    arithmetic: str = "lattice"
    obstacle: str = "it has no exact inverse"
    stored_nbytes: int | None = None
    mark_nbytes: int = MARK_NBYTES

    def segment_nbytes(self, count: int) -> int:
        """The bytes of the tape of one of so many segments."""
        assert self.tape_nbytes is not None
        growing = self.tape_nbytes - self.empty_tape_nbytes
        longest = -(-self.steps // count)
        return self.empty_tape_nbytes + -(-growing * longest // self.steps)


@dataclass(frozen=True)
class Choice:
    """A strategy, and what it will take.

    Attributes:
        strategy: the name of the adjoint.
        count: how many states it keeps: the slots or checkpoints that it is made with.
        nbytes: the bytes that it will keep at most.
        trainings: its time, forward run included, in forward runs.
        because: why it was chosen, as the end of a sentence.
    """

    strategy: Literal["Stored", "Reversible", "Checkpointed"]
    count: int
    nbytes: int
    trainings: float
    because: str


def choose(needs: Needs, memory: int) -> Choice:
    """The fastest adjoint that keeps at most so many bytes.

    The candidates in order: store all states; keep the tape of the whole run; keep a few states and
    the tape of one segment at a time; keep as many states as there is room for, and take the steps
    between them again.

    Args:
        needs: what the computation would keep.
        memory: the bytes allowed.

    Raises:
        ArgumentError: not even one state fits.

    Example:
        >>> run = Needs(steps=1000, state_nbytes=2400, tape_nbytes=20_000, empty_tape_nbytes=800)
        >>> [choose(run, memory).strategy for memory in (3_000_000, 30_000, 12_000)]
        ['Stored', 'Reversible', 'Checkpointed']
    """
    stored = _stored(needs)
    if stored <= memory:
        fits = f"all {needs.steps:,} states fit into the {in_units(memory)} allowed"
        return Choice("Stored", 0, stored, _trainings(needs), fits)
    states = f"storing {needs.steps:,} states would take {in_units(stored)}"
    allowed = f"of the {in_units(memory)} allowed"
    if needs.tape_nbytes is None:
        because = f"{states} {allowed}, and {needs.obstacle}"
        return _checkpointed(needs, memory, because)
    if needs.tape_nbytes <= memory:
        because = f"{states} {allowed}"
        return Choice("Reversible", 0, needs.tape_nbytes, _trainings(needs), because)
    because = f"{states}, and the whole tape {in_units(needs.tape_nbytes)}, {allowed}"
    count = best_checkpoints(needs)
    nbytes = count * needs.state_nbytes + needs.segment_nbytes(count)
    if nbytes <= memory:
        return Choice("Reversible", count, nbytes, _trainings(needs, needs.steps), because)
    return _checkpointed(needs, memory, because)


def best_checkpoints(needs: Needs) -> int:
    """The number of checkpoints with which `Reversible` keeps the fewest bytes.

    k states of S bytes and the tape of one of k segments take k S + F + G/k bytes, where the whole
    tape takes F + G: least near k = sqrt(G / S), where it is 2 sqrt(G S) + F.

    Example:
        >>> run = Needs(steps=100_000, state_nbytes=24, tape_nbytes=1908, empty_tape_nbytes=8)
        >>> best_checkpoints(run)
        9
    """
    assert needs.tape_nbytes is not None
    growing = needs.tape_nbytes - needs.empty_tape_nbytes
    near = isqrt(growing // max(1, needs.state_nbytes))
    candidates = {min(max(1, k), needs.steps) for k in (near - 1, near, near + 1)}
    return min(candidates, key=lambda k: k * needs.state_nbytes + needs.segment_nbytes(k))


def segments_pay_from(state_nbytes: float, tape_nbytes_per_step: float) -> int:
    """From how many steps on `Reversible` keeps less with checkpoints than without.

    Of T steps the tape takes F + g T, and with the best checkpoints 2 sqrt(g T S) + F: less from
    T = 4 S / g on.

    Args:
        state_nbytes: the bytes of one state, S.
        tape_nbytes_per_step: the bytes that a step adds to the tape, g.

    Example:
        >>> segments_pay_from(24, 0.152 / 8)  # momentum 0.9: weights, velocity, digits
        5053
    """
    return -int(-4 * state_nbytes // tape_nbytes_per_step)


def in_units(nbytes: float) -> str:
    """Bytes as people read them.

    Example:
        >>> in_units(512), in_units(12.34 * 2**20), in_units(2**40)
        ('512 B', '12.3 MiB', '1,024.0 GiB')
    """
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if nbytes >= size:
            return f"{nbytes / size:,.1f} {unit}"
    return f"{nbytes:.0f} B"


def _checkpointed(needs: Needs, memory: int, because: str) -> Choice:
    steps, state, marks = needs.steps, needs.state_nbytes, needs.mark_nbytes * needs.steps
    slots = min((memory - marks) // state, steps)
    if slots < 1:
        least = _least(needs)
        raise ArgumentError(
            f"Auto: memory={memory} bytes were given, but the least that {steps} steps with states "
            f"of {state} bytes take is {least} ({in_units(least)}); give that much, or keep states "
            "in files with Checkpointed(on_disk=...)"
        )
    again = forward_steps(steps + 1, slots) - steps
    nbytes = slots * state + marks
    return Choice("Checkpointed", slots, nbytes, _trainings(needs, again), because)


def _least(needs: Needs) -> int:
    """The fewest bytes with which there is a way."""
    ways = [_stored(needs), needs.state_nbytes + needs.mark_nbytes * needs.steps]
    if needs.tape_nbytes is not None:
        count = best_checkpoints(needs)
        ways += [needs.tape_nbytes, count * needs.state_nbytes + needs.segment_nbytes(count)]
    return min(ways)


def _stored(needs: Needs) -> int:
    """The bytes of all states."""
    one = needs.state_nbytes if needs.stored_nbytes is None else needs.stored_nbytes
    return needs.steps * one


def _trainings(needs: Needs, again: int = 0) -> float:
    """The time in forward runs, if so many steps are taken once more."""
    return 1 + _SWEEP_STEP[needs.arithmetic] + again / needs.steps
