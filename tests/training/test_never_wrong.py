"""No gradient is better than a wrong one: what changes between the two passes is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from runs import make_run
from small_problem import ADJOINTS, OPTIMIZERS

import retrograd as rg
from retrograd.autodiff.primitive import elementwise
from retrograd.errors import (
    ArgumentError,
    DifferentiationError,
    LatticeOverflowError,
    NonFiniteError,
    NotReversibleError,
    ReversalError,
)
from retrograd.optimizers import Optimizer, Program, add, decay

adjoints = pytest.mark.parametrize("adjoint", ADJOINTS, ids=lambda kind: kind.__name__)
optimizers = pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)

Loss = Callable[[Any, Any, int], Any]


def bowl(w: Any, hyper: Any, step: int) -> Any:
    return np.sum((w - 1.0) ** 2 * (1 + np.cos(step + np.arange(3.0)) / 2))


def pulled_back(
    loss: Loss, adjoint: Any, kind: Any = rg.Momentum, steps: int = 40, between: Any = None
) -> Any:
    """The gradient of a run, with something happening between the passes."""
    seen = rg.Diagnostics()
    optimizer = lambda rate: kind(rate=rate)  # noqa: E731
    try:
        _, pullback = rg.vjp(
            lambda rate: rg.train(
                loss, np.zeros(3), None, optimizer(rate), steps, adjoint=adjoint, diagnostics=seen
            ),
            0.05,
        )
        if between is not None:
            between()
        return pullback(np.ones(3))
    except BaseException:
        assert seen.certificate is None
        raise


@adjoints
@optimizers
def test_fresh_noise_is_found_before_the_run(adjoint: Any, kind: Any) -> None:
    rng = np.random.default_rng(0)
    calls = []

    def noisy(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        return bowl(w + 1e-6 * rng.normal(size=3), hyper, step)

    with pytest.raises(ReversalError, match=r"step 0.*minibatch"):
        pulled_back(noisy, adjoint(), kind)
    assert calls == [0, 0, 0]  # forwards, as the sweep will, and once more for the cause


@adjoints
@optimizers
def test_late_noise_is_found_by_the_sweep(adjoint: Any, kind: Any) -> None:
    rng = np.random.default_rng(0)
    calls = []

    def noisy(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        noise = 1e-6 * rng.normal(size=3) if len(calls) >= 30 else 0.0
        return bowl(w + noise, hyper, step)

    with pytest.raises(ReversalError, match=r"at step \d+ .*not a deterministic function"):
        pulled_back(noisy, adjoint(), kind)


@adjoints
@optimizers
def test_data_changed_between_the_passes(adjoint: Any, kind: Any) -> None:
    data = np.ones(3)

    def change() -> None:
        data[0] += 1e-6

    with pytest.raises(ReversalError, match=r"at step \d+ .*written to in place"):
        pulled_back(lambda w, hyper, step: bowl(w * data, hyper, step), adjoint(), kind, 40, change)


@adjoints
@pytest.mark.parametrize("steps", [1, 40])
def test_data_changed_to_what_breaks_the_loss(adjoint: Any, steps: int) -> None:
    """The error is about the way back, not about the loss, which was fine on the way forth."""
    data = np.ones(3)

    def change() -> None:
        data[0] = np.inf

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return bowl((w + 0.5) * data, hyper, step)

    with np.errstate(all="ignore"), pytest.raises(ReversalError, match=r"at step \d+ "):
        pulled_back(loss, adjoint(), rg.Momentum, steps, change)


def to_target(w: Any, hyper: Any, step: int) -> Any:
    return np.sum((w - hyper) ** 2)


@adjoints
def test_hyper_changed_between_the_passes(adjoint: Any) -> None:
    target = np.array([1.0, 2.0, 3.0])
    run, inputs = make_run(to_target, np.zeros(3), target, rg.Momentum(0.1), 20, adjoint())
    trained = run.forward(*inputs)
    target[1] += 1e-9
    with pytest.raises(ReversalError, match=r"at step \d+ .*written to in place"):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])


@adjoints
@pytest.mark.parametrize("argnum", [0, 1])
def test_arguments_changed_between_the_passes(adjoint: Any, argnum: int) -> None:
    """Whether or not the engine has copied them, the gradient is right or there is none."""
    arguments = [np.zeros(3), np.array([1.0, 2.0, 3.0])]

    def run(w0: Any, target: Any) -> Any:
        return rg.train(to_target, w0, target, rg.Momentum(0.1), 20, adjoint=adjoint())

    expected = rg.vjp(run, *(x.copy() for x in arguments))[1](np.ones(3))
    _, pullback = rg.vjp(run, *arguments)
    arguments[argnum] += 0.5
    try:
        found = pullback(np.ones(3))
    except ReversalError:
        return
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@adjoints
@pytest.mark.parametrize("name", ["rate", "momentum"])
def test_schedules_changed_between_the_passes_change_nothing(adjoint: Any, name: str) -> None:
    schedule = {"rate": np.full(20, 0.1), "momentum": np.full(20, 0.5)}
    marked: dict[str, Any] = {n: rg.per_step(v) for n, v in schedule.items()}
    optimizer = rg.Momentum(**marked)
    found = []
    for change in (0.0, 0.25):
        run, inputs = make_run(bowl, np.zeros(3), None, optimizer, 20, adjoint())
        trained = run.forward(*inputs)
        inputs[1 + list(run.trajectory.tables).index(name)] += change
        schedule[name] += change
        found.append(run.sweep(range(len(inputs)), [np.ones_like(leaf) for leaf in trained]))
    for bar, expected in zip(*found, strict=True):
        assert np.array_equal(bar, expected)


@adjoints
@pytest.mark.parametrize("slot", ["weights", "velocity"])
@pytest.mark.parametrize("bit", [0, 17, 50])
def test_one_flipped_bit_in_the_state(adjoint: Any, slot: str, bit: int) -> None:
    run, inputs = make_run(bowl, np.zeros(3), None, rg.Momentum(0.05), 40, adjoint())
    trained = run.forward(*inputs)
    run.trajectory.state.slots[slot][1] ^= 1 << bit
    with pytest.raises(ReversalError, match="step 40"):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])


@pytest.mark.parametrize("where", ["digits", "tape"])
def test_one_flipped_bit_in_what_running_backwards_kept(where: str) -> None:
    run, inputs = make_run(bowl, np.zeros(3), None, rg.Momentum(0.05, 0.5), 40, rg.Reversible())
    trained = run.forward(*inputs)
    buffer: Any = run.trajectory.state.buffers["velocity"]  # type: ignore[attr-defined]
    if where == "digits":
        buffer.digits[2] ^= 1
    else:
        arrays = buffer.export()
        arrays["spill_words"][2] ^= 1
        buffer.load(arrays)
    with pytest.raises(ReversalError):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])


def test_one_flipped_bit_in_what_was_stored() -> None:
    run, inputs = make_run(bowl, np.zeros(3), None, rg.Momentum(0.05), 40, rg.Stored())
    trained = run.forward(*inputs)
    run.memory.states[20]["velocity"][1] ^= 1  # type: ignore[attr-defined]
    with pytest.raises(ReversalError):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])


def test_something_left_over() -> None:
    run, inputs = make_run(bowl, np.zeros(3), None, rg.Momentum(0.05), 40, rg.Stored())
    trained = run.forward(*inputs)
    memory: Any = run.memory
    memory.states.insert(0, memory.states[0])
    with pytest.raises(ReversalError, match=r"asks for the state at step 39, but 41 .* are kept"):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])
    assert run.diagnostics is not None
    assert run.diagnostics.certificate is None


@adjoints
def test_a_pullback_called_twice(adjoint: Any) -> None:
    _, pullback = rg.vjp(
        lambda w: rg.train(bowl, w, None, rg.Momentum(0.1), 5, adjoint=adjoint()), np.zeros(3)
    )
    pullback(np.ones(3))
    with pytest.raises(ReversalError, match=r"swept already.*call the function again"):
        pullback(np.ones(3))


def test_an_old_certificate_does_not_stand_for_a_new_run() -> None:
    seen = rg.Diagnostics()

    def run(w: Any, steps: int) -> Any:
        return np.sum(rg.train(bowl, w, None, rg.Momentum(0.1), steps, diagnostics=seen))

    rg.grad(run)(np.zeros(3), 5)
    assert seen.certificate is not None
    run(np.zeros(3), 7)
    assert seen.certificate is None
    assert seen.adjoint_norms == []
    assert len(seen.losses) == 7


def _scaled(scale: Any) -> Any:
    """A run whose loss is scaled by a hyperparameter."""
    w = rg.train(
        lambda w, hyper, step: hyper * bowl(w, hyper, step), np.zeros(3), scale, rg.Momentum(0.1), 5
    )
    return np.sum(w)


@pytest.mark.parametrize(
    "twice",
    [
        lambda: rg.grad(rg.grad(_scaled))(0.5),
        lambda: rg.hessian(_scaled)(0.5),
        lambda: rg.grad(lambda c: rg.grad(lambda h: c * _scaled(h))(0.5))(2.0),
        lambda: rg.hvp(_scaled)(0.5, 1.0),
        lambda: rg.jvp(_scaled, (0.5,), (1.0,)),
        lambda: rg.linearize(_scaled, 0.5)[1](1.0),
        lambda: rg.jvp(rg.grad(_scaled), (0.5,), (1.0,)),
    ],
    ids=["grad of grad", "hessian", "cotangent", "hvp", "jvp", "linearize", "jvp of grad"],
)
def test_train_has_one_derivative_backwards(twice: Any) -> None:
    with pytest.raises(DifferentiationError, match=r"^train .*(twice|forward-mode)"):
        twice()


def test_floats_have_no_derivative_at_all() -> None:
    def final(w0: Any = 0.0, hyper: Any = 1.0, rate: Any = 0.1) -> Any:
        loss = lambda w, hyper, step: hyper * (w - 1.0) ** 2  # noqa: E731
        return rg.train_in_floats(loss, w0, hyper, rg.Momentum(rate), 3)

    for name in ("w0", "hyper", "rate"):
        with pytest.raises(DifferentiationError, match="train_in_floats cannot"):
            rg.grad(lambda x, name=name: final(**{name: x}))(0.5)


def _by_closure(run: Callable[[Loss], Any], loss_of: Callable[[Any], Loss]) -> None:
    with pytest.raises(ArgumentError, match=r"by closure.*as hyper"):
        rg.grad(lambda c: np.sum(run(loss_of(c))))(2.0)


def _runs() -> list[Callable[[Loss], Any]]:
    w0, optimizer = np.zeros(3), rg.Momentum(0.1)
    return [lambda loss: rg.train(loss, w0, None, optimizer, 5)]


@pytest.mark.parametrize("run", _runs())
def test_a_traced_value_by_closure_in_the_loss(run: Any) -> None:
    _by_closure(run, lambda c: lambda w, hyper, step: np.sum((w - c) ** 2))


@pytest.mark.parametrize("run", _runs())
def test_a_traced_value_by_closure_at_one_step_only(run: Any) -> None:
    _by_closure(run, lambda c: lambda w, hyper, step: np.sum((w - (c if step == 3 else 1.0)) ** 2))


@pytest.mark.parametrize("run", _runs())
def test_a_traced_value_by_closure_in_the_gradient_only(run: Any) -> None:
    def loss_of(c: Any) -> Loss:
        strange = elementwise(lambda x: x * 1.0, lambda ans, x: c + 0 * x)
        return lambda w, hyper, step: np.sum(strange(w))

    _by_closure(run, loss_of)


def test_a_traced_value_by_closure_in_the_second_derivative_only() -> None:
    def final(c: Any) -> Any:
        strange = elementwise(lambda x: x * 1.0, lambda ans, x: c + 0 * x)
        loss = lambda w, hyper, step: np.sum(w * strange(hyper))  # noqa: E731
        run = lambda h: np.sum(rg.train(loss, np.zeros(3), h, rg.Momentum(0.1), 5))  # noqa: E731
        return rg.grad(run)(0.5)

    with pytest.raises(ArgumentError, match=r"by closure.*as hyper"):
        rg.grad(final)(2.0)


@adjoints
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("step", [0, 3])
def test_a_loss_that_is_not_finite(adjoint: Any, bad: float, step: int) -> None:
    with pytest.raises(NonFiniteError, match=rf"loss is {bad} at step {step}.*rate"):
        pulled_back(lambda w, h, t: bowl(w, h, t) + (bad if t == step else 0.0), adjoint())


@adjoints
def test_a_gradient_that_is_not_finite(adjoint: Any) -> None:
    w0 = {"fine": np.ones(2), "root": np.array([1.0, 0.0])}
    loss = lambda w, h, t: np.sum(w["fine"] ** 2) + np.sum(np.sqrt(w["root"]))  # noqa: E731
    with (
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match=r"gradient is not finite at step 0, \['root'\]\[1\]"),
    ):
        rg.train(loss, w0, None, rg.Momentum(0.1), 5, adjoint=adjoint())


@adjoints
@optimizers
def test_a_rate_that_leaves_the_lattice(adjoint: Any, kind: Any) -> None:
    w0 = {"fine": np.ones(2), "far": np.ones(2)}
    optimizer = kind(rate={"fine": 0.0, "far": 1e6})
    loss = lambda w, h, t: np.sum(w["fine"] ** 2) + np.sum(w["far"] ** 2)  # noqa: E731
    with pytest.raises(LatticeOverflowError, match=r"'weights', \['far'\]\[0\] at step 0.*rate"):
        rg.train(loss, w0, None, optimizer, 5, adjoint=adjoint())


@adjoints
def test_a_rate_that_diverges(adjoint: Any) -> None:
    with (
        np.errstate(all="ignore"),
        pytest.raises((LatticeOverflowError, NonFiniteError), match=r"at step \d+"),
    ):
        rg.train(bowl, np.zeros(3), None, rg.Momentum(3.0), 200, adjoint=adjoint())


@adjoints
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_adjoint_that_is_not_finite(adjoint: Any, bad: float) -> None:
    _, pullback = rg.vjp(
        lambda w: rg.train(bowl, w, None, rg.Momentum(0.1), 5, adjoint=adjoint()), np.zeros(3)
    )
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match=r"adjoint .* at step 5"):
        pullback(np.array([1.0, bad, 1.0]))


@adjoints
def test_a_second_derivative_that_is_not_finite(adjoint: Any) -> None:
    """|h|**1.5 has the derivative 0 at 0, and no second one."""
    loss = lambda w, hyper, step: np.sum(w * np.sqrt(hyper))  # noqa: E731
    run = lambda h: np.sum(  # noqa: E731
        rg.train(loss, np.ones(3), h, rg.Momentum(0.1), 5, adjoint=adjoint())
    )
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="adjoint is not finite"):
        rg.grad(run)(0.0)


@pytest.mark.parametrize(
    "wrong", [lambda g: g[:2], lambda g: np.stack([g, g]), lambda g: [g, g], lambda g: {"a": g}]
)
def test_a_gradient_of_another_shape_or_structure(
    wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrograd.backends import NumpyBackend

    original = NumpyBackend.value_and_gradient

    def strange(*args: Any) -> Any:
        value, gradient = original(*args)
        return value, wrong(gradient)

    monkeypatch.setattr(NumpyBackend, "value_and_gradient", staticmethod(strange))
    if isinstance(wrong(np.zeros(3)), dict):  # the same leaves: nothing is lost
        assert rg.train(bowl, np.zeros(3), None, rg.Momentum(0.1), 2).shape == (3,)
        return
    with pytest.raises(ArgumentError):
        rg.train(bowl, np.zeros(3), None, rg.Momentum(0.1), 2)


@dataclass(frozen=True, eq=False)
class PlainDescent(Optimizer):
    """The position moves by the gradient: no way back."""

    rate: Any = 0.1
    program: ClassVar = Program(("unused",), (add("weights", "gradient", lambda rate: -rate),))
    radixes: ClassVar = {"weights": 44, "unused": 50}


@dataclass(frozen=True, eq=False)
class ReadsLate(Optimizer):
    """The gradient is read after the position has moved."""

    rate: Any = 0.1
    program: ClassVar = Program(
        ("velocity",),
        (
            decay("velocity", "rate"),
            add("weights", "velocity", "rate"),
            add("velocity", "gradient", "rate"),
        ),
    )
    radixes: ClassVar = {"weights": 44, "velocity": 50}


@pytest.mark.parametrize(
    ("kind", "why"),
    [(PlainDescent, "moves by the gradient directly"), (ReadsLate, "after the position has moved")],
)
def test_an_optimizer_without_a_way_back(kind: Any, why: str) -> None:
    with pytest.raises(NotReversibleError, match=rf"{kind.__name__}.*{why}.*by another slot"):
        rg.train(bowl, np.zeros(3), None, kind(), 3, adjoint=rg.Reversible())

    def final(rate: Any) -> Any:
        return np.sum(rg.train(bowl, np.zeros(3), None, kind(rate), 3, adjoint=rg.Stored()))

    ends = [final(0.1 + e) for e in (1e-5, -1e-5)]
    assert rg.grad(final)(0.1) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


@adjoints
def test_a_loss_that_writes_to_hyper(adjoint: Any) -> None:
    def forgetful(w: Any, h: Any, t: int) -> Any:
        h[0] = 0.0
        return np.sum((w - h) ** 2)

    def objective(h: Any) -> Any:
        w = rg.train(forgetful, np.zeros(3), h, rg.Momentum(0.1, 0.5), 5, adjoint=adjoint())
        return np.sum(w**2) + h[0] ** 2

    h = np.array([5.0, 1.0, 1.0])
    with pytest.raises(ArgumentError, match=r"writes to an array of hyper.*h\.copy"):
        rg.grad(objective)(h)
    np.testing.assert_array_equal(h, [5.0, 1.0, 1.0])


@adjoints
def test_the_memory_order_of_a_copy_is_that_of_plain_numpy(adjoint: Any) -> None:
    data = np.asfortranarray(np.random.default_rng(0).normal(size=(37, 53)))

    def loss(w: Any, h: Any, t: int) -> Any:
        return np.sum((w - np.sum(h.copy()) / 100) ** 2)

    def objective(h: Any) -> Any:
        w = rg.train(loss, np.zeros(3), h, rg.Momentum(0.1, 0.5), 5, adjoint=adjoint())
        return np.sum(w)

    assert np.isfinite(rg.grad(objective)(data)).all()


def test_a_loss_with_other_bits_in_the_sweep_is_found_before_the_run() -> None:
    def fickle(w: Any, h: Any, t: int) -> Any:
        traced_twice = hasattr(getattr(w, "value", w), "value")
        return np.sum((w - 1.0) ** 2) * (1.0 + 1e-15 * traced_twice)

    def objective(rate: Any) -> Any:
        return np.sum(rg.train(fickle, np.zeros(3), None, rg.Momentum(rate, 0.5), 5))

    with pytest.raises(ReversalError, match=r"step 0 has other bits.*memory layout"):
        rg.grad(objective)(0.1)
