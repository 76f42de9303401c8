"""There and back: every state bit for bit, nothing left over, and the certificate's numbers."""

from __future__ import annotations

import math
from dataclasses import make_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import make_run, there_and_back
from small_problem import (
    ADJOINTS,
    OPTIMIZERS,
    everything,
    flat,
    loss,
    outcome,
    trained,
)

import retrograd as rg
from retrograd.lattice import InformationBuffer, Layout
from retrograd.optimizers import Optimizer, Program, add, decay

# What a program may do before the position moves, and how it may move.
TURNS = (
    decay("first", "f0"),
    decay("second", "f1"),
    decay("second", lambda f0, f2: f0 * f2),
    add("first", "gradient", "c0"),
    add("first", lambda second, c1: c1 * np.sin(second)),
    add("second", "first", lambda c0, c1: c0 - c1),
    add("second", lambda gradient, weights, c2: c2 * gradient * np.cos(weights)),
)
MOVES = (
    decay("weights", "f2"),
    add("weights", "first", "c2"),
    add("weights", lambda second, root, step, c0: c0 * second / (1 + root(second * second + step))),
)
NAMES = ("f0", "f1", "f2", "c0", "c1", "c2")


def optimizer_class(turns: list[Any], moves: list[Any]) -> Any:
    kind = make_dataclass("Random", NAMES, bases=(Optimizer,), frozen=True, eq=False, kw_only=True)
    kind.program = Program(("first", "second"), (*turns, *moves))  # type: ignore[attr-defined]
    kind.radixes = {"weights": 44, "first": 50, "second": 48}  # type: ignore[attr-defined]
    kind.hyperparameters = lambda self: {  # only those that are read
        name: getattr(self, name) for name in self.program.hyperparameters
    }
    return kind


factors = st.floats(0.01, 0.999)
coefficients = st.floats(-0.5, 0.5)
shapes = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=3)


