"""The language in which an optimizer is written down once: `decay` and `add` on named slots.

A program is a tuple of two kinds of statements,

    decay(slot, factor)       slot <- factor * slot            exactly reversible on the lattice
    add(slot, increment)      slot <- slot + Q(increment)      Q rounds to the lattice

The increment is a function whose *parameter names* say what it reads: other slots ("weights" among
them), hyperparameters, the "gradient", the "step", or "root" (the square root whose derivative at
zero is its finite limit in an optimizer's step, 0). From the one program follow the forward run,
the exact reverse run and the adjoint (`retrograd.training`).

A program can be run backwards exactly if the position moves by the other slots only: the reverse
run must undo the move before it can ask for the gradient at the old position. `obstacle` says why
a program cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retrograd.errors import ArgumentError

__all__ = ["Add", "Decay", "Program", "Statement", "add", "decay"]

POSITION = "weights"
GIVEN = ("gradient", "step", "root")


@dataclass(frozen=True)
class Decay:
    """slot <- factor * slot, with a factor in (0, 1) computed from hyperparameters."""

    slot: str
    factor: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Add:
    """slot <- slot + Q(increment), with an increment that does not read the slot itself."""

    slot: str
    increment: Callable[..., Any]
    reads: tuple[str, ...]


Statement = Decay | Add


def decay(slot: str, factor: str | Callable[..., Any]) -> Decay:
    """Multiply a slot by a hyperparameter, or by a function of hyperparameters.

    Example:
        >>> decay("velocity", "momentum").reads
        ('momentum',)
        >>> decay("weights", lambda rate, decay: 1 - rate * decay).reads
        ('rate', 'decay')
    """
    if isinstance(factor, str):
        return Decay(slot, lambda value: value, (factor,))
    return Decay(slot, factor, _parameters(factor))


def add(slot: str, increment: Callable[..., Any]) -> Add:
    """Add a function of other slots, the gradient and hyperparameters to a slot.

    Raises:
        ArgumentError: the increment reads the slot that it is added to.

    Example:
        >>> add("weights", lambda velocity, rate: rate * velocity).reads
        ('velocity', 'rate')
    """
    reads = _parameters(increment)
    if slot in reads:
        raise ArgumentError(
            f"add({slot!r}, increment): the increment reads {slot!r} itself, so it cannot be "
            "undone; express that part as decay(slot, factor)"
        )
    return Add(slot, increment, reads)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


@dataclass(frozen=True)
class Program:
    """The statements of one training step, in order, and the slots besides the position."""

    slots: tuple[str, ...]
    statements: tuple[Statement, ...]

    def __post_init__(self) -> None:
        known = {POSITION, *self.slots}
        for statement in self.statements:
            if statement.slot not in known:
                raise ArgumentError(f"a statement changes {statement.slot!r}, which is no slot")

    @property
    def all_slots(self) -> tuple[str, ...]:
        """The position and the other slots."""
        return (POSITION, *self.slots)

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """What the statements read that is no slot and not given by the run."""
        names: dict[str, None] = {}
        for statement in self.statements:
            names.update(dict.fromkeys(statement.reads))
        return tuple(n for n in names if n not in GIVEN and n not in self.all_slots)

    @property
    def readers(self) -> tuple[Add, ...]:
        """The statements that read the gradient."""
        return tuple(
            s for s in self.statements if isinstance(s, Add) and "gradient" in s.reads
        )

    def obstacle(self) -> str | None:
        """Why this program cannot be run backwards exactly, or None if it can."""
        moved = False
        for statement in self.statements:
            if statement.slot == POSITION and "gradient" in statement.reads:
                return (
                    "its position moves by the gradient directly, so the reverse run would need "
                    "the gradient at the old position before it can return there"
                )
            if moved and "gradient" in statement.reads:
                return "it reads the gradient after the position has moved"
            moved = moved or statement.slot == POSITION
        return None
