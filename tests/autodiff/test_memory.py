"""A gradient's memory: what the rules need, freed as the backward pass goes by."""

from __future__ import annotations

import tracemalloc

import numpy as np

import retrograd as rg

ROWS = 1 << 15
BYTES = 8 * ROWS
LENGTH = 40


def chain(x):
    for _ in range(LENGTH):
        x = np.sin(x)
    return np.sum(x)


def peak(run) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_gradient_keeps_one_array_an_operation() -> None:
    x = np.linspace(0.0, 1.0, ROWS)
    rg.grad(chain)(x[:10])
    assert peak(lambda: rg.grad(chain)(x)) < (LENGTH + 6) * BYTES


def test_the_backward_pass_frees_as_it_goes() -> None:
    """Each rule here makes an array that stays alive: only freeing makes room for it."""
    kept: list[np.ndarray] = []
    made = rg.extend.primitive(lambda x: x + 1.0)

    def keeping(g, ans, x):
        kept.append(np.array(g))
        return g

    rg.extend.defvjp(made, keeping)

    def f(x):
        for _ in range(LENGTH):
            x = made(x)
        return np.sum(x)

    assert peak(lambda: rg.grad(f)(np.zeros(ROWS))) < (LENGTH + 8) * BYTES


def test_forward_mode_keeps_nothing() -> None:
    x = np.linspace(0.0, 1.0, ROWS)
    assert peak(lambda: rg.jvp(chain, (x,), (x,))) < 8 * BYTES


def test_long_chains_do_not_recurse() -> None:
    def f(x):
        for _ in range(20_000):
            x = x + 1.0
        return x

    assert float(rg.grad(f)(0.0)) == 1.0
