"""How many states one run keeps, where, and by which schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import MARK_NBYTES, Dynamics
from retrograd.adjoints.mixed_schedule import MixedSchedule
from retrograd.adjoints.schedule import (
    Action,
    binomial,
    forward_steps,
    least_slots,
    uses_of_levels,
)
from retrograd.errors import ArgumentError

__all__ = ["Derivative", "KeepsDerivatives", "Plan", "plan_for_memory", "plan_for_slots"]

# A mixed schedule is found by dynamic programming; beyond this it would take more than a second.
_MOST_WORK = 10**9

# Keeping derivatives takes time too: what is kept has left the cache when it is pulled.
_PAYS = 0.9


class Derivative(Protocol):
    """The derivative of one step, recorded while the step was taken.

    Attributes:
        nbytes: the bytes that it takes, the state before the step included.
    """

    @property
    def nbytes(self) -> int: ...


@runtime_checkable
class KeepsDerivatives(Protocol):
    """A dynamics that can keep the derivatives of its steps.

    Attributes:
        keeping: while True, `advance` leaves the derivative of the step it took in `kept`.
        kept: that derivative.
    """

    keeping: bool
    kept: Any

    def pull_kept(self, kept: Any) -> None:
        """Carry the adjoint back over the step, and go to the state before it."""
        ...


@dataclass(frozen=True)
class Plan:
    """What one run keeps.

    Attributes:
        steps: how many steps the run has.
        slots: how many states may be kept in memory.
        on_disk: how many more in files.
        derivative: for how many states' memory the derivative of one step counts; 0 if none are
            kept.
        budget: the bytes of memory that may be used, or None.
    """

    steps: int
    slots: int
    on_disk: int = 0
    derivative: int = 0
    budget: int | None = None

    def schedule(self) -> MixedSchedule | None:
        """The mixed schedule, where derivatives are kept."""
        if not self.derivative:
            return None
        return MixedSchedule(self.steps + 1, self.slots, self.derivative)

    def actions(self, schedule: MixedSchedule | None) -> Iterator[Action]:
        """All actions of the run, with the loss after the last step as one step more."""
        return iter(schedule) if schedule else binomial(self.steps + 1, self.slots + self.on_disk)

    def levels_on_disk(self) -> frozenset[int]:
        """The levels of the stack of states that are kept in files: those used least often."""
        if not self.on_disk:
            return frozenset()
        uses = uses_of_levels(self.actions(None))
        rarely = sorted(range(len(uses)), key=lambda level: uses[level])
        return frozenset(rarely[: max(0, len(uses) - self.slots)])

    def export(self) -> NDArray[np.int64]:
        """The plan as numbers."""
        budget = -1 if self.budget is None else self.budget
        return np.array([self.steps, self.slots, self.on_disk, self.derivative, budget])

    @classmethod
    def load(cls, numbers: NDArray[np.int64]) -> Plan:
        """The plan whose numbers these are."""
        steps, slots, on_disk, derivative, budget = numbers.tolist()
        return cls(steps, slots, on_disk, derivative, None if budget < 0 else budget)


def plan_for_slots(steps: int, slots: int | None, on_disk: int) -> Plan:
    """A number of states; the default is so many that no step is taken more than three times.

    One of these times is the forward run, and one is with the derivative.
    """
    if slots is None:
        slots = 0 if on_disk else least_slots(steps + 1, rounds=2)
    return Plan(steps, min(slots, steps), on_disk)


def plan_for_memory(dynamics: Dynamics, budget: int, on_disk: int) -> Plan:
    """As many states as the memory holds, or fewer and derivatives where that saves steps.

    Args:
        dynamics: at its first state, by which all are measured.
        budget: bytes for everything that is kept.
        on_disk: how many more states are kept in files.

    Raises:
        ArgumentError: there is no room for the fingerprints, or for one state and none is kept in
            files.
    """
    steps, size = dynamics.steps, dynamics.state_nbytes
    marks = MARK_NBYTES * steps
    room = budget - marks
    slots = min(max(0, room // max(1, size)), steps)
    if room < 0 or not slots + on_disk:
        raise ArgumentError(
            f"Checkpointed: memory={budget} bytes were given, but one state takes {size} and the "
            f"fingerprints of {steps} steps take {marks}; give at least "
            f"{size + marks}, or {marks} and keep states in files (on_disk=...)"
        )
    plan = Plan(steps, slots, on_disk, budget=budget)
    if on_disk or slots in (1, steps) or not isinstance(dynamics, KeepsDerivatives):
        return plan
    return _with_derivatives(plan, dynamics, size, room) or plan


def _with_derivatives(plan: Plan, dynamics: Any, size: int, room: int) -> Plan | None:
    """A plan that keeps derivatives too, if there is one that takes clearly fewer steps."""
    tables = 2 * 4 * (plan.steps + 2)  # bytes per slot: two numbers of four bytes per step
    slots = room // (size + tables)
    if 8 * tables > size or slots < 2:
        return None
    derivative = -(-_measured(dynamics) // size)
    if MixedSchedule.work(plan.steps, slots) > _MOST_WORK:
        return None
    mixed = replace(plan, slots=slots, derivative=derivative)
    schedule = mixed.schedule()
    states_alone = forward_steps(plan.steps + 1, plan.slots)
    return mixed if schedule and schedule.cost <= _PAYS * states_alone else None


def _measured(dynamics: Any) -> int:
    """The bytes of the derivative of the first step."""
    first = dynamics.snapshot()
    dynamics.keeping = True
    try:
        dynamics.advance(0)
        return dynamics.kept.nbytes
    finally:
        dynamics.keeping = False
        dynamics.kept = None
        dynamics.restore(first)
