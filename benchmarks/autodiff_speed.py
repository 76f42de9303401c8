"""Gradient time over the plain NumPy function's time, ours and Autograd's, as a markdown table.

One BLAS thread. Each time is the best of several rounds. Autograd's column needs the `bench` extra.

    python benchmarks/autodiff_speed.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import retrograd as rg
import retrograd.numpy as rnp

ROUNDS, SECONDS_A_ROUND = 7, 0.08
Loss = Callable[[ModuleType], Callable[..., Any]]


def best_time(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of several rounds of calls."""
    start = time.perf_counter()
    run()
    calls = max(1, int(SECONDS_A_ROUND / (time.perf_counter() - start)))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - start) / calls)
    return best


def network(sizes: list[int], batch: int) -> tuple[Loss, Any]:
    rng = np.random.default_rng(0)
    shapes = list(pairwise(sizes))
    parameters = [(rng.normal(size=s) * 0.1, np.zeros(s[1])) for s in shapes]
    inputs = rng.random((batch, sizes[0]))
    targets = np.eye(sizes[-1])[rng.integers(0, sizes[-1], batch)]

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        def loss(parameters: Any) -> Any:
            h = inputs
            for weights, bias in parameters[:-1]:
                h = np.tanh(np.dot(h, weights) + bias)
            weights, bias = parameters[-1]
            outputs = np.dot(h, weights) + bias
            top = np.max(outputs, axis=1, keepdims=True)
            total = np.log(np.sum(np.exp(outputs - top), axis=1, keepdims=True)) + top
            return -np.mean(np.sum((outputs - total) * targets, axis=1))

        return loss

    return loss_in, parameters


def scalar_chain() -> tuple[Loss, Any]:
    def loss_in(np: ModuleType) -> Callable[..., Any]:
        def loss(x: Any) -> Any:
            for _ in range(50):
                x = np.sin(x) * 1.1 + x - 0.3
            return x

        return loss

    return loss_in, 0.7


def fluid(size: int, steps: int) -> tuple[Loss, Any]:
    rng = np.random.default_rng(0)
    vx, vy, smoke, target = (rng.normal(size=(size, size)) for _ in range(4))

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        def roll_both(p: Any, shift: int) -> Any:
            return np.roll(p, shift, axis=0) + np.roll(p, shift, axis=1)

        def project(vx: Any, vy: Any) -> Any:
            p, h = np.zeros(vx.shape), 1.0 / vx.shape[0]
            div = -0.5 * h * (
                np.roll(vx, -1, axis=0) - np.roll(vx, 1, axis=0)
                + np.roll(vy, -1, axis=1) - np.roll(vy, 1, axis=1)
            )  # fmt: skip
            for _ in range(10):
                p = (div + roll_both(p, 1) + roll_both(p, -1)) / 4.0
            vx = vx - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)) / h
            vy = vy - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1)) / h
            return vx, vy

        def advect(f: Any, vx: Any, vy: Any) -> Any:
            rows, cols = f.shape
            cell_ys, cell_xs = np.meshgrid(np.arange(rows), np.arange(cols))
            xs, ys = np.ravel(cell_xs - vx), np.ravel(cell_ys - vy)
            left, top = np.floor(xs).astype(int), np.floor(ys).astype(int)
            rw, bw = xs - left, ys - top
            left, top = np.mod(left, rows), np.mod(top, cols)
            right, bottom = np.mod(left + 1, rows), np.mod(top + 1, cols)
            moved = (1 - rw) * ((1 - bw) * f[left, top] + bw * f[left, bottom]) + rw * (
                (1 - bw) * f[right, top] + bw * f[right, bottom]
            )
            return np.reshape(moved, (rows, cols))

        def loss(v: Any) -> Any:
            (vx, vy), moved = v, smoke
            for _ in range(steps):
                vx, vy = project(advect(vx, vx, vy), advect(vy, vx, vy))
                moved = advect(moved, vx, vy)
            return np.mean((moved - target) ** 2)

        return loss

    return loss_in, (vx, vy)


def other() -> tuple[ModuleType, ModuleType] | None:
    """Autograd and its NumPy, where installed."""
    if find_spec("autograd") is None:
        return None
    import autograd
    import autograd.numpy

    return autograd, autograd.numpy


def dot(np: ModuleType, a: Any, b: Any) -> Any:
    """The inner product of two lists of layers."""
    pairs = [pair for layers in zip(a, b, strict=True) for pair in zip(*layers, strict=True)]
    return sum(np.sum(x * y) for x, y in pairs)


def ones_like(x: Any) -> Any:
    return rg.tree.map(np.ones_like, x)


def rows() -> Iterator[tuple[str, float, float, float]]:
    """Name, the plain function's seconds, and our and Autograd's ratio (NaN where absent)."""
    cases = {
        "tanh network 784-50-50-50-10, batch 200": network([784, 50, 50, 50, 10], 200),
        "tiny network 10-20-20-1, batch 5": network([10, 20, 20, 1], 5),
        "200 scalar operations": scalar_chain(),
        "fluid 40 x 40, 20 steps": fluid(40, 20),
    }
    peer = other()
    for name, (loss_in, x) in cases.items():
        plain = best_time(lambda: loss_in(np)(x))  # noqa: B023
        ours = best_time(lambda: rg.grad(loss_in(rnp))(x))  # noqa: B023
        theirs = best_time(lambda: peer[0].grad(loss_in(peer[1]))(x)) if peer else np.nan  # noqa: B023
        yield name, plain, ours / plain, theirs / plain
        if "network" in name:
            v = ones_like(x)
            ours = best_time(lambda: rg.hvp(loss_in(rnp))(x, v))  # noqa: B023
            theirs = np.nan
            if peer:
                gradient = peer[0].grad(loss_in(peer[1]))
                along = peer[0].grad(lambda x: dot(peer[1], gradient(x), v))  # noqa: B023
                theirs = best_time(lambda: along(x))  # noqa: B023
            yield f"HVP of the {name}", plain, ours / plain, theirs / plain


def main() -> None:
    print("| function | plain NumPy, us | gradient / plain: retrograd | Autograd |")
    print("|---|---:|---:|---:|")
    with threadpool_limits(1):
        for name, plain, ours, theirs in rows():
            print(f"| {name} | {plain * 1e6:.0f} | {ours:.1f} | {theirs:.1f} |")


if __name__ == "__main__":
    main()
