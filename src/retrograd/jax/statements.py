"""A program under construction: what flows through a chain of transformations, and what it leaves.

Updates flow from one transformation to the next; they begin as the gradient, and what comes out is
added to the weights. In between they have the form

    factor * source + pull * weights

with a source that is the gradient, a slot, or a formula of them. A factor and a pull depend on
hyperparameters alone, so that the first term can become a multiple that is added, and the second a
decay of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import add as plus
from operator import mul
from typing import Any

from retrograd.errors import NotReversibleError
from retrograd.jax.formula import Formula, named, product
from retrograd.optimizers import Add, AddScaled, Decay, Program, RaiseTo, Statement, Transform
from retrograd.optimizers.optimizer import ANY, Interval

__all__ = ["ChainProgram", "Draft", "Updates"]

WEIGHTS, GRADIENT = "weights", "gradient"

# Binary digits after the point, and words, of a slot.
NARROW, FIRST, SECOND, WIDE = (49, 1), (47, 1), (83, 2), (69, 2)


def _one() -> float:
    return 1.0


def _kept(pull: Any) -> Any:
    """The share of the weights that is left when a multiple of them is added."""
    return 1 + pull


@dataclass(frozen=True)
class Updates:
    """What flows through the chain at one place.

    Attributes:
        source: the name of the gradient or a slot, or a formula of them.
        factor: what it is multiplied by; None for 1.
        pull: what multiple of the weights is added; None for 0.
    """

    source: str | Formula = GRADIENT
    factor: str | Formula | None = None
    pull: str | Formula | None = None

    @property
    def whole(self) -> str | Formula:
        """All of it as one formula."""
        found = product(self.source, self.factor)
        assert found is not None
        if self.pull is None:
            return found
        return Formula(plus, (found, Formula(mul, (self.pull, WEIGHTS))))

    def scaled(self, factor: str | Formula) -> Updates:
        """Multiplied by a number."""
        pull = None if self.pull is None else product(self.pull, factor)
        return replace(self, factor=product(self.factor, factor), pull=pull)

    def pulled(self, pull: str | Formula) -> Updates:
        """With a multiple of the weights added."""
        return replace(self, pull=pull if self.pull is None else Formula(plus, (self.pull, pull)))

    def reads(self, name: str) -> bool:
        """Whether the source depends on something."""
        return name in named(self.source).reads


@dataclass(frozen=True)
class ChainProgram(Program):
    """A program that was written from a chain.

    Attributes:
        passes: which transformation hands on the gradient itself, if any does.
    """

    passes: str = field(default="", compare=False)

    def obstacle(self) -> str | None:
        """Why this program cannot be run backwards exactly, in the words of the chain."""
        found = super().obstacle()
        if found is None or not self.passes:
            return found
        return (
            f"{self.passes}, so the weights move by the gradient directly, and the reverse run "
            "would need the gradient at the old weights before it can return there (a chain whose "
            "weights move by a trace or a moment alone can, such as optax.sgd(0.1, momentum=0.9) "
            "or optax.adam(1e-3))"
        )


class Draft:
    """A program that is being written, transformation by transformation.

    Attributes:
        updates: what flows out of the last transformation.
        values: the hyperparameters that were met, by their names in the program.
        domains: the numbers that they may take.
        radixes: the digits of each slot.
        words: the words of each slot.
        passes: which transformation hands on the gradient itself, in words.
    """

    def __init__(self) -> None:
        self.updates = Updates()
        self.values: dict[str, Any] = {}
        self.domains: dict[str, Interval] = {}
        self.radixes: dict[str, int] = {WEIGHTS: 44}
        self.words: dict[str, int] = {}
        self.passes = ""
        self._transforms: list[Transform] = []
        self._statements: list[Statement] = []
        self._last: list[Statement] = []

    def hyperparameter(self, name: str, value: Any, domain: Interval = ANY) -> str:
        """A hyperparameter; its name in the program, with a number if it is taken."""
        name = _free(name, self.values)
        self.values[name], self.domains[name] = value, domain
        return name

    def slot(self, name: str, size: tuple[int, int]) -> str:
        """A slot that starts at zero; its name in the program."""
        name = _free(name, self.radixes)
        self.radixes[name], words = size
        if words > 1:
            self.words[name] = words
        return name

    def widen(self, slot: str) -> None:
        """Give a slot the digits with which its sign is right for the smallest values."""
        self.radixes[slot], self.words[slot] = WIDE

    def settle(self) -> None:
        """Make what only depends on the gradient and the weights the gradient of what follows."""
        whole = named(self.updates.whole)
        slots = self.radixes.keys() - {WEIGHTS}
        if self.updates != Updates() and not slots & set(whole.reads):
            self._transforms.append(Transform(whole, whole.reads))
            self.updates = Updates()

    def decay(self, slot: str, factor: str | Formula) -> None:
        """Multiply a slot."""
        self._statements.append(_decay(slot, factor))

    def accumulate(self, slot: str, factor: str | Formula | None = None) -> None:
        """Add the updates, multiplied by a factor, to a slot."""
        updates = self.updates.scaled(factor) if factor is not None else self.updates
        self._statements.append(_addition(slot, updates))

    def add(self, slot: str, increment: Formula) -> None:
        """Add a formula to a slot."""
        self._statements.append(_add(slot, increment))

    def raise_to(self, slot: str, increment: Formula) -> None:
        """Raise a slot to a formula where it lies below."""
        self._statements.append(RaiseTo(slot, increment, increment.reads))

    def postpone(self, slot: str, decay: str | Formula, factor: Formula) -> None:
        """Average the updates in a slot, after the weights have moved."""
        self._last += [_decay(slot, decay), _addition(slot, self.updates.scaled(factor))]

    def finished(self) -> Program:
        """The program: what flows out of the chain is added to the weights.

        Raises:
            NotReversibleError: the weights would move by a function of themselves.
        """
        if self.updates.reads(WEIGHTS):
            raise NotReversibleError(
                "from_optax: the weights would move by what is no multiple of themselves; scale "
                "the decayed weights by optax.scale_by_learning_rate only, or add them in front of "
                "the first transformation"
            )
        moves: list[Statement] = []
        if self.updates.pull is not None:
            moves.append(_decay(WEIGHTS, Formula(_kept, (self.updates.pull,))))
        moves.append(_addition(WEIGHTS, replace(self.updates, pull=None)))
        return ChainProgram(
            slots=tuple(slot for slot in self.radixes if slot != WEIGHTS),
            statements=(*self._statements, *moves, *self._last),
            gradient=tuple(self._transforms),
            passes=self.passes or "no transformation keeps a velocity",
        )


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with the first free number from 2 on behind it if it is taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name} {number}"
    return found


def _decay(slot: str, factor: str | Formula) -> Decay:
    formula = named(factor)
    return Decay(slot, formula, formula.reads)


def _addition(slot: str, updates: Updates) -> Statement:
    """Updates added to a slot: as a multiple of another slot or the gradient, if they are one."""
    if updates.pull is None and isinstance(updates.source, str):
        factor = Formula(_one, ()) if updates.factor is None else named(updates.factor)
        return AddScaled(slot, updates.source, factor, factor.reads)
    return _add(slot, named(updates.whole))


def _add(slot: str, increment: Formula) -> Add:
    return Add(slot, increment, increment.reads, increment.is_elementwise)
