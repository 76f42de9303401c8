"""What every optimizer is: hyperparameters, slots, and a program of statements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from retrograd.errors import ArgumentError
from retrograd.optimizers.program import POSITION, AddScaled, Decay, Program

__all__ = ["Interval", "Optimizer"]


@dataclass(frozen=True)
class Interval:
    """The numbers that a hyperparameter may take; infinite ends are open."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, x: float) -> bool:
        above = x > self.low if self.low_open else x >= self.low
        below = x < self.high if self.high_open else x <= self.high
        return above and below and math.isfinite(x)

    def __str__(self) -> str:
        left = "(" if self.low_open or math.isinf(self.low) else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"


ANY = Interval()
FRACTION = Interval(0.0, 1.0, high_open=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimizer:
    """Base of the optimizers. A subclass is a frozen dataclass with

    - a field for each hyperparameter that its statements read,
    - `program`, its slots and statements,
    - `domains`, the numbers that each hyperparameter may take (any finite one by default),
    - `radixes`, the binary digits after the point of each slot on the lattice.

    Attributes:
        radix: other radixes than the default ones, by slot: fewer digits hold larger numbers.
    """

    radix: Mapping[str, int] = field(default_factory=dict)

    program: ClassVar[Program]
    domains: ClassVar[Mapping[str, Interval]] = {}
    radixes: ClassVar[Mapping[str, int]] = {}

    @property
    def name(self) -> str:
        """The optimizer's name, for messages."""
        return type(self).__name__

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters by name, as given.

        Raises:
            ArgumentError: a statement of the program reads what is no field of the class.
        """
        unknown = set(self.program.hyperparameters) - {f.name for f in fields(self)}
        if unknown:
            raise ArgumentError(
                f"{self.name}: its program reads {sorted(unknown)}, which it has no field for; "
                "declare the hyperparameters as fields of the dataclass"
            )
        return {name: getattr(self, name) for name in self.program.hyperparameters}

    def slot_radixes(self) -> dict[str, int]:
        """The radix of each slot.

        Raises:
            ArgumentError: `radix` is no mapping, or names a slot that the optimizer does not have;
                or the class gives no radix for one of its slots.
        """
        if not isinstance(self.radix, Mapping):
            raise ArgumentError(
                f"radix: {self.radix!r:.60} was given; give digits by slot, such as "
                f"{{'weights': {self.radixes.get(POSITION, 44)}}}"
            )
        unknown = set(self.radix) - set(self.program.all_slots)
        if unknown:
            raise ArgumentError(
                f"radix: {self.name} has no slot {sorted(unknown)}; its slots are "
                f"{list(self.program.all_slots)}"
            )
        radixes = {**self.radixes, **self.radix}
        missing = set(self.program.all_slots) - set(radixes)
        if missing:
            raise ArgumentError(
                f"{self.name} says no radix for {sorted(missing)}; name all slots in `radixes`"
            )
        return radixes

    def check(self, name: str, values: Any) -> None:
        """Refuse hyperparameters outside their domain.

        Args:
            name: the hyperparameter.
            values: the plain (rows, columns) array of it.

        Raises:
            ArgumentError: a value is outside the domain; the message names the first one.
        """
        domain = self.domains.get(name, ANY)
        for extreme in (float(values.min()), float(values.max())):
            if extreme not in domain:
                raise ArgumentError(
                    f"{name}: {extreme:g} was given to {self.name}; it must be a finite number in "
                    f"{domain}"
                )

    def update(
        self,
        slots: Mapping[str, Any],
        gradient: Any,
        hyper: Mapping[str, Any],
        step: int,
        root: Any,
    ) -> dict[str, Any]:
        """One step in ordinary floating point: the program read without the lattice.

        Args:
            slots: the position ("weights") and the other slots, as arrays of one shape.
            gradient: the gradient, of the same shape.
            hyper: the hyperparameters of this step, numbers or arrays that broadcast.
            step: the number of the step, from 0.
            root: the square root of the array library.

        Returns:
            The new slots.
        """
        slots = dict(slots)
        given = {**hyper, "gradient": gradient, "step": step, "root": root}
        for statement in self.program.statements:
            known = {**given, **slots}
            arguments = [known[name] for name in statement.reads]
            old = slots[statement.slot]
            if isinstance(statement, Decay):
                slots[statement.slot] = old * statement.factor(*arguments)
            elif isinstance(statement, AddScaled):
                slots[statement.slot] = old + statement.factor(*arguments) * known[statement.source]
            else:
                slots[statement.slot] = old + statement.increment(*arguments)
        return slots

    def start(self, weights: Any) -> dict[str, Any]:
        """The slots at the start: the position as given, zeros elsewhere."""
        return {POSITION: weights, **dict.fromkeys(self.program.slots, 0 * weights)}
