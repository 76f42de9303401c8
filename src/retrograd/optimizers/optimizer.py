"""What every optimizer is: hyperparameters, slots, and a program of statements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar

from retrograd.errors import ArgumentError
from retrograd.optimizers.program import (
    POSITION,
    AddScaled,
    Decay,
    Program,
    RaiseTo,
    Statement,
    reads_gradient,
)

__all__ = ["Interval", "Optimizer"]

Again = Callable[[str, Any, Any], Any]
Ask = Callable[[dict[str, Any], tuple[str, ...], Again], Any]


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
POSITIVE = Interval(0.0, low_open=True)
NOT_NEGATIVE = Interval(0.0)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Optimizer:
    """Base of the optimizers. A subclass is a frozen dataclass with

    - a field for each hyperparameter that its statements read,
    - `program`, its slots and statements,
    - `domains`, the numbers that each hyperparameter may take (any finite one by default),
    - `radixes`, the binary digits after the point of each slot on the lattice,
    - `words`, how many words a number of a slot takes there, 1 where it is not named.

    Each of the last four is an attribute of the class, or a property where it depends on fields.

    Attributes:
        radix: other radixes than the default ones, by slot: fewer digits hold larger numbers.
    """

    radix: Mapping[str, int] = field(default_factory=dict)

    program: ClassVar[Program]
    domains: ClassVar[Mapping[str, Interval]] = {}
    radixes: ClassVar[Mapping[str, int]] = {}
    words: ClassVar[Mapping[str, int]] = {}

    def __repr__(self) -> str:
        shown = [f for f in fields(self) if f.name != "radix" or self.radix]
        shown.sort(key=lambda f: f.name == "radix")
        return f"{type(self).__name__}({', '.join(_shown(self, f.name) for f in shown)})"

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

    def slot_words(self) -> dict[str, int]:
        """The number of words of each slot."""
        return {slot: self.words.get(slot, 1) for slot in self.program.all_slots}

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
        given: Mapping[str, Any],
    ) -> dict[str, Any]:
        """One step in ordinary floating point: the program read without the lattice.

        Args:
            slots: the position ("weights") and the other slots, as arrays of one shape.
            gradient: the gradient, of the same shape, before the program's pipeline.
            hyper: the hyperparameters of this step, numbers or arrays that broadcast.
            step: the number of the step, from 0.
            given: what functions may read besides: "root", the square root of the array library,
                "xp", its functions by NumPy's names, and "layout", the `Layout` of the slots.

        Returns:
            The new slots.
        """
        slots = dict(slots)
        known = {**given, **hyper, "step": step}
        gradient = self._transformed(gradient, slots[POSITION], known)
        for statement in self.program.statements:
            value = _value(statement, {**known, "gradient": gradient, **slots})
            slots[statement.slot] = _done(statement, slots[statement.slot], value, given["xp"])
        return slots

    def downdate(
        self,
        slots: Mapping[str, Any],
        ask: Ask,
        hyper: Mapping[str, Any],
        step: int,
        given: Mapping[str, Any],
    ) -> dict[str, Any]:
        """One step back in floating point, up to rounding: the statements undone from the last.

        A decay is undone by a division (by 1 where the factor is 0), an addition by a subtraction,
        and what a maximum has hidden stays hidden. The gradient is asked for once, when the first
        statement that reads it is reached.

        Args:
            slots: the slots after the step, as arrays of one shape.
            ask: `ask(slots, settled, again)` returns the gradient at `slots["weights"]`, before the
                program's pipeline. `settled` names the slots that no statement left to undo
                changes; `ask` may put better values in their place, in the mapping. Without
                "weights" among them, the position moved by the gradient itself, and the gradient
                is that at the newer position. `again(slot, values, where)` does on other values,
                those of the elements numbered `where`, what has been undone on a slot so far; it
                can be kept and called when all is undone.
            hyper: the hyperparameters of this step, as in `update`.
            step: the number of the step, from 0.
            given: as in `update`.

        Returns:
            The slots before the step, approximately.
        """
        slots = dict(slots)
        known = {**given, **hyper, "step": step}
        statements = self.program.statements
        undone: list[tuple[Statement, Any]] = []
        again = partial(_again, undone, given["xp"])
        for index in reversed(range(len(statements))):
            statement = statements[index]
            if reads_gradient(statement) and "gradient" not in known:
                left = {s.slot for s in statements[: index + 1]}
                settled = tuple(s for s in self.program.all_slots if s not in left)
                gradient = ask(slots, settled, again)
                known["gradient"] = self._transformed(gradient, slots[POSITION], known)
            value = _value(statement, {**known, **slots})
            slots[statement.slot] = _undone(statement, slots[statement.slot], value)
            undone.append((statement, value))
        return slots

    def _transformed(self, gradient: Any, weights: Any, known: Mapping[str, Any]) -> Any:
        """The gradient after the program's pipeline."""
        for transform in self.program.transforms:
            seen = {**known, "weights": weights, "gradient": gradient}
            gradient = transform(*[seen[name] for name in transform.reads])
        return gradient

    def start(self, weights: Any) -> dict[str, Any]:
        """The slots at the start: the position as given, zeros or copies of it elsewhere."""
        starts = self.program.starts
        return {
            POSITION: weights,
            **{slot: weights if slot in starts else 0 * weights for slot in self.program.slots},
        }


def _shown(optimizer: Optimizer, name: str) -> str:
    """A field in a repr, short: long arrays are not spelled out."""
    text = " ".join(repr(getattr(optimizer, name)).split())
    if len(text) > 60 and not isinstance(getattr(optimizer, name), Optimizer):
        text = f"{text[:57]}..."
    return f"{name}={text}"


def _done(statement: Statement, old: Any, value: Any, xp: Any) -> Any:
    """What a statement makes of its slot, given its factor or increment."""
    if isinstance(statement, Decay):
        return old * value
    if isinstance(statement, RaiseTo):
        return xp.where(old < value, value, old)
    return old + value


def _undone(statement: Statement, new: Any, value: Any) -> Any:
    """What a statement's slot was before, up to rounding and to what a maximum has hidden."""
    if isinstance(statement, RaiseTo):
        return new
    if isinstance(statement, Decay):
        return new / (value + (value == 0))
    return new - value


def _again(
    undone: Sequence[tuple[Statement, Any]], xp: Any, slot: str, values: Any, where: Any
) -> Any:
    """Do on some elements of a slot what has been undone, the last first."""
    for statement, value in reversed(undone):
        if statement.slot == slot:
            part = value[where] if getattr(value, "ndim", 0) else value
            values = _done(statement, values, part, xp)
    return values


def _value(statement: Statement, known: Mapping[str, Any]) -> Any:
    """The factor of a decay, or what is added or raised to."""
    arguments = [known[name] for name in statement.reads]
    if isinstance(statement, Decay):
        return statement.factor(*arguments)
    if isinstance(statement, AddScaled):
        return statement.factor(*arguments) * known[statement.source]
    return statement.increment(*arguments)
