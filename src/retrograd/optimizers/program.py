"""The language in which an optimizer is written down once: statements on named slots.

A program is a tuple of statements, of four kinds:

    decay(slot, factor)                slot <- factor * slot              exact on the lattice
    add(slot, source, coefficient)     slot <- slot + Q(coefficient * source)
    add(slot, increment)               slot <- slot + Q(increment(...))   Q rounds to the lattice
    raise_to(slot, increment)          slot <- max(slot, Q(increment(...)))

A source is another slot or the "gradient". Factors, coefficients and increments are the name of a
hyperparameter, or functions whose *parameter names* say what they read:

- all of them: hyperparameters, and the "step", an int from 0;
- increments also: other slots ("weights" among them), the "gradient", "root" (a square root whose
  derivative at zero is its finite limit in an optimizer's step, 0), "xp" (the functions of the
  array library, by NumPy's names), and "layout" (the `Layout` of the flat vectors).

Before the statements, the functions of `Program.gradient` transform the gradient, one after the
other; every statement sees the last result. From the one program follow the forward run, the exact
reverse run and the adjoint (`retrograd.training`).

A program can be run backwards exactly if the position moves by the other slots only: the reverse
run must undo the move before it can ask for the gradient at the old position. `Program.obstacle`
says why a program cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from retrograd.errors import ArgumentError

__all__ = [
    "Add",
    "AddScaled",
    "Decay",
    "Program",
    "Pullback",
    "RaiseTo",
    "Statement",
    "Transform",
    "Walk",
    "add",
    "decay",
    "raise_to",
]

POSITION = "weights"
GRADIENT = "gradient"
STEP = "step"
GIVEN = (GRADIENT, STEP, "root", "xp", "layout")


@dataclass(frozen=True)
class Decay:
    """slot <- factor * slot, with a factor in [0, 1] computed from hyperparameters."""

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
class Pullback:
    """The derivative of an increment by hand: for the few that every step of a sweep waits for.

    Attributes:
        function: `function(*arguments)`: the increment of what it reads, with the bits that the
            increment itself gives, and `pull(bar)`: the cotangents of what is named in `of`, given
            that of the increment.
        of: the names, in the order of the results. Where other derivatives are wanted besides, the
            engine's derivative is taken.
    """

    function: Callable[..., tuple[Any, Callable[[Any], tuple[Any, ...]]]]
    of: tuple[str, ...]


@dataclass(frozen=True)
class Add:
    """slot <- slot + Q(increment), with an increment that does not read the slot itself.

    Attributes:
        elementwise: whether each element of the increment depends on its own element only of what
            is read, so that it may be computed block by block.
        pullback: its derivative by hand, or None where the engine's is to be used.
    """

    slot: str
    increment: Callable[..., Any]
    reads: tuple[str, ...]
    elementwise: bool = False
    pullback: Pullback | None = None


@dataclass(frozen=True)
class RaiseTo:
    """slot <- max(slot, Q(increment)), with an increment that does not read the slot itself."""

    slot: str
    increment: Callable[..., Any]
    reads: tuple[str, ...]


Statement = Decay | AddScaled | Add | RaiseTo


@dataclass(frozen=True)
class Transform:
    """One function of a gradient pipeline: the gradient, or what came of it, in; a new one out.

    It may read the "gradient", the "weights" at the start of the step, hyperparameters, and what
    the run gives ("step", "root", "xp", "layout").
    """

    function: Callable[..., Any]
    reads: tuple[str, ...]

    def __call__(self, *arguments: Any) -> Any:
        """The new gradient, given what `reads` names, in that order."""
        return self.function(*arguments)


def decay(slot: str, factor: str | Callable[..., Any]) -> Decay:
    """Multiply a slot by a hyperparameter, or by a function of hyperparameters and the step.

    Example:
        >>> decay("velocity", "momentum").reads
        ('momentum',)
        >>> decay("mean", lambda step: step / (step + 1)).reads
        ('step',)
    """
    return Decay(slot, *_factor(factor))


def add(
    slot: str,
    increment: str | Callable[..., Any],
    coefficient: str | Callable[..., Any] | None = None,
    *,
    elementwise: bool = False,
    pullback: Pullback | None = None,
) -> Add | AddScaled:
    """Add to a slot: a multiple of another slot or the gradient, or any function of them.

    Args:
        slot: the slot.
        increment: the name of another slot or "gradient"; or a function, whose parameters say what
            it reads.
        coefficient: with a name, what it is multiplied by.
        elementwise: with a function, True says that each element of its result depends on no other
            element of the slots and the gradient; it is then computed block by block, which is
            faster where the slots do not fit in the cache.
        pullback: with a function, its derivative by hand.

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
        return Add(slot, increment, reads, elementwise, pullback)
    if coefficient is None:
        raise ArgumentError(
            f"add({slot!r}, {increment!r}): the coefficient is missing; give a hyperparameter's "
            "name or a function of hyperparameters"
        )
    return AddScaled(slot, increment, *_factor(coefficient))


