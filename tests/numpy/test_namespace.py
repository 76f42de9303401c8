"""The drop-in namespace gives NumPy's own results on plain values."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.primitive import REGISTRY
from retrograd.errors import InterceptionError
from retrograd.testing import check_grads

NAMES = sorted({f.__name__ for f in REGISTRY if getattr(np, f.__name__, None) is f})


def test_every_registered_function_is_there() -> None:
    for name in NAMES:
        assert callable(getattr(rnp, name))
    assert set(dir(np)) <= set(dir(rnp))
    assert rnp.pi is np.pi
    assert rnp.float32 is np.float32
    with pytest.raises(AttributeError):
        _ = rnp.no_such_function


@pytest.mark.parametrize("name", ["linalg", "fft", "random"])
def test_submodules_can_be_imported(name: str) -> None:
    ours, theirs = import_module(f"retrograd.numpy.{name}"), getattr(np, name)
    assert getattr(rnp, name) is ours
    assert set(dir(theirs)) <= set(dir(ours))
    for public in theirs.__all__:
        assert getattr(ours, public) is REGISTRY.get(getattr(theirs, public),
                                                     getattr(theirs, public))  # fmt: skip
    with pytest.raises(AttributeError):
        _ = ours.no_such_function


def test_submodules_work_without_having_been_imported() -> None:
    code = (
        "import retrograd.numpy as np; print(np.linalg.det(np.eye(2)), np.fft.fft([1.0])[0].real)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0", "1.0"]


@pytest.mark.parametrize(
    "call",
    [
        lambda np: np.array([1, 2]), lambda np: np.array(["a", "bc"]), lambda np: np.array([]),
        lambda np: np.array([[1, 2], [3, 4.0]], dtype=np.float32), lambda np: np.array(3.0),
        lambda np: np.array([[]], ndmin=3), lambda np: np.array(range(3)), lambda np: np.asarray(2),
        lambda np: np.concatenate([[1], [2.0]]), lambda np: np.stack(([1], [2]), -1),
        lambda np: np.concatenate([[1], [2]], dtype=np.float32), lambda np: np.where([True, False]),
        lambda np: np.where([True, False], 1, 2.0), lambda np: np.sum([1, 2], where=[True, False]),
        lambda np: np.meshgrid([1, 2], [3.0], indexing="ij"), lambda np: np.sign([-2, 0, 3]),
        lambda np: np.clip([1, 5], 2, 3), lambda np: np.full_like([1, 2], 3.7),
        lambda np: np.max([1, 2], initial=7), lambda np: np.hstack([1, 2]),
        lambda np: np.add(1, 2, np.zeros(())), lambda np: np.exp(1, dtype=np.float32),
        lambda np: np.zeros(2, int), lambda np: np.ones((2, 3), np.float32),
        lambda np: np.eye(2, 3),
        lambda np: np.full(2, 3.5), lambda np: np.arange(3), lambda np: np.arange(0.0, 1.0, 0.3),
        lambda np: np.linspace(0, 1, 4), lambda np: np.logspace(0, 1, 3), lambda np: np.tri(3),
        lambda np: np.geomspace(1, 8, 4), lambda np: np.copy([1.0]), lambda np: np.identity(2),
        lambda np: np.linspace(0, 1, 3, retstep=True)[0], lambda np: np.zeros_like([1, 2]),
        lambda np: np.ones_like(np.arange(3.0), dtype=np.float32, shape=(2,)),
        lambda np: np.take([1, 2], 1), lambda np: np.fromfunction(lambda i: i * 0.5, (3,)),
    ],
)  # fmt: skip
def test_plain_values_give_numpys_results(call) -> None:
    found, expected = call(rnp), call(np)
    assert type(found) is type(expected)
    pairs = (
        [(found, expected)] if not isinstance(found, tuple) else zip(found, expected, strict=True)
    )
    for a, b in pairs:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_arrays_of_traced_numbers() -> None:
    def f(x):
        y = rnp.array([[x[0], 1.0], [x[1] * 2, x[0]]], dtype=np.float32)
        assert y.shape == (2, 2)
        assert y.dtype == np.float32
        return rnp.sum(y * y)

    np.testing.assert_allclose(rg.grad(f)(np.array([0.5, 0.25])), [2.0, 2.0])


def test_asarray_shares_and_array_copies() -> None:
    def f(x, make):
        y = make(x)
        y *= 3
        return rnp.sum(x * x)

    np.testing.assert_allclose(rg.grad(f)(np.ones(2), rnp.asarray), [18.0, 18.0])
    np.testing.assert_allclose(rg.grad(f)(np.ones(2), rnp.array), [2.0, 2.0])


def test_wrong_axes_raise_as_in_numpy() -> None:
    for call in (lambda x: np.concatenate([x, x], 3), lambda x: np.stack([x, x], -4)):
        with pytest.raises(np.exceptions.AxisError):
            rg.grad(call)(np.ones(2))


@pytest.mark.parametrize(
    "call",
    [
        lambda np, x: np.full((2, 3), x), lambda np, x: np.full(3, x[0], dtype=np.float32),
        lambda np, x: np.full_like(x, x[1]), lambda np, x: np.array([x, 2 * x]),
        lambda np, x: np.array([x[0], [1.0, x[1]][1], 2.0]), lambda np, x: np.asarray([x[0], 1.0]),
        lambda np, x: np.array([[x[0]], [1]], dtype=np.float32), lambda np, x: np.array(x[0]),
        lambda np, x: np.linspace(x[0], x[1], 4), lambda np, x: np.linspace(x, 2.0, 3, axis=1),
        lambda np, x: np.linspace(x[0], 2, 1), lambda np, x: np.linspace(x[0], x[1], 0),
        lambda np, x: np.linspace(x[0], x[1], 3, endpoint=False, dtype=np.float32),
        lambda np, x: np.linspace(0, x[1], 3, retstep=True)[1] * np.ones(1),
        lambda np, x: np.logspace(x[0], x[1], 3), lambda np, x: np.logspace(0.0, 1.0, 3, base=x[1]),
        lambda np, x: np.geomspace(x[0], x[2], 4), lambda np, x: np.geomspace(x, x[0] + 1, 2),
        lambda np, x: np.zeros(3) + x, lambda np, x: np.eye(3) @ x, lambda np, x: np.tri(3) @ x,
    ],
)  # fmt: skip
def test_creation_from_traced_numbers(call) -> None:
    x = np.array([0.3, 0.7, 1.1])
    value, tangent = rg.jvp(lambda x: call(rnp, x), (x,), (np.ones(3),))
    expected = np.asarray(call(np, x))
    assert np.shape(value) == expected.shape
    assert np.result_type(value) == np.result_type(tangent) == expected.dtype
    single = expected.dtype == np.float32
    np.testing.assert_allclose(value, expected, rtol=1e-6 if single else 1e-14)
    step = 1e-3 if single else 1e-6
    difference = (np.asarray(call(np, x + step)) - np.asarray(call(np, x - step))) / (2 * step)
    np.testing.assert_allclose(tangent, difference, rtol=2e-3 if single else 1e-7, atol=1e-9)
    if not single:
        check_grads(lambda x: call(rnp, x), x, order=1)


def test_arange_of_a_traced_number_is_refused() -> None:
    with pytest.raises(InterceptionError, match=r"retrograd\.numpy"):
        rg.grad(lambda x: rnp.sum(rnp.arange(x, 2.0)))(0.5)
