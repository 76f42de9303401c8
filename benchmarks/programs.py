"""The programs that the engine's benchmarks differentiate, written for any NumPy-like namespace.

Each function here returns `(loss_in, argument)`: `loss_in(np)` is the program for one namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

Loss = Callable[[ModuleType], Callable[..., Any]]
Program = tuple[Loss, Any]


def network(sizes: list[int], batch: int, dtype: type = np.float64) -> Program:
    """A tanh network with a softmax on top and its mean log loss."""
    rng = np.random.default_rng(0)
    parameters = [
        ((rng.normal(size=s) * 0.1).astype(dtype), np.zeros(s[1], dtype)) for s in pairwise(sizes)
    ]
    inputs = rng.random((batch, sizes[0])).astype(dtype)
    targets = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], batch)]

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        x, y = np.asarray(inputs), np.asarray(targets)

        def loss(parameters: Any) -> Any:
            h = x
            for weights, bias in parameters[:-1]:
                h = np.tanh(np.dot(h, weights) + bias)
            weights, bias = parameters[-1]
            outputs = np.dot(h, weights) + bias
            top = np.max(outputs, axis=1, keepdims=True)
            total = np.log(np.sum(np.exp(outputs - top), axis=1, keepdims=True)) + top
            return -np.mean(np.sum((outputs - total) * y, axis=1))

        return loss

    return loss_in, parameters


def scalar_chain() -> Program:
    """200 operations on one number."""

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        def loss(x: Any) -> Any:
            for _ in range(50):
                x = np.sin(x) * 1.1 + x - 0.3
            return x

        return loss

    return loss_in, 0.7


def rosenbrock(size: int) -> Program:
    """Rosenbrock's function of `size` variables."""

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        def loss(x: Any) -> Any:
            return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

        return loss

    return loss_in, np.linspace(-1.0, 1.5, size)


def recurrent(steps: int, hidden: int, batch: int) -> Program:
    """A tanh RNN over `steps` inputs of `hidden` numbers."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(steps, batch, hidden))
    target = rng.normal(size=(batch, hidden))
    parameters = [
        rng.normal(size=(hidden, hidden)) / 10, rng.normal(size=(hidden, hidden)) / 10,
        np.zeros(hidden),
    ]  # fmt: skip

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        xs, y = [np.asarray(x) for x in inputs], np.asarray(target)
        start = np.zeros((batch, hidden))

        def loss(parameters: Any) -> Any:
            inward, around, bias = parameters
            h = start
            for x in xs:
                h = np.tanh(np.dot(x, inward) + np.dot(h, around) + bias)
            return np.mean((h - y) ** 2)

        return loss

    return loss_in, parameters


def lstm(steps: int, hidden: int, batch: int) -> Program:
    """An LSTM over `steps` inputs of `hidden` numbers, its four gates from one product."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(steps, batch, hidden))
    target = rng.normal(size=(batch, hidden))
    parameters = [
        rng.normal(size=(hidden, 4 * hidden)) / 10, rng.normal(size=(hidden, 4 * hidden)) / 10,
        np.zeros(4 * hidden),
    ]  # fmt: skip

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        xs, y = [np.asarray(x) for x in inputs], np.asarray(target)
        start = np.zeros((batch, hidden))

        def sigmoid(x: Any) -> Any:
            return 0.5 * (np.tanh(0.5 * x) + 1.0)

        def loss(parameters: Any) -> Any:
            inward, around, bias = parameters
            h = c = start
            for x in xs:
                z = np.dot(x, inward) + np.dot(h, around) + bias
                forget, enter = sigmoid(z[:, :hidden]), sigmoid(z[:, hidden : 2 * hidden])
                leave = sigmoid(z[:, 2 * hidden : 3 * hidden])
                c = forget * c + enter * np.tanh(z[:, 3 * hidden :])
                h = leave * np.tanh(c)
            return np.mean((h - y) ** 2)

        return loss

    return loss_in, parameters


def fluid(size: int, steps: int) -> Program:
    """The velocity that moves smoke towards a target, by projection and advection."""
    rng = np.random.default_rng(0)
    vx0, vy0, smoke0, target0 = (rng.normal(size=(size, size)) for _ in range(4))

    def loss_in(np: ModuleType) -> Callable[..., Any]:
        smoke, target = np.asarray(smoke0), np.asarray(target0)

        def roll_both(p: Any, shift: int) -> Any:
            return np.roll(p, shift, axis=0) + np.roll(p, shift, axis=1)

        def project(vx: Any, vy: Any) -> Any:
            p, h = np.zeros((size, size)), 1.0 / size
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

    return loss_in, (vx0, vy0)