def raise_to(slot: str, increment: Callable[..., Any]) -> RaiseTo:
    """Raise a slot to a function of other slots and the gradient where it lies below.

    Raises:
        ArgumentError: the function reads the slot that is raised.

    Example:
        >>> raise_to("norm", lambda gradient, xp: xp.abs(gradient)).reads
        ('gradient', 'xp')
    """
    reads = _parameters(increment)
    if slot in reads:
        raise ArgumentError(
            f"raise_to({slot!r}, increment): the increment reads {slot!r} itself, so it cannot be "
            "undone; let it read other slots and the gradient only"
        )
    return RaiseTo(slot, increment, reads)


def _factor(factor: str | Callable[..., Any]) -> tuple[Callable[..., Any], tuple[str, ...]]:
    if isinstance(factor, str):
        return itself, (factor,)
    return factor, _parameters(factor)


def itself(value: Any) -> Any:
    """The factor that is one hyperparameter."""
    return value


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def reads_of(statement: Statement) -> tuple[str, ...]:
    """All that a statement reads, by name."""
    source = (statement.source,) if isinstance(statement, AddScaled) else ()
    return (*source, *statement.reads)


def reads_gradient(statement: Statement) -> bool:
    """Whether a statement's increment depends on the gradient."""
    return GRADIENT in reads_of(statement)


def _is_local(statement: Statement) -> bool:
    """Whether each element of what a statement does depends on its own element only."""
    if isinstance(statement, Add):
        return statement.elementwise
    return not isinstance(statement, RaiseTo)


class Walk(NamedTuple):
    """Statements that one walk over the slots carries out, stretch by stretch, in their order.

    Attributes:
        decays: come first; no statement of the walk before them reads or changes their slots.
        others: a single one, if its elements do not stand alone.
    """

    decays: tuple[Decay, ...]
    others: tuple[Add | AddScaled | RaiseTo, ...]


def _walks(statements: Iterable[Statement]) -> Iterator[Walk]:
    """The statements in as few walks as their order allows."""
    decays: list[Decay] = []
    others: list[Add | AddScaled | RaiseTo] = []
    met: set[str] = set()
    for statement in statements:
        changed = {other.slot for other in others}
        again = statement.slot in (met if isinstance(statement, Decay) else changed)
        if again or (others and not (_is_local(statement) and _is_local(others[-1]))):
            yield Walk(tuple(decays), tuple(others))
            decays, others, met = [], [], set()
        if isinstance(statement, Decay):
            decays.append(statement)
        else:
            others.append(statement)
        met.update((statement.slot, *reads_of(statement)))
    yield Walk(tuple(decays), tuple(others))


