"""The drop-in namespace gives NumPy's own results on plain values."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.primitive import REGISTRY

NAMES = sorted({f.__name__ for f in REGISTRY if hasattr(np, f.__name__)})


def test_every_registered_function_is_there() -> None:
    for name in NAMES:
        assert callable(getattr(rnp, name))
    assert set(dir(np)) <= set(dir(rnp))
    assert rnp.pi is np.pi
    assert rnp.float32 is np.float32
    assert rnp.linalg is np.linalg
    with pytest.raises(AttributeError):
        _ = rnp.no_such_function


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
