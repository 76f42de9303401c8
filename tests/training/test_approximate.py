"""The approximate adjoints: what they leave out is what they say, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from runs import make_run, there_and_back
from small_problem import flat, hyper, loss, outcome, weights

import retrograd as rg
from retrograd import Diagnostics, Momentum, Stored, StraightLine, Truncated, per_step
from retrograd.errors import ArgumentError, ReversalError
from retrograd.optimizers import OPTIMIZERS

STEPS = 90


def cosines(w: Any, scale: Any, step: int) -> Any:
    return np.sum(scale * np.cos(w + 0.1 * step))


def by_hand(w0: Any, scale: Any, rates: Any, momenta: Any, ends: Any) -> tuple[Any, Any, Any]:
    """The pull along the straight line written out for momentum, and d outcome = sum(w_T)."""
    w_end, v_end = ends
    w_bar, v_bar, scale_bar = np.ones_like(w0), np.zeros_like(w0), np.zeros_like(w0)
    rate_bar = np.zeros_like(rates)
    for t in reversed(range(len(rates))):
        w = w0 + t / len(rates) * (w_end - w0)
        v = t / len(rates) * v_end
        angle = w + 0.1 * t
        v_new = momenta[t] * v + scale * np.sin(angle)
        rate_bar[t] = w_bar @ v_new
        v_bar = v_bar + rates[t] * w_bar
        scale_bar += np.sin(angle) * v_bar
        w_bar = w_bar + scale * np.cos(angle) * v_bar
        v_bar = momenta[t] * v_bar
    return w_bar, scale_bar, rate_bar


@pytest.mark.parametrize("varied", [True, False])
def test_the_sweep_goes_along_the_straight_line(varied: bool) -> None:
    rng = np.random.default_rng(0)
    w0, scale = rng.normal(size=5), rng.uniform(0.5, 1, 5)
    rates = np.linspace(0.01, 0.03, STEPS)
    momenta = np.linspace(0.5, 0.9, STEPS) if varied else np.full(STEPS, 0.9)
    momentum: Any = per_step(momenta) if varied else 0.9
    optimizer = Momentum(per_step(rates), momentum)
    run, inputs = make_run(cosines, w0, scale, optimizer, STEPS, StraightLine())
    run.forward(*inputs)
    state: Any = run.trajectory
    ends = state.state.value("weights").copy(), state.state.value("velocity").copy()

    def total(w0: Any, scale: Any, rates: Any) -> Any:
        optimizer = Momentum(per_step(rates), momentum)
        return np.sum(rg.train(cosines, w0, scale, optimizer, STEPS, adjoint=StraightLine()))

    found = rg.grad(total, (0, 1, 2))(w0, scale, rates)
    for bar, expected in zip(found, by_hand(w0, scale, rates, momenta, ends), strict=True):
        np.testing.assert_allclose(bar, expected, rtol=1e-6, atol=1e-9)


def test_maps_are_pulled_along_the_straight_line_too() -> None:
    x0, p = np.array([0.4, 1.3]), np.array([1.5, 0.7])

    def step(x: Any, p: Any, t: int) -> Any:
        return x + 0.1 * np.sin(p * x)

    last: Any = rg.iterate(step, x0, p, 12)
    x_bar, p_bar = np.ones(2), np.zeros(2)
    for t in reversed(range(12)):
        x = (1 - t / 12) * x0 + t / 12 * last
        p_bar += 0.1 * x * np.cos(p * x) * x_bar
        x_bar = x_bar * (1 + 0.1 * p * np.cos(p * x))
    found = rg.grad(
        lambda x, p: np.sum(rg.iterate(step, x, p, 12, adjoint=StraightLine())), (0, 1)
    )(x0, p)
    np.testing.assert_allclose(found, (x_bar, p_bar), rtol=1e-14)


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_optimizer_takes_them(kind: Any) -> None:
    def gradient(adjoint: Any) -> Any:
        def trained(w0: Any, hyper: Any, rate: Any) -> Any:
            return outcome(rg.train(loss, w0, hyper, kind(rate), 6, adjoint=adjoint))

        return flat(rg.grad(trained, (0, 1, 2))(weights(), hyper(), 0.1))

    exact = gradient(Stored())
    assert np.array_equal(gradient(Truncated(99)), exact)
    for adjoint in (StraightLine(), Truncated(3)):
        approximate = gradient(adjoint)
        assert np.isfinite(approximate).all()
        assert not np.array_equal(approximate, exact)


def test_the_straight_line_keeps_two_states_and_says_that_it_is_approximate() -> None:
    kept = []
    for steps in (4, 20):
        run, inputs = make_run(loss, weights(), hyper(), Momentum(0.1), steps, StraightLine())
        there_and_back(run, inputs)
        assert run.diagnostics is not None
        certificate = run.diagnostics.certificate
        assert certificate is not None
        assert not certificate.exact
        assert "approximate gradient" in str(certificate)
        assert not certificate.hashes
        kept.append(certificate.bytes_kept)
        assert certificate.bytes_kept == 2 * run.trajectory.state_nbytes
    assert kept[0] == kept[1]


def test_an_end_that_was_changed_is_noticed() -> None:
    run, inputs = make_run(loss, weights(), hyper(), Momentum(0.1), 5, StraightLine())
    trained = run.forward(*inputs)
    memory: Any = run.memory
    memory.ends["first"]["weights"][0] += 1
    with pytest.raises(ReversalError, match="kept at step 0 has changed"):
        run.sweep([0], [np.ones_like(leaf) for leaf in trained])


def test_truncation_takes_an_earlier_state_for_a_constant() -> None:
    def step(x: Any, p: Any, t: int) -> Any:
        return np.tanh(p * x + 0.1 * t)

    def last(x: Any, p: Any, **options: Any) -> Any:
        return np.sum(rg.iterate(step, x, p, 10, **options))

    x0, p = np.array([0.4, -0.3]), np.array([1.5, 0.7])
    by_x, by_p = rg.grad(last, (0, 1))(x0, p, adjoint=Truncated(4))
    middle: Any = rg.iterate(step, x0, p, 6)
    expected = rg.grad(
        lambda p: np.sum(rg.iterate(lambda x, p, t: step(x, p, t + 6), middle, p, 4))
    )(p)
    assert np.array_equal(by_p, expected)
    assert not by_x.any()


@pytest.mark.parametrize("count", [1, 5, 20, 30])
def test_truncation_keeps_so_many_states(count: int) -> None:
    seen = Diagnostics()
    rg.grad(
        lambda rate: np.sum(
            rg.train(cosines, np.ones(3), 1.0, Momentum(rate), 20,
                     adjoint=Truncated(count), diagnostics=seen)
        )
    )(0.1)  # fmt: skip
    assert seen.certificate is not None
    assert seen.certificate.exact == (count >= 20)
    states = min(count, 20) / 20
    assert seen.certificate.bytes_kept == states * seen.certificate.bytes_trajectory
    assert seen.certificate.adjoint == f"Truncated(steps={count})"
    assert [norm > 0 for norm in seen.adjoint_norms] == [t > 20 - count for t in range(20)] or (
        count >= 20
    )


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, None])
def test_truncation_takes_a_number_of_steps(steps: Any) -> None:
    with pytest.raises(ArgumentError, match=r"Truncated: steps=.* at least 1"):
        Truncated(steps)


@pytest.mark.parametrize("adjoint", [StraightLine(), Truncated(3)])
def test_an_unrepeatable_loss_is_refused_at_the_start(adjoint: Any) -> None:
    noise = np.random.default_rng(0)

    def noisy(w: Any, scale: Any, step: int) -> Any:
        return np.sum(scale * np.cos(w + noise.normal()))

    with pytest.raises(ReversalError, match="not a deterministic function"):
        rg.grad(
            lambda rate: np.sum(
                rg.train(noisy, np.ones(3), 1.0, Momentum(rate), 8, adjoint=adjoint)
            )
        )(0.1)