@dataclass(frozen=True)
class Program:
    """The statements of one training step, in order, and the slots besides the position.

    Args:
        slots: the names of the slots besides "weights".
        statements: in the order in which they are carried out.
        gradient: functions that transform the gradient before the statements, in this order; each
            becomes a `Transform`.
        starts: slots that start as a copy of the "weights" instead of at zero.
        result: the slot that training returns.

    Raises:
        ArgumentError: a statement, `starts` or `result` names a slot that there is not; a factor
            reads what is not known in the reverse run; a transform reads a slot besides the
            weights.

    Example:
        >>> program = Program(
        ...     ("velocity",),
        ...     (
        ...         decay("velocity", "momentum"),
        ...         add("velocity", "gradient", lambda: -1.0),
        ...         add("weights", "velocity", "rate"),
        ...     ),
        ...     gradient=(lambda gradient, weights, decay: gradient + decay * weights,),
        ... )
        >>> program.hyperparameters
        ('decay', 'momentum', 'rate')
    """

    slots: tuple[str, ...]
    statements: tuple[Statement, ...]
    gradient: tuple[Callable[..., Any], ...] = ()
    starts: Mapping[str, str] = field(default_factory=dict, hash=False)
    result: str = POSITION

    def __post_init__(self) -> None:
        for statement in self.statements:
            self._check_statement(statement)
        for transform in self.transforms:
            self._check_transform(transform)
        for slot, source in self.starts.items():
            if slot not in self.slots or source != POSITION:
                raise ArgumentError(
                    f"Program: starts gives {slot!r} the start {source!r}; one of the slots "
                    f"{list(self.slots)} may start as a copy of {POSITION!r}"
                )
        if self.result not in self.all_slots:
            raise ArgumentError(
                f"Program: result is {self.result!r}, which is no slot; name one of "
                f"{list(self.all_slots)}"
            )

    def _check_statement(self, statement: Statement) -> None:
        known = set(self.all_slots)
        if statement.slot not in known:
            raise ArgumentError(f"a statement changes {statement.slot!r}, which is no slot")
        if isinstance(statement, Add | RaiseTo):
            return
        if isinstance(statement, AddScaled) and statement.source not in {*known, GRADIENT}:
            raise ArgumentError(f"a statement reads {statement.source!r}, which is no slot")
        strange = {*known, *GIVEN}.intersection(statement.reads) - {STEP}
        if strange:
            raise ArgumentError(
                f"a factor of {statement.slot!r} reads {sorted(strange)}; factors and "
                "coefficients are functions of hyperparameters and the step only, so that they "
                "are known in the reverse run: use add(slot, increment)"
            )

    def _check_transform(self, transform: Transform) -> None:
        strange = set(self.slots).intersection(transform.reads)
        if strange:
            raise ArgumentError(
                f"Program: gradient has a function that reads {sorted(strange)}; it may read "
                "'gradient', 'weights', hyperparameters and what the run gives, because other "
                "slots are not yet undone when the reverse run needs the gradient"
            )

    @property
    def all_slots(self) -> tuple[str, ...]:
        """The position and the other slots."""
        return (POSITION, *self.slots)

    @cached_property
    def transforms(self) -> tuple[Transform, ...]:
        """The functions of the gradient pipeline, each with what it reads."""
        return tuple(
            f if isinstance(f, Transform) else Transform(f, _parameters(f)) for f in self.gradient
        )

    @cached_property
    def hyperparameters(self) -> tuple[str, ...]:
        """What the pipeline and the statements read that is no slot and not given by the run."""
        names: dict[str, None] = {}
        for reader in (*self.transforms, *self.statements):
            names.update(dict.fromkeys(reader.reads))
        return tuple(n for n in names if n not in GIVEN and n not in self.all_slots)

    @cached_property
    def walks(self) -> tuple[Walk, ...]:
        """The statements, in the walks over the slots that carry them out."""
        return tuple(_walks(self.statements))

    @cached_property
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
                    "the gradient at the old position before it can return there (a position that "
                    "moves by another slot can, as that of Momentum or RMSprop(momentum=0.9))"
                )
            if moved and reads_gradient(statement):
                return (
                    "it reads the gradient after the position has moved (a position that moves "
                    "last, by another slot, can be undone first)"
                )
            moved = moved or statement.slot == POSITION
        return None
