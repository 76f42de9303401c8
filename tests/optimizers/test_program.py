"""The language of the optimizers: what a program says about itself, and what is no program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.optimizers import OPTIMIZERS, Interval, Optimizer, Program, add, decay


def test_an_addition_does_not_read_its_own_slot() -> None:
    with pytest.raises(
        ArgumentError, match=r"add\('v', increment\).*reads 'v' itself.*decay\(slot"
    ):
        add("v", lambda v, rate: rate * v)
    with pytest.raises(ArgumentError, match="reads 'v' itself"):
        add("v", "v", "rate")


def test_a_multiple_needs_its_coefficient() -> None:
    with pytest.raises(ArgumentError, match="coefficient is missing"):
        add("v", "gradient")


def test_statements_name_slots_that_there_are() -> None:
    with pytest.raises(ArgumentError, match="'u', which is no slot"):
        Program(("v",), (decay("u", "beta"),))
    with pytest.raises(ArgumentError, match="reads 'u', which is no slot"):
        Program(("v",), (add("v", "u", "rate"),))


@pytest.mark.parametrize("name", ["v", "weights", "gradient", "root", "xp", "layout"])
def test_factors_read_hyperparameters_only(name: str) -> None:
    with pytest.raises(ArgumentError, match=rf"factor of 'u' reads \['{name}'\]"):
        Program(("u", "v"), (decay("u", name),))
    with pytest.raises(ArgumentError, match=rf"factor of 'u' reads \['{name}'\]"):
        Program(("u", "v"), (add("u", "gradient", name),))


def test_what_a_program_says() -> None:
    program = rg.Adam.program
    assert program.all_slots == ("weights", "first", "second")
    assert program.hyperparameters == ("beta1", "beta2", "rate", "epsilon")
    assert [s.slot for s in program.readers] == ["first", "second"]


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_optimizer_can_be_run_backwards_and_is_documented(kind: Any) -> None:
    assert kind.program.obstacle() is None
    assert set(kind.radixes) == set(kind.program.all_slots)
    assert set(kind.domains) <= set(kind.program.hyperparameters)
    for name in (*kind.program.hyperparameters, "radix"):
        assert f"{name}:" in kind.__doc__, name
    optimizer = kind(rate=0.1)
    assert set(optimizer.hyperparameters()) == set(kind.program.hyperparameters)
    for name, value in optimizer.hyperparameters().items():
        optimizer.check(name, np.asarray(value))


@pytest.mark.parametrize(
    ("statements", "reversible"),
    [
        ((add("weights", "gradient", "rate"),), False),
        ((add("weights", lambda gradient, v: v + gradient),), False),
        ((add("weights", "v", "rate"), add("v", "gradient", "rate")), False),
        ((decay("weights", "rate"), add("v", "gradient", "rate")), False),
        ((add("v", "gradient", "rate"), decay("weights", "rate"), add("weights", "v", "c")), True),
        ((add("v", lambda gradient, weights: gradient * weights), add("weights", "v", "c")), True),
    ],
)
def test_obstacle(statements: Any, reversible: bool) -> None:
    assert (Program(("v",), statements).obstacle() is None) is reversible


@dataclass(frozen=True, eq=False)
class WithoutField(Optimizer):
    rate: Any = 0.1
    program = Program(("v",), (decay("v", "beta"), add("weights", "v", "rate")))
    radixes = {"weights": 44, "v": 50}  # noqa: RUF012


@dataclass(frozen=True, eq=False)
class WithoutRadix(Optimizer):
    rate: Any = 0.1
    program = Program(("v",), (decay("v", "rate"), add("weights", "v", "rate")))
    radixes = {"weights": 44}  # noqa: RUF012


def test_a_class_must_have_a_field_for_each_hyperparameter() -> None:
    with pytest.raises(ArgumentError, match=r"WithoutField: its program reads \['beta'\]"):
        WithoutField().hyperparameters()


def test_a_class_must_have_a_radix_for_each_slot() -> None:
    with pytest.raises(ArgumentError, match=r"WithoutRadix says no radix for \['v'\]"):
        WithoutRadix().slot_radixes()
    assert WithoutRadix(radix={"v": 40}).slot_radixes() == {"weights": 44, "v": 40}


def test_intervals() -> None:
    half_open = Interval(0.0, 1.0, high_open=True)
    assert 0.0 in half_open
    assert 1.0 not in half_open
    assert float("nan") not in half_open
    assert float("inf") not in Interval()
    assert str(half_open) == "[0, 1)"
    assert str(Interval(0.0, low_open=True)) == "(0, inf)"
    assert 0.0 not in Interval(0.0, low_open=True)
