"""Random programs in place: the values of NumPy, and the derivatives of what NumPy calculates.

A program is a list of steps on a growing list of arrays, of which some are views of others. It runs
on plain arrays, where a complex step gives its derivative almost to the last bit, and on traced.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retrograd as rg
import retrograd.numpy as rnp

X = np.array([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]])
V = np.array([[0.5, 1.0], [-0.3, 0.2], [0.8, -0.6]])

VIEWS = [
    lambda a: a[1:],
    lambda a: a[::-1],
    lambda a: a[..., :1],
    lambda a: a[0],
    lambda a: a.T,
    lambda a: a.reshape(-1),
    lambda a: np.ravel(a),
    lambda a: a[..., None],
    lambda a: np.swapaxes(a, 0, -1),
    lambda a: np.squeeze(a),
    lambda a: a[...],
    lambda a: a[np.array([0, -1])],
    lambda a: a.copy(),
    lambda a: np.sin(a),
    lambda a: 0.5 * a,
]
INDICES: list[Any] = [
    0, -1, slice(None, 2), slice(None, None, -1), slice(None), ..., (..., 0), (..., slice(1)),
    np.array([0, 0, -1]), [0, -1], slice(0, 0),
]  # fmt: skip


def same_shape(a: Any, b: Any) -> Any:
    """Something smooth made of `b`, that can be written to what has the shape of `a`."""
    if np.shape(a) == np.shape(b):
        return 0.7 * b
    return np.sin(np.sum(b) * 0.3)


def view(arrays: Any, i: int, j: int, k: int) -> None:
    if np.size(arrays[i]) and np.ndim(arrays[i]):
        new = VIEWS[k % len(VIEWS)](arrays[i])
        arrays += [new] if np.ndim(new) else []


def overwrite(arrays: Any, i: int, j: int, k: int) -> None:
    index = INDICES[k % len(INDICES)]
    arrays[i][index] = same_shape(arrays[i][index], arrays[j])


def add_in_part(arrays: Any, i: int, j: int, k: int) -> None:
    index = INDICES[k % len(INDICES)]
    arrays[i][index] += same_shape(arrays[i][index], arrays[j])


def multiply_in_part(arrays: Any, i: int, j: int, k: int) -> None:
    index = INDICES[k % len(INDICES)]
    part = arrays[i][index]
    part *= same_shape(part, arrays[j])


def multiply(arrays: Any, i: int, j: int, k: int) -> None:
    arrays[i] *= same_shape(arrays[i], arrays[j])


def subtract_into(arrays: Any, i: int, j: int, k: int) -> None:
    np.subtract(arrays[i], same_shape(arrays[i], arrays[j]), out=arrays[i])


def sine_into(arrays: Any, i: int, j: int, k: int) -> None:
    if np.shape(arrays[i]) == np.shape(arrays[j]):
        np.sin(arrays[i], out=arrays[j])


def add_at(arrays: Any, i: int, j: int, k: int) -> None:
    np.add.at(arrays[i], np.array([0, 0, -1]), np.cos(np.sum(arrays[j])))


def multiply_at(arrays: Any, i: int, j: int, k: int) -> None:
    np.multiply.at(arrays[i], np.array([-1, -1]), np.cos(np.sum(arrays[j])))


def copy_to(arrays: Any, i: int, j: int, k: int) -> None:
    np.copyto(arrays[i], same_shape(arrays[i], arrays[j]))


def flip_itself(arrays: Any, i: int, j: int, k: int) -> None:
    arrays[i][...] = arrays[i][::-1]


def transpose_itself(arrays: Any, i: int, j: int, k: int) -> None:
    if np.shape(arrays[i]) == np.shape(arrays[i])[::-1]:
        arrays[i][...] = arrays[i].T


STEPS = [
    view, view, view, overwrite, add_in_part, multiply_in_part, multiply, subtract_into, sine_into,
    add_at, multiply_at, copy_to, flip_itself, transpose_itself,
]  # fmt: skip
PLACES = st.integers(0, 11)
PROGRAMS = st.lists(st.tuples(st.sampled_from(STEPS), PLACES, PLACES, PLACES), max_size=12)


def run(program: Any, x: Any, zeros: Any) -> Any:
    """A number that depends on everything that the program has left behind."""
    arrays = [x, zeros, x[:2]]
    for step, i, j, k in program:
        i, j = i % len(arrays), j % len(arrays)
        if np.ndim(arrays[i]) and np.shape(arrays[i])[0] >= 2:
            step(arrays, i, j, k)
    total = 0.0
    for number, a in enumerate(arrays):
        weights = np.cos(number + np.arange(np.size(a))).reshape(np.shape(a))
        total = total + np.sum(np.tanh(a * 0.1) * weights)
    return total


def plainly(program: Any, x: Any) -> Any:
    return run(program, x.copy(), np.zeros((3, 2), x.dtype))


def traced(program: Any) -> Any:
    return lambda x: run(program, x.copy(), rnp.zeros((3, 2)))


@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
@given(PROGRAMS)
def test_values_and_derivatives_in_both_modes(program) -> None:
    expected = plainly(program, X)
    exact = plainly(program, X + 1e-200j * V).imag * 1e200
    value, gradient = rg.value_and_grad(traced(program))(X)
    pushed_value, pushed = rg.jvp(traced(program), (X,), (V,))
    np.testing.assert_allclose([value, pushed_value], expected, rtol=1e-12)
    np.testing.assert_allclose(np.sum(gradient * V), exact, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(pushed, exact, rtol=1e-9, atol=1e-11)
    _, pullback = rg.vjp(traced(program), X)
    for _ in range(2):
        np.testing.assert_array_equal(pullback(1.0)[0], gradient)


@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
@given(PROGRAMS)
def test_modes_agree_on_second_derivatives(program) -> None:
    f, step = traced(program), 1e-5
    difference = (rg.grad(f)(X + step * V) - rg.grad(f)(X - step * V)) / (2 * step)
    size = 1 + np.max(np.abs(difference))
    found = [
        rg.jvp(rg.grad(f), (X,), (V,))[1],
        rg.grad(lambda x: np.sum(rg.grad(f)(x) * V))(X),
        rg.grad(lambda x: rg.jvp(f, (x,), (V,))[1])(X),
    ]
    for product in found:
        np.testing.assert_allclose(product, found[0], rtol=1e-9, atol=1e-11 * size)
    np.testing.assert_allclose(found[0], difference, rtol=1e-4, atol=1e-6 * size)


@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
@given(PROGRAMS, PROGRAMS)
def test_an_inner_trace_may_write_to_what_it_made_only_for_itself(outer, inner) -> None:
    """The inner derivative is of an inner program that starts from what the outer one has left."""

    def f(x):
        started = x.copy()
        run(outer, started, rnp.zeros((3, 2)))
        slope = rg.grad(lambda y: run(inner, y * started, rnp.zeros((3, 2))))(V)
        return np.sum(slope * V) + np.sum(started)

    def along(t):
        started = X + t * V
        run(outer, started, np.zeros((3, 2)))
        pushed = run(inner, V * started * (1 + 1e-200j), np.zeros((3, 2), complex))
        return pushed.imag * 1e200 + np.sum(started)

    step = 1e-5
    difference = (along(step) - along(-step)) / (2 * step)
    assert np.sum(rg.grad(f)(X) * V) == pytest.approx(difference, rel=1e-4, abs=1e-5)
    assert rg.jvp(f, (X,), (V,))[1] == pytest.approx(difference, rel=1e-4, abs=1e-5)
