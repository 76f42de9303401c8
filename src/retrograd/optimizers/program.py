"""The language in which an optimizer is written down once: `decay` and `add` on named slots.

A program is a tuple of statements, of three kinds:

    decay(slot, factor)                slot <- factor * slot              exact on the lattice
    add(slot, source, coefficient)     slot <- slot + Q(coefficient * source)
    add(slot, increment)               slot <- slot + Q(increment(...))   Q rounds to the lattice

A source is another slot or the "gradient". Factors, coefficients and increments are the name of a
hyperparameter, or functions whose *parameter names* say what they read: hyperparameters, and for an
increment also other slots ("weights" among them), the "gradient", the "step", and "root" (a square
root whose derivative at zero is its finite limit in an optimizer's step, 0). From the one program
follow the forward run, the exact reverse run and the adjoint (`retrograd.training`).

A program can be run backwards exactly if the position moves by the other slots only: the reverse
run must undo the move before it can ask for the gradient at the old position. `Program.obstacle`
says why a program cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retrograd.errors import ArgumentError

__all__ = ["Add", "AddScaled", "Decay", "Program", "Statement", "add", "decay"]

POSITION = "weights"
GRADIENT = "gradient"
GIVEN = (GRADIENT, "step", "root")


@dataclass(frozen=True)
class Decay:
    """slot <- factor * slot, with a factor in (0, 1) computed from hyperparameters."""

    slot: str
    factor: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class AddScaled:
    """slot <- slot + Q(coefficient * source): linear, so its adjoint needs no source."""

    slot: str
    source: str
    factor: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Add:
    """slot <- slot + Q(increment), with an increment that does not read the slot itself."""

    slot: str
    increment: Callable[..., Any]
    reads: tuple[str, ...]


Statement = Decay | AddScaled | Add


def decay(slot: str, factor: str | Callable[..., Any]) -> Decay:
    """Multiply a slot by a hyperparameter, or by a function of hyperparameters.

    Example:
        >>> decay("velocity", "momentum").reads
        ('momentum',)
        >>> decay("weights", lambda rate, decay: 1 - rate * decay).reads
        ('rate', 'decay')
    """
    return Decay(slot, *_factor(factor))


def add(
    slot: str,
    increment: str | Callable[..., Any],
    coefficient: str | Callable[..., Any] | None = None,
) -> Add | AddScaled:
    """Add to a slot: a multiple of another slot or the gradient, or any function of them.

    Raises:
        ArgumentError: the increment reads the slot that it is added to, or a multiple lacks its
            coefficient.

    Example:
        >>> add("weights", "velocity", "rate").source
        'velocity'
        >>> add("second", lambda gradient, beta2: (1 - beta2) * gradient**2).reads
        ('gradient', 'beta2')
    """
    reads = (increment,) if isinstance(increment, str) else _parameters(increment)
    if slot in reads:
        raise ArgumentError(
            f"add({slot!r}, increment): the increment reads {slot!r} itself, so it cannot be "
            "undone; express that part as decay(slot, factor)"
        )
    if not isinstance(increment, str):
        return Add(slot, increment, reads)
    if coefficient is None:
        raise ArgumentError(
            f"add({slot!r}, {increment!r}): the coefficient is missing; give a hyperparameter's "
            "name or a function of hyperparameters"
        )
    return AddScaled(slot, increment, *_factor(coefficient))


def _factor(factor: str | Callable[..., Any]) -> tuple[Callable[..., Any], tuple[str, ...]]:
    if isinstance(factor, str):
        return itself, (factor,)
    return factor, _parameters(factor)


def itself(value: Any) -> Any:
    """The factor that is one hyperparameter."""
    return value


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def reads_gradient(statement: Statement) -> bool:
    """Whether a statement's increment depends on the gradient."""
    if isinstance(statement, AddScaled):
        return statement.source == GRADIENT
    return GRADIENT in statement.reads


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
            if isinstance(statement, AddScaled) and statement.source not in {*known, GRADIENT}:
                raise ArgumentError(f"a statement reads {statement.source!r}, which is no slot")
            strange = {*known, *GIVEN}.intersection(statement.reads)
            if strange and not isinstance(statement, Add):
                raise ArgumentError(
                    f"a factor of {statement.slot!r} reads {sorted(strange)}; factors and "
                    "coefficients are functions of hyperparameters only, so that they are known "
                    "in the reverse run: use add(slot, increment)"
                )

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
    def readers(self) -> tuple[Statement, ...]:
        """The statements that read the gradient."""
        return tuple(s for s in self.statements if reads_gradient(s))

    def obstacle(self) -> str | None:
        """Why this program cannot be run backwards exactly, or None if it can."""
        moved = False
        for statement in self.statements:
            if statement.slot == POSITION and reads_gradient(statement):
                return (
                    "its position moves by the gradient directly, so the reverse run would need "
                    "the gradient at the old position before it can return there"
                )
            if moved and reads_gradient(statement):
                return "it reads the gradient after the position has moved"
            moved = moved or statement.slot == POSITION
        return None
