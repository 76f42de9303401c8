"""The language of the optimizers: what a program says about itself, and what is no program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, NotReversibleError
from retrograd.optimizers import (
    OPTIMIZERS,
    WRAPPERS,
    Interval,
    Optimizer,
    Program,
    add,
    decay,
    raise_to,
)


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


def test_factors_may_read_the_step() -> None:
    program = Program(("v",), (decay("v", lambda step, rate: rate / (step + 1)),))
    assert program.hyperparameters == ("rate",)


def test_a_maximum_does_not_read_its_own_slot() -> None:
    with pytest.raises(ArgumentError, match=r"raise_to\('v', increment\).*reads 'v' itself"):
        raise_to("v", lambda v, gradient: v + gradient)


def test_what_a_pipeline_may_read() -> None:
    def transform(gradient: Any, weights: Any, strength: Any, step: int, xp: Any) -> Any:
        return gradient

    program = Program(("v",), (add("v", "gradient", "rate"),), gradient=(transform,))
    assert program.hyperparameters == ("strength", "rate")
    with pytest.raises(ArgumentError, match=r"reads \['v'\].*not yet undone"):
        Program(("v",), (), gradient=(lambda gradient, v: gradient,))


def test_starts_and_results_are_slots() -> None:
    with pytest.raises(ArgumentError, match=r"starts gives 'u' the start 'weights'"):
        Program(("v",), (), starts={"u": "weights"})
    with pytest.raises(ArgumentError, match=r"starts gives 'v' the start 'v'"):
        Program(("v",), (), starts={"v": "v"})
    with pytest.raises(ArgumentError, match=r"result is 'u', which is no slot"):
        Program(("v",), (), result="u")


def test_what_a_program_says() -> None:
    program = rg.Adam.program
    assert program.all_slots == ("weights", "first", "second")
    assert program.hyperparameters == ("beta1", "beta2", "rate", "epsilon")
    assert [s.slot for s in program.readers] == ["first", "second"]


IRREVERSIBLE = {"Lion", "NAdam", "Nesterov", "RMSprop", "SGD"}


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_optimizer_says_whether_it_can_be_run_backwards_and_is_documented(kind: Any) -> None:
    optimizer = kind(rate=0.1)
    program = optimizer.program
    assert (program.obstacle() is not None) is (kind.__name__ in IRREVERSIBLE)
    assert set(optimizer.slot_radixes()) == set(program.all_slots)
    assert set(optimizer.words) <= set(program.all_slots)
    assert set(optimizer.slot_words()) == set(program.all_slots)
    for name in (*program.hyperparameters, "radix"):
        assert f"{name}:" in kind.__doc__, name
    assert set(optimizer.hyperparameters()) == set(program.hyperparameters)
    for name, value in optimizer.hyperparameters().items():
        optimizer.check(name, np.asarray(value))


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("inner", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_wrapper_leaves_reversibility_as_it_is(kind: Any, inner: Any) -> None:
    inner = inner(rate=0.1)
    wrapped = kind(inner, *[0.5 for _ in kind.own_domains])
    assert wrapped.program.obstacle() == inner.program.obstacle()
    for name in (*kind.own_domains, "optimizer", "radix"):
        assert f"{name}:" in kind.__doc__, name


def test_rmsprop_with_momentum_can_be_run_backwards() -> None:
    assert rg.RMSprop(0.1, momentum=0.9).program.obstacle() is None
    assert rg.RMSprop(0.1, momentum=0.0).program.obstacle() is None
    assert set(rg.RMSprop(0.1, momentum=0.9).slot_radixes()) == {"weights", "second", "velocity"}


@pytest.mark.parametrize("optimizer", [rg.SGD(0.1), rg.Averaged(rg.Lion(), 0.9)], ids=repr)
def test_what_cannot_be_run_backwards_says_why(optimizer: Any) -> None:
    with pytest.raises(NotReversibleError, match=r"moves by the gradient directly"):
        rg.train(lambda w, hyper, step: w, 1.0, None, optimizer, 2, adjoint=rg.Reversible())


@pytest.mark.parametrize(
    ("statements", "reversible"),
    [
        ((add("weights", "gradient", "rate"),), False),
        ((add("weights", lambda gradient, v: v + gradient),), False),
        ((add("weights", "v", "rate"), add("v", "gradient", "rate")), False),
        ((decay("weights", "rate"), add("v", "gradient", "rate")), False),
        ((add("v", "gradient", "rate"), decay("weights", "rate"), add("weights", "v", "c")), True),
        ((add("v", lambda gradient, weights: gradient * weights), add("weights", "v", "c")), True),
        ((raise_to("v", lambda gradient: gradient), add("weights", "v", "rate")), True),
        ((add("weights", "v", "rate"), raise_to("v", lambda gradient: gradient)), False),
        ((raise_to("weights", lambda gradient: gradient),), False),
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


def test_one_walk_carries_out_what_elements_can_do_by_themselves() -> None:
    def shape(program: Program) -> list[tuple[list[str], list[str]]]:
        return [([s.slot for s in w.decays], [s.slot for s in w.others]) for w in program.walks]

    assert shape(rg.Momentum(0.1).program) == [(["velocity"], ["velocity", "weights"])]
    assert shape(rg.Adam().program) == [(["first", "second"], ["first", "second", "weights"])]
    square = lambda gradient: gradient**2  # noqa: E731
    everything = lambda gradient, xp: gradient / xp.sum(gradient)  # noqa: E731
    cases: list[tuple[tuple[Any, ...], list[tuple[list[str], list[str]]]]] = [
        # What needs all elements at once stands alone, and so does a maximum.
        (
            (add("v", square, elementwise=True), add("weights", everything)),
            [([], ["v"]), ([], ["weights"])],
        ),
        ((raise_to("v", square), add("weights", "v", "rate")), [([], ["v"]), ([], ["weights"])]),
        # A slot decays before the walk, so nothing in it may have met the slot.
        (
            (add("weights", "v", "rate"), decay("v", "rate")),
            [([], ["weights"]), (["v"], [])],
        ),
        ((decay("v", "rate"), decay("v", "rate")), [(["v"], []), (["v"], [])]),
        # A slot is added to once in a walk.
        (
            (add("v", "gradient", "rate"), add("v", "weights", "rate")),
            [([], ["v"]), ([], ["v"])],
        ),
    ]
    for statements, expected in cases:
        assert shape(Program(("v",), statements)) == expected
