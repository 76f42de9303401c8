"""`check_optimizer` finds what is wrong with optimizers that are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import pytest

from retrograd.autodiff.primitive import elementwise
from retrograd.errors import ArgumentError
from retrograd.optimizers import Optimizer, Program, add, decay
from retrograd.testing import check_optimizer


@dataclass(frozen=True, eq=False, repr=False)
class Right(Optimizer):
    """Momentum, written down by a user."""

    rate: Any = 0.1
    momentum: Any = 0.75

    program: ClassVar[Program] = Program(
        ("velocity",),
        (
            decay("velocity", "momentum"),
            add("velocity", "gradient", lambda: -1.0),
            add("weights", "velocity", "rate"),
        ),
    )
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "velocity": 50}


def moved_by(move: Any) -> Any:
    """The same, with another last statement."""
    *first, _ = Right.program.statements
    return Program(("velocity",), (*first, add("weights", move)))


# With twice the right derivative; a function of its own, because rules belong to functions.
wrong_sine = elementwise(lambda x: np.sin(x), lambda ans, x: 2 * np.cos(x))


class WrongDerivative(Right):
    program = moved_by(lambda velocity, rate: rate * wrong_sine(velocity))


class Coarse(Right):
    radixes: ClassVar[Mapping[str, int]] = {"weights": 8, "velocity": 8}


class NoRadix(Right):
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44}


class NoField(Right):
    program = moved_by(lambda velocity, unheard_of: unheard_of * velocity)


class NoProgram(Right):
    program: ClassVar[Any] = "decay the velocity"


class ThreeAndAHalfWords(Right):
    words: ClassVar[Any] = {"velocity": 3.5}


_count = [0]


def _drifting(velocity: Any, rate: Any) -> Any:
    _count[0] += 1
    return rate * velocity * (1 + 1e-6 * _count[0])


class Drifting(Right):
    """Its increment is another one at every call."""

    program = moved_by(_drifting)


class Shy(Right):
    """Moves by the gradient, and hides it."""

    @property
    def program(self) -> Any:  # type: ignore[override]
        return _Shy(
            ("velocity",),
            (*Right.program.statements, add("weights", "gradient", lambda rate: -rate)),
        )


class _Shy(Program):
    def obstacle(self) -> str | None:
        return None


def test_a_class_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"the class Right was given; give an instance"):
        check_optimizer(cast("Any", Right))


def test_a_right_one_passes() -> None:
    check_optimizer(Right())
    check_optimizer(Right(momentum=0.0), steps=3)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (WrongDerivative, r"gradient with respect to .* has the slope"),
        (Coarse, r"on the lattice the weights are .* choose finer radixes"),
        (NoRadix, r"no radix for \['velocity'\]"),
        (NoField, r"unheard_of.* no field"),
        (NoProgram, r"its program is no Program"),
        (ThreeAndAHalfWords, r"words"),
        (Drifting, r"Drifting: .*failed"),
        (Shy, r"does not come back with Reversible\(\)|failed"),
    ],
    ids=lambda kind: getattr(kind, "__name__", ""),
)
def test_wrong_ones_do_not(kind: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_optimizer(kind())