@st.composite
def runs(draw: Any) -> tuple[Any, Any, int]:
    """An optimizer, initial weights and a number of steps."""
    sizes = draw(shapes)
    turns = draw(st.lists(st.sampled_from(TURNS), min_size=1, max_size=6))
    moves = draw(st.lists(st.sampled_from(MOVES), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    long = len(turns) < 3 and sum(int(np.prod(shape)) for shape in sizes) < 8
    steps = draw(st.integers(1, 500 if long else 40))

    def vary(value: float, kind: str) -> Any:
        noise = lambda *shape: value * rng.uniform(0.5, 1.0, shape)  # noqa: E731
        return {
            "one": value,
            "per step": rg.per_step(noise(steps)),
            "per step and leaf": rg.per_step(noise(steps, len(sizes))),
            "per element": [noise(*shape) for shape in sizes],
        }[kind]

    kinds = st.sampled_from(["one", "per step", "per step and leaf", "per element"])
    values = {
        name: vary(draw(factors if name[0] == "f" else coefficients), draw(kinds)) for name in NAMES
    }
    weights = [rng.normal(size=shape) for shape in sizes]
    return optimizer_class(turns, moves)(**values), weights, steps


def bowl(w: Any, hyper: Any, step: int) -> Any:
    return sum(np.sum(np.cos(x + step) + 0.1 * hyper * x * x) for x in w)


@given(runs())
@settings(max_examples=40)
def test_any_program_returns_to_its_initial_state(given: tuple[Any, Any, int]) -> None:
    optimizer, weights, steps = given
    bars = []
    for kind in ADJOINTS:
        run, inputs = make_run(bowl, weights, 0.5, optimizer, steps, kind())
        there = there_and_back(run, inputs)
        start, _ = make_run(bowl, weights, 0.5, optimizer, steps, kind())
        start.trajectory.start(inputs)
        for name, slot in run.trajectory.state.slots.items():
            assert np.array_equal(slot, start.trajectory.state.slots[name]), name
        run.memory.check_used_up()
        certificate = run.diagnostics.certificate
        assert certificate is not None
        assert certificate.steps == steps
        bars.append([flat(bar) for bar in there])
    for first, *others in zip(*bars, strict=True):
        for other in others:
            assert np.array_equal(first, other)


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_adjoints_and_no_adjoint_train_the_same_weights(kind: Any) -> None:
    point = everything(kind, "per step and leaf")
    expected = flat(trained(point, kind, "per step and leaf", rg.Reversible()))
    for adjoint in ADJOINTS:
        assert np.array_equal(flat(trained(point, kind, "per step and leaf", adjoint())), expected)
        value, _ = rg.value_and_grad(
            lambda p, a=adjoint: outcome(trained(p, kind, "per step and leaf", a()))
        )(point)
        assert value == outcome(trained(point, kind, "per step and leaf", rg.Reversible()))


@pytest.mark.parametrize("form", ["scalar", "per step and leaf", "per element"])
@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_training_is_training_in_floats_but_for_rounding(kind: Any, form: str) -> None:
    point = everything(kind, form)
    on_lattice = flat(trained(point, kind, form, rg.Reversible()))
    in_floats = flat(trained(point, kind, form, None))
    assert np.abs(on_lattice - in_floats).max() < 1e-9


def certificate(adjoint: Any, momentum: float, steps: int, size: int = 40) -> rg.Certificate:
    seen = rg.Diagnostics()

    def final(rate: Any) -> Any:
        w = rg.train(
            lambda w, hyper, step: np.sum(np.cos(w + step)),
            np.linspace(-1, 1, size),
            None,
            rg.Momentum(rate, momentum),
            steps,
            adjoint=adjoint,
            diagnostics=seen,
        )
        return np.sum(w)

    rg.grad(final)(0.01)
    assert seen.certificate is not None
    assert len(seen.losses) == len(seen.adjoint_norms) == steps
    return seen.certificate


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_bits_and_bytes_kept_by_running_backwards(momentum: float) -> None:
    steps, size = 300, 40
    found = certificate(rg.Reversible(), momentum, steps, size)
    information = math.log2(1 / momentum)
    # Up to 32 bits an element are not on the tape, but in the buffer.
    assert information - 33 / steps <= found.bits_per_element_step <= 1.02 * information
    tape = found.bits_per_element_step * size * steps / 8
    marks = 16 * math.ceil(steps * information / 16 + 1)  # one for each spill of the leaf
    fixed = InformationBuffer(Layout([(size,)])).fixed_bytes
    assert tape + fixed <= found.bytes_kept <= tape + fixed + marks
    assert found.bytes_trajectory >= 8 * 3 * size * steps  # weights, velocity and digits
    assert f"kept {found.bytes_kept:,} bytes" in str(found)
    assert f"{found.bytes_trajectory / found.bytes_kept:.1f} times fewer" in str(found)


def test_bytes_kept_by_storing() -> None:
    found = certificate(rg.Stored(), 0.9, 50)
    assert found.bytes_kept == found.bytes_trajectory
    slots = 64 * 3  # weights, velocity and digits; besides them a bound and a count
    assert slots < found.bits_per_element_step < 1.05 * slots


@pytest.mark.parametrize(("steps", "least", "most"), [(1, 2, 2), (5, 6, 6), (300, 16, 20)])
def test_fingerprints_are_compared_at_both_ends_and_between(
    steps: int, least: int, most: int
) -> None:
    assert least <= certificate(rg.Reversible(), 0.9, steps).hashes_compared <= most


def test_a_run_without_a_derivative_keeps_nothing() -> None:
    for adjoint in (rg.Reversible(), rg.Stored()):
        run, inputs = make_run(loss, *_start(), rg.Momentum(0.1, 0.5), 30, adjoint)
        run.trajectory.differentiated = False
        run.forward(*inputs)
        assert not hasattr(run, "memory")
        assert run.trajectory.tape_bits == 0


def _start() -> tuple[Any, Any]:
    point = everything(rg.Momentum, "scalar")
    return point["w0"], point["hyper"]


def test_adjoint_norms_stand_in_the_order_of_the_steps() -> None:
    """On a bowl each step shrinks the adjoint, so it is smallest at the first."""
    seen = rg.Diagnostics()

    def final(w0: Any) -> Any:
        w = rg.train(
            lambda w, hyper, step: np.sum(w * w) / 2,
            w0,
            None,
            rg.Momentum(0.5, 0.001),
            10,
            diagnostics=seen,
        )
        return np.sum(w)

    gradient = rg.grad(final)(np.ones(4))
    assert all(a < b for a, b in zip(seen.adjoint_norms, seen.adjoint_norms[1:], strict=False))
    assert seen.adjoint_norms[0] == pytest.approx(np.linalg.norm(gradient))
    assert seen.losses[0] == 2.0
    assert seen.seconds_forward > 0
    assert seen.seconds_sweep > 0
