"""What every wrapper is: an optimizer made of another one, by adding to its program."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from retrograd.errors import ArgumentError
from retrograd.optimizers.optimizer import Interval, Optimizer
from retrograd.optimizers.program import Program

__all__ = ["Wrapper"]


@dataclass(frozen=True, eq=False, repr=False)
class Wrapper(Optimizer):
    """Base of the optimizers that wrap another one. A subclass has

    - `optimizer` as its first field, and one for each hyperparameter of its own,
    - `own_domains`, the numbers that each of these may take,
    - `own_slots`, with their `own_radixes` and `own_words`, if it adds any,
    - `extended`, which makes its program from that of the wrapped optimizer.

    Wrappers nest in any order. Where the wrapped optimizer has a hyperparameter or slot of the
    same name already, the own one is called "outer ..." (see `called`).

    Attributes:
        optimizer: the optimizer to wrap.
    """

    optimizer: Optimizer

    own_domains: ClassVar[Mapping[str, Interval]] = {}
    own_slots: ClassVar[tuple[str, ...]] = ()
    own_radixes: ClassVar[Mapping[str, int]] = {}
    own_words: ClassVar[Mapping[str, int]] = {}

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise ArgumentError(
                f"{type(self).__name__}: {self.optimizer!r:.60} was given as the optimizer to "
                "wrap; give an instance, such as Adam(rate=1e-3)"
            )

    @abstractmethod
    def extended(self, program: Program) -> Program:
        """The program, made from the wrapped optimizer's."""

    def called(self, name: str) -> str:
        """What an own hyperparameter or slot is called in the program."""
        inner = self.optimizer.program
        while name in (*inner.hyperparameters, *inner.all_slots):
            name = f"outer {name}"
        return name

    @cached_property
    def program(self) -> Program:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The wrapped optimizer's program, extended."""
        return self.extended(self.optimizer.program)

    @cached_property
    def domains(self) -> Mapping[str, Interval]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The domains of the hyperparameters, the wrapped optimizer's and the own ones."""
        return {**self.optimizer.domains, **self._called(self.own_domains)}

    @cached_property
    def radixes(self) -> Mapping[str, int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The radix of each slot, the wrapped optimizer's and the own ones."""
        return {**self.optimizer.slot_radixes(), **self._called(self.own_radixes)}

    @cached_property
    def words(self) -> Mapping[str, int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The words of each slot, the wrapped optimizer's and the own ones."""
        return {**self.optimizer.words, **self._called(self.own_words)}

    @property
    def name(self) -> str:
        """The names of the wrapper and of what it wraps, for messages."""
        return f"{type(self).__name__}({self.optimizer.name})"

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters by their names in the program, as given."""
        own = {name: getattr(self, name) for name in self.own_domains}
        return {**self.optimizer.hyperparameters(), **self._called(own)}

    def _called(self, own: Mapping[str, Any]) -> dict[str, Any]:
        return {self.called(name): value for name, value in own.items()}
