"""Checkpoint schedules: what to do, and when, to run a computation backwards with few states kept.

A schedule is an iterator of actions. It knows no model, so it can be tested, counted and drawn
without one. `binomial` gives the schedule with the fewest forward steps for a number of slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import comb

from retrograd.counts import check_count

__all__ = [
    "Action",
    "Advance",
    "Drop",
    "Keep",
    "Pull",
    "PullKept",
    "Restore",
    "Save",
    "binomial",
    "forward_steps",
    "least_slots",
    "resumed",
    "uses_of_levels",
]


@dataclass(frozen=True, slots=True)
class Advance:
    """Take the steps start, ..., stop - 1, from the state at `start` to that at `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Save:
    """Keep a copy of the state at hand, which is that at `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Go to the state that was saved at `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget the state that was saved at `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Take one step from the state at `step`, and keep its derivative, ready to be pulled."""

    step: int


@dataclass(frozen=True, slots=True)
class Pull:
    """With the state at `step` at hand, carry the adjoint back over that step."""

    step: int


@dataclass(frozen=True, slots=True)
class PullKept:
    """Carry the adjoint back over a step whose derivative was kept, and forget the derivative."""

    step: int


Action = Advance | Save | Restore | Drop | Keep | Pull | PullKept


def binomial(steps: int, slots: int) -> Iterator[Action]:
    """The schedule that takes the fewest forward steps, with at most `slots` states kept.

    From a saved state with l steps ahead and s slots (its own included), let beta(s, r) =
    (s + r)! / (s! r!) and beta(s, r - 1) < l <= beta(s, r). Then r is how often a step is taken at
    most, and it is optimal to put the next checkpoint m steps ahead if m lies between
    beta(s, r - 2) and beta(s, r - 1), and l - m between beta(s - 1, r - 1) and beta(s - 1, r).
    Among these, the m of the reference is taken, with which the fewest states are saved.

    The state at hand is not counted among the slots. The last step is pulled without having been
    taken. Where a run must reach its last state too, to evaluate a loss there, give one step more
    and take its pull for that of the loss.

    Args:
        steps: how many steps the computation has.
        slots: how many states may be kept at once, the first state included.

    Returns:
        The actions in order: saved states are dropped in the reverse order, and the pulls are those
        of step steps - 1, ..., 0.

    Raises:
        ArgumentError: `steps` or `slots` is no whole number of at least 1.

    Example:
        >>> for action in binomial(steps=4, slots=2):
        ...     print(action)
        Save(step=0)
        Advance(start=0, stop=1)
        Save(step=1)
        Advance(start=1, stop=3)
        Pull(step=3)
        Restore(step=1)
        Advance(start=1, stop=2)
        Pull(step=2)
        Restore(step=1)
        Pull(step=1)
        Drop(step=1)
        Restore(step=0)
        Pull(step=0)
        Drop(step=0)

    References:
        Griewank & Walther, "Algorithm 799: Revolve: An Implementation of Checkpointing for the
        Reverse or Adjoint Mode of Computational Differentiation", ACM TOMS 26 (2000).
    """
    _check("binomial", steps, slots)
    return _binomial(steps, slots)


def _binomial(steps: int, slots: int) -> Iterator[Action]:
    saved, rounds = [0], _rounds(steps, slots)
    rounds_of = [rounds]
    at, end = 0, steps
    yield Save(0)
    while saved:
        while end - at > 1:
            left = slots - len(saved) + 1
            rounds = rounds_of[-1] = _fewer(rounds_of[-1], end - at, left)
            stride = _stride(end - at, left, rounds)
            yield Advance(at, at + stride)
            at += stride
            if end - at > 1:
                yield Save(at)
                saved.append(at)
                rounds_of.append(rounds)
        yield Pull(at)
        end = at
        if saved[-1] == at:
            yield Drop(saved.pop())
            rounds_of.pop()
        if saved:
            at = saved[-1]
            yield Restore(at)


def resumed(saved: Sequence[int], reached: int, slots: int) -> Iterator[Action]:
    """The rest of a schedule of which only the saved states are known.

    Args:
        saved: where states are saved, in ascending order.
        reached: pulls down to this step are done.
        slots: how many states may be kept at once.

    Example:
        >>> for action in resumed([0, 2], reached=3, slots=2):
        ...     print(action)
        Restore(step=2)
        Pull(step=2)
        Drop(step=2)
        Restore(step=0)
        Advance(start=0, stop=1)
        Pull(step=1)
        Restore(step=0)
        Pull(step=0)
        Drop(step=0)
    """
    for below, start in reversed(list(enumerate(saved))):
        if start >= reached:
            yield Drop(start)
            continue
        yield Restore(start)
        segment = binomial(reached - start, slots - below)
        next(segment)  # the first state is saved already
        for action in segment:
            yield _moved(action, start)
        reached = start


def _moved(action: Action, by: int) -> Action:
    if isinstance(action, Advance):
        return Advance(action.start + by, action.stop + by)
    return type(action)(action.step + by)


def forward_steps(steps: int, slots: int) -> int:
    """The fewest forward steps that a schedule with so many slots can take.

    t(l, s) = r l - beta(s + 1, r - 1), with beta(s, r) = (s + r)! / (s! r!) and r such that
    beta(s, r - 1) < l <= beta(s, r). As in `binomial`, the last step need not be taken.

    Args:
        steps: how many steps the computation has.
        slots: how many states may be kept at once, the first state included.

    Raises:
        ArgumentError: `steps` or `slots` is no whole number of at least 1.

    Example:
        >>> forward_steps(1000, 1), forward_steps(1000, 10), forward_steps(1000, 999)
        (499500, 3636, 999)

    References:
        Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse
        automatic differentiation", Optimization Methods and Software 1 (1992).
    """
    _check("forward_steps", steps, slots)
    if steps == 1:
        return 0
    rounds = _rounds(steps, slots)
    return rounds * steps - _beta(slots + 1, rounds - 1)


def least_slots(steps: int, rounds: int) -> int:
    """The fewest slots with which no step need be taken more than `rounds` times.

    Args:
        steps: how many steps the computation has.
        rounds: how often a step may be taken.

    Raises:
        ArgumentError: `steps` or `rounds` is no whole number of at least 1.

    Example:
        >>> [least_slots(1000, rounds) for rounds in (1, 2, 3, 4)]
        [999, 44, 17, 10]
    """
    _check("least_slots", steps, rounds, "rounds")
    low, high = 1, max(1, steps - 1)
    while low < high:
        middle = (low + high) // 2
        enough = _beta(middle, rounds) >= steps
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def uses_of_levels(actions: Iterable[Action]) -> list[int]:
    """How often the states at each level of the stack of saved states are written or read.

    Args:
        actions: a schedule that drops states in the reverse order of saving them.

    Returns:
        One number per level, from the one that is filled first.

    Example:
        >>> uses_of_levels(binomial(steps=10, slots=3))
        [3, 5, 7]
    """
    uses: list[int] = []
    level: dict[int, int] = {}
    for action in actions:
        if isinstance(action, Save):
            level[action.step] = len(level)
            uses += [0] * (len(level) - len(uses))
        if isinstance(action, Save | Restore):
            uses[level[action.step]] += 1
        elif isinstance(action, Drop):
            del level[action.step]
    return uses


def _rounds(steps: int, slots: int) -> int:
    """The least r >= 1 with steps <= beta(slots, r)."""
    rounds = 1
    while _beta(slots, rounds) < steps:
        rounds += 1
    return rounds


def _fewer(rounds: int, steps: int, slots: int) -> int:
    """The same, knowing that it is at most `rounds`."""
    while rounds > 1 and _beta(slots, rounds - 1) >= steps:
        rounds -= 1
    return rounds


def _stride(steps: int, slots: int, rounds: int) -> int:
    """How far ahead of a saved state the next one is, or the pull if there is no slot for one."""
    if slots == 1:
        return steps - 1
    right = _beta(slots - 1, rounds - 1) + _beta(slots - 2, rounds - 1)
    if steps <= _beta(slots, rounds - 1) + _beta(slots - 2, rounds - 1):
        return max(1, _beta(slots, rounds - 2))
    if steps >= _beta(slots, rounds) - _beta(slots - 3, rounds):
        return _beta(slots, rounds - 1)
    return steps - right


def _beta(slots: int, rounds: int) -> int:
    """How many steps can be reversed with so many slots, each taken at most `rounds` times."""
    return comb(slots + rounds, slots) if slots >= 0 and rounds >= 0 else 0


def _check(function: str, steps: int, count: int, name: str = "slots") -> None:
    for argument, given in (("steps", steps), (name, count)):
        check_count(argument, given, caller=function)
