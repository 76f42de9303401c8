"""What a compiled run asks of a computation in steps: pure functions, made while JAX traces.

States, values and adjoints ("bars") are pytrees. *Values* are the part of a state that a derivative
is taken at; for training on the lattice they are the slots as floats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from retrograd.backends.jax import own_types

__all__ = ["NO_ROOM", "Computation", "Dynamics", "Room"]


@dataclass(frozen=True)
class Room:
    """The memory that is set aside for tapes.

    Attributes:
        starts: the steps at which a tape begins; it ends where the next one does.
        rows: for each slot that decays, the words per element for each part.
    """

    starts: tuple[int, ...] = (0,)
    rows: tuple[tuple[str, tuple[int, ...]], ...] = ()


NO_ROOM = Room()


class Computation(ABC):
    """A computation in steps, before JAX traces it. Equal ones share their compiled programs.

    Attributes:
        name: for messages.
        steps: how many steps there are.
        arithmetic: "lattice" or "floats": what its states are made of.
    """

    name: str
    steps: int
    arithmetic = "lattice"

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be run backwards exactly, as the end of a sentence, or None."""
        return None

    @property
    @abstractmethod
    def key(self) -> tuple[Any, ...]:
        """What tells it from others, hashable."""

    @abstractmethod
    def dynamics(
        self, inputs: Sequence[Any], wanted: Sequence[int] = (), room: Room = NO_ROOM
    ) -> Dynamics:
        """The computation on these inputs.

        Args:
            inputs: numbered arrays, while JAX traces with 64-bit types.
            wanted: the numbers of those whose adjoints are asked for.
            room: for tapes.
        """

    def nbytes(
        self, inputs: Sequence[Any], part: Callable[[Dynamics], Any], room: Room = NO_ROOM
    ) -> int:
        """The bytes of a part of the dynamics on these inputs, which may be traced.

        Args:
            inputs: numbered arrays.
            part: `part(dynamics)`, a pytree.
            room: for tapes.
        """
        with own_types():
            found = jax.eval_shape(lambda given: part(self.dynamics(given, (), room)), list(inputs))
        return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(found))

    def fault(self, faults: Mapping[str, Any]) -> Exception | None:
        """The error that the plain numbers of `Dynamics.faults` stand for, if any."""
        return None

    def first_fault(self, seen: Mapping[str, Any], t: int) -> Exception | None:
        """The error that the plain numbers of `Dynamics.observed` stand for, if any.

        Args:
            seen: of step t; of the first state where t is -1.
            t: the step.
        """
        return None


class Dynamics(ABC):
    """x_{t+1} = f(x_t, t), within one trace.

    Attributes:
        steps: how many steps there are.
    """

    steps: int

    @abstractmethod
    def first(self) -> Any:
        """The first state."""

    @abstractmethod
    def advance(self, state: Any, t: Any, after: Any = ()) -> tuple[Any, Any]:
        """The next state, and the loss at this one (0 where there is none).

        Args:
            state: x_t.
            t: int32.
            after: a pytree of what is made of this state before it is changed in place.
        """

    @abstractmethod
    def values(self, state: Any, t: Any) -> Any:
        """The values of x_t."""

    @abstractmethod
    def pull(self, values: Any, t: Any, bars: Any, after: Any = None) -> Any:
        """The adjoints at step t, from those at t + 1 and the values of x_t.

        Args:
            values: of x_t.
            t: int32.
            bars: the adjoints at t + 1.
            after: the values of x_{t+1}, where they are at hand.
        """

    @abstractmethod
    def norm(self, bars: Any) -> Any:
        """The norm of the adjoint of the position (of the state)."""

    @abstractmethod
    def result(self, state: Any) -> list[Any]:
        """The results, of the last state."""

    @abstractmethod
    def start_of_bars(self, cotangents: Any) -> Any:
        """The adjoints at the last step, given those of the results."""

    @abstractmethod
    def cut(self, bars: Any) -> Any:
        """The adjoints of the state set to zero, those of the inputs as they are."""

    @abstractmethod
    def found(self, bars: Any) -> list[Any]:
        """The adjoints of the wanted inputs, in their order."""

    def faults(self, state: Any) -> dict[str, Any]:
        """What is wrong with a run, as flags and numbers by name, given its last state."""
        return {}

    def observed(self, state: Any, t: Any) -> tuple[Any, dict[str, Any]]:
        """The next state, and what to look at to find the step that went wrong.

        That is the "loss" at this state, where the gradient is "finite", by part, and which slots
        and parts are "lost" after the step.
        """
        raise NotImplementedError

    def bits(self, starts: Sequence[int]) -> dict[str, Any]:
        """The most bits per element on a tape by slot, (P,) int32, for tapes that begin there."""
        return {}

    def blank_tape(self, start: Any) -> Any:
        """An empty tape that begins at a step."""
        raise NotImplementedError

    def record(self, state: Any, tape: Any, t: Any) -> tuple[Any, Any, Any]:
        """The next state, the tape with what the step lost, and the loss."""
        raise NotImplementedError

    def still(self, state: Any, t: Any) -> Any:
        """Those values of x_t that the first half of a step back does not change."""
        return self.values(state, t)

    def retreat(
        self, state: Any, still: Any, tape: Any, t: Any, bars: Any
    ) -> tuple[Any, Any, Any, Any]:
        """x_t, its still values, the tape, and the adjoints there, from the same of x_{t+1}."""
        raise NotImplementedError

    def differing(self, state: Any, other: Any) -> Any:
        """How many elements of two states differ, int32."""
        raise NotImplementedError
