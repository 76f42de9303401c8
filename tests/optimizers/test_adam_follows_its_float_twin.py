"""Adam on the lattice against float64 Adam, written out: on images, and over ten decades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import books
import numpy as np
import pytest

import retrograd as rg
from retrograd.data import load
from retrograd.errors import LatticeOverflowError
from retrograd.experiments.learned_schedule import Problem
from retrograd.experiments.settings import ScheduleSettings

STEPS = 200
RATE, BETA1, BETA2, EPSILON = 0.003, 0.9, 0.999, 1e-8


def in_float64(loss: Callable[[Any, Any, int], Any], w: Any) -> Any:
    """Algorithm 1 of Kingma & Ba, leaf by leaf."""
    leaves, structure = rg.tree.flatten(w)
    m = [np.zeros_like(leaf) for leaf in leaves]
    v = [np.zeros_like(leaf) for leaf in leaves]
    for t in range(1, STEPS + 1):
        gradients = rg.tree.leaves(rg.grad(loss)(rg.tree.unflatten(structure, leaves), None, t - 1))
        for i, g in enumerate(gradients):
            m[i] = BETA1 * m[i] + (1 - BETA1) * g
            v[i] = BETA2 * v[i] + (1 - BETA2) * g * g
            step = m[i] / (1 - BETA1**t) / (np.sqrt(v[i] / (1 - BETA2**t)) + EPSILON)
            leaves[i] = leaves[i] - RATE * step
    return rg.tree.unflatten(structure, leaves)


def assert_follows(loss: Callable[[Any, Any, int], Any], start: Any) -> None:
    """Every leaf, relative to what it has moved by."""
    optimizer = rg.Adam(RATE, BETA1, BETA2, EPSILON)
    found = rg.tree.leaves(rg.train(loss, start, None, optimizer, STEPS))
    expected = rg.tree.leaves(in_float64(loss, start))
    for x, y, first in zip(found, expected, rg.tree.leaves(start), strict=True):
        moved = np.abs(y - first).max()
        assert moved > 10 * RATE
        assert np.abs(x - y).max() < 1e-6 * moved


def test_on_images() -> None:
    """784 inputs, of which many are dark in all images and many in most."""
    problem = Problem(ScheduleSettings(steps=STEPS, batch=50, layers=(10,)), load("mnist-10k"))
    hyper = {"log_scales": np.full(4, -2.0)}
    assert_follows(problem.loss(0), problem.initial(hyper, 0))


def test_gradients_ten_orders_of_magnitude_apart() -> None:
    def loss(w: Any, hyper: Any, step: int) -> Any:
        losses = [books.loss(part, hyper, step) for part in w]
        return 1e-7 * losses[0] + 1e3 * losses[1] + 1e-7 * losses[0] * losses[1]

    start = [books.start(), books.start()]
    sizes = [np.abs(leaf).max() for leaf in rg.tree.leaves(rg.grad(loss)(start, None, 0))]
    assert min(sizes) < 1e-6
    assert max(sizes) > 1e3
    assert_follows(loss, start)


def test_gradients_above_the_range_are_refused_and_fewer_digits_take_them() -> None:
    def loss(w: Any, hyper: Any, step: int) -> Any:
        return 1e6 * books.loss(w, hyper, step)

    pattern = r"slot '\w+', .* outside the lattice's range"
    with pytest.raises(LatticeOverflowError, match=pattern):
        rg.train(loss, books.start(), None, rg.Adam(RATE), STEPS)
    coarse = rg.Adam(RATE, radix={"first": 36, "second": 64})
    found = books.flat(rg.train(loss, books.start(), None, coarse, STEPS))
    expected = books.flat(in_float64(loss, books.start()))
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
