"""The verbs of the NumPy backend: their derivatives, and the bits that two of them share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.backends import NumpyBackend
from retrograd.errors import DifferentiationError

BACKEND = NumpyBackend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4))


def loss(w: Any, hyper: Any, step: int) -> Any:
    z = np.tanh(X @ w["W"] + w["b"]) * hyper[0]
    return np.mean(z * z) + np.sum(np.exp(w["b"]) * hyper[1]) * (step + 1)


def weights(dtype: Any = float) -> Any:
    return {"W": RNG.normal(size=(4, 3)).astype(dtype), "b": RNG.normal(size=3).astype(dtype)}


HYPER = [1.5, np.array([0.5, -1.0, 2.0])]


def rebuild(active: Any) -> Any:
    return list(active)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("active", [[], HYPER])
def test_one_gradient_in_three_ways_with_the_same_bits(dtype: Any, active: Any) -> None:
    w, direction = weights(dtype), weights(dtype)
    make = (lambda active: HYPER) if not active else rebuild
    _, expected = BACKEND.value_and_gradient(loss, w, HYPER, 2)
    found, along, mixed = BACKEND.gradient_along(loss, w, active, make, 2, direction)
    later, push = BACKEND.linearized_gradient(loss, w, active, make, 2)
    pushed, pushed_mixed = push(direction)
    for a, b, c in zip(*map(rg.tree.leaves, (expected, found, later)), strict=True):
        assert a.dtype == dtype
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)
    for a, b in zip(*map(rg.tree.leaves, ([along, mixed], [pushed, pushed_mixed])), strict=True):
        assert a == pytest.approx(b, rel=1e-5)
    assert len(mixed) == len(active)


def test_second_derivatives_agree_with_differences() -> None:
    w, direction = weights(), weights()
    _, along, mixed = BACKEND.gradient_along(loss, w, HYPER, rebuild, 1, direction)

    def gradients(c: float) -> Any:
        moved = rg.tree.map(lambda x, d: x + c * d, w, direction)
        return rg.grad(loss, (0, 1))(moved, HYPER, 1)

    ends = [rg.tree.leaves(gradients(c)) for c in (1e-6, -1e-6)]
    for a, up, down in zip(rg.tree.leaves([along, mixed]), *ends, strict=True):
        assert a == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-7)


def test_the_root_at_zero() -> None:
    x = np.array([0.0, 4.0])
    y, pullback = rg.vjp(BACKEND.root, x)
    assert np.array_equal(y, [0.0, 2.0])
    assert np.array_equal(pullback(np.ones(2))[0], [0.0, 0.25])
    assert np.array_equal(rg.jvp(BACKEND.root, (x,), (np.ones(2),))[1], [0.0, 0.25])


@pytest.mark.parametrize("given", [2, 2.0, np.float64(2), np.array(2.0)])
def test_numbers_become_arrays(given: Any) -> None:
    assert BACKEND.array(given).shape == ()
    assert BACKEND.array(given).dtype == float


def test_an_operation_of_the_engine() -> None:
    """It is handed the numbers of the inputs that are wanted, and the cotangents of results."""
    asked = []

    def run(x: Any, y: Any, z: Any) -> Any:
        return x * y, y + z

    def sweep(wanted: Any, cotangents: Any) -> Any:
        asked.append((list(wanted), cotangents))
        return [{0: 10.0, 2: 30.0}[i] for i in wanted]

    def total(p: Any) -> Any:
        first, _ = BACKEND.differentiable("run", run, sweep, p["x"], 5.0, p["z"])
        return first * 2

    value, gradient = rg.value_and_grad(total)({"x": 3.0, "z": 4.0})
    assert value == 30.0
    assert gradient == {"x": 10.0, "z": 30.0}
    assert asked == [([0, 2], (2.0, None))]
    assert total({"x": 3.0, "z": 4.0}) == 30.0
    with pytest.raises(DifferentiationError, match=r"^run has no forward-mode"):
        rg.jvp(total, ({"x": 3.0, "z": 4.0},), ({"x": 1.0, "z": 0.0},))
