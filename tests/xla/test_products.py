"""Sums of matrix products that become one product."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import retrograd as rg

RNG = np.random.default_rng(0)
STEPS = 7
INPUTS = RNG.normal(size=(STEPS, 3, 8))


def recurrent(parameters, inputs=INPUTS):
    inward, around, bias = parameters
    h = np.zeros((3, 8))
    for x in inputs:
        h = np.tanh(np.dot(x, inward) + h @ around + bias)
    return np.mean(h**2)


PARAMETERS = [RNG.normal(size=(8, 8)) / 4, RNG.normal(size=(8, 8)) / 4, np.zeros(8)]


def programs_of(compiled):
    (kept,) = [
        c.cell_contents for c in compiled.__closure__ if hasattr(c.cell_contents, "programs")
    ]
    (program,) = kept.programs.values()
    return program


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inputs", [INPUTS, [INPUTS[0]] * 2])
def test_gradients_are_those_of_numpy(dtype, inputs):
    parameters = [p.astype(dtype) for p in PARAMETERS]
    inputs = [x.astype(dtype) for x in inputs]
    gradient = rg.grad(lambda p: recurrent(p, inputs))
    for found, expected in zip(rg.compile(gradient)(parameters), gradient(parameters), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e3 * np.finfo(dtype).eps, atol=1e-6)


def test_the_steps_share_one_product():
    compiled = rg.compile(rg.grad(recurrent))
    compiled(PARAMETERS)
    program = programs_of(compiled)
    with jax.enable_x64(True):
        text = program.executable.lower(*PARAMETERS).compile().as_text()
    # Two products in each step forwards, one backwards but for the first, and one for each weight.
    products = text.count("f64[3,8]{1,0} dot(") + text.count("f64[8,8]{1,0} dot(")
    assert 0 < products <= 3 * STEPS + 2


def test_partial_sums_that_are_used_otherwise_stay_right():
    def program(x, y):
        total = first = x.T @ y
        for i in range(4):
            total = total + (x * (i + 1)).T @ y
            if i == 2:
                first = first * total
        return np.sum(total * first) + np.sum(np.stack([total, first]))

    x, y = RNG.normal(size=(2, 6)), RNG.normal(size=(2, 5))
    np.testing.assert_allclose(rg.compile(program)(x, y), program(x, y), rtol=1e-12)
    np.testing.assert_allclose(
        rg.compile(rg.grad(program))(x, y), rg.grad(program)(x, y), rtol=1e-10
    )
