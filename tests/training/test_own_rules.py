"""Training with a loss whose derivatives are by rules of the user's, true ones or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.extend import defjvp, defvjp, primitive

START = np.array([0.3, -0.5, 1.1, 0.4])
STEPS = 6


def clipped(x: Any) -> Any:
    return x, lambda bar: (np.clip(bar, -0.1, 0.1),)


def reversed_(x: Any) -> Any:
    return x, lambda bar: (-bar,)


def scaled(primals: Any, tangents: Any) -> Any:
    return primals[0], tangents[0] * (1 + primals[0] ** 2)


def stated(*, forward: bool) -> Any:
    """By `retrograd.extend`, with a forward mode that is not that of the reverse mode, or none."""
    same = primitive(lambda x: 1.0 * x)
    defvjp(same, lambda g, ans, x: np.clip(g, -0.1, 0.1))
    if forward:
        defjvp(same, lambda d, ans, x: d)
    return same


RULES = {
    "stated": stated(forward=True),
    "stated in reverse": stated(forward=False),
    "clipped": rg.custom_vjp(lambda x: x, clipped),
    "reversed": rg.custom_vjp(lambda x: x, reversed_),
    "scaled": rg.custom_jvp(lambda x: x, scaled),
}


@pytest.mark.parametrize("adjoint", [rg.Reversible(), rg.Stored(), rg.Checkpointed(2)])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("optimizer", [rg.Momentum(0.05, 0.5), rg.Adam(0.05)])
def test_the_sweep_agrees_with_the_unrolled_loop(
    rule: str, adjoint: rg.Adjoint, optimizer: rg.Optimizer
) -> None:
    by_rule = RULES[rule]

    def loss(w: Any, h: Any, t: int) -> Any:
        return np.sum(np.sin(w[:2] * by_rule(w[2:] * h))) + np.sum(w[2:] ** 2)

    def trained(w: Any, h: Any) -> Any:
        return np.sum(np.sin(rg.train(loss, w, h, optimizer, STEPS, adjoint=adjoint)))

    found = rg.grad(trained, (0, 1))(START, 1.2)
    right = rg.grad(lambda w, h: np.sum(np.sin(unrolled(loss, w, h, optimizer))), (0, 1))(
        START, 1.2
    )
    np.testing.assert_allclose(found[0], right[0], rtol=1e-8)
    np.testing.assert_allclose(found[1], right[1], rtol=1e-8)


def unrolled(loss: Any, w: Any, h: Any, optimizer: rg.Optimizer) -> Any:
    """The same training as plain NumPy code."""
    m, v = 0 * w, 0 * w
    for t in range(STEPS):
        g = rg.grad(loss)(w, h, t)
        if isinstance(optimizer, rg.Momentum):
            v = 0.5 * v - g
            w = w + 0.05 * v
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            size = np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8
            w = w - 0.05 * m / (1 - 0.9 ** (t + 1)) / size
    return w
