"""ndarray's attributes and methods on a traced array: all there, or refused with the cure."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.box import Box
from retrograd.autodiff.face import REFUSED
from retrograd.errors import InterceptionError
from retrograd.testing import check_grads

X = np.array([[0.3, 0.7, 1.1], [0.2, 0.9, 0.5]])
GENERIC = X + 0.013  # no multiple of a tenth

# What Python's own protocols and NumPy's C interface keep to themselves, and what a traced array
# has by another way: integer operators raise TypeError as they do on floats.
WITHOUT = {
    "__and__", "__array_finalize__", "__array_interface__", "__array_priority__",
    "__array_struct__", "__array_wrap__", "__class_getitem__", "__delitem__", "__dlpack__",
    "__dlpack_device__", "__iand__", "__ilshift__", "__invert__", "__ior__", "__irshift__",
    "__ixor__", "__lshift__", "__or__", "__rand__", "__rlshift__", "__ror__", "__rrshift__",
    "__rshift__", "__rxor__", "__setstate__", "__xor__",
    # Python 3.12 and NumPy 2.5
    "__buffer__", "_set_dtype", "_set_shape",
}  # fmt: skip


def test_every_attribute_of_an_ndarray_is_there() -> None:
    missing = {name for name in dir(np.ndarray) if not hasattr(Box, name)}
    assert missing <= WITHOUT


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refusals_name_the_cure(name) -> None:
    assert hasattr(np.ndarray, name)

    def f(x):
        attribute = getattr(x, name)
        attribute(np.float32)
        return np.sum(x)

    with pytest.raises(InterceptionError, match=rf"x\.{name} would drop the derivative.*value_of"):
        rg.grad(f)(X)


def traced(check) -> None:
    """Run a check on a traced array, in both modes."""

    def f(x):
        check(x)
        return np.sum(x)

    rg.grad(f)(X)
    rg.jvp(f, (X,), (X,))


def test_attributes_are_those_of_the_value() -> None:
    def check(x):
        for name in ("shape", "ndim", "size", "dtype", "itemsize", "nbytes", "strides", "device"):
            assert getattr(x, name) == getattr(X, name)
        assert x.flags.c_contiguous
        assert x.T.flags.f_contiguous
        assert x.base is None
        assert x[0].base is x
        assert x.to_device("cpu") is x
        assert x.__array_namespace__() is np
        with pytest.raises(ValueError, match="'gpu' was given"):
            x.to_device("gpu")
        with pytest.raises(InterceptionError, match=r"x = x\.reshape"):
            x.shape = (3, 2)
        with pytest.raises(AttributeError):
            x.dtype = np.float32

    traced(check)


METHODS = [
    lambda x: x.sum(axis=1, keepdims=True), lambda x: x.sum(0), lambda x: x.mean(axis=(0, 1)),
    lambda x: x.prod(axis=-1), lambda x: x.std(axis=0, ddof=1), lambda x: x.var(1, keepdims=True),
    lambda x: x.max(), lambda x: x.min(axis=0), lambda x: x.cumsum(1), lambda x: x.ravel("F"),
    lambda x: x.squeeze(), lambda x: x.dot(np.ones(3)), lambda x: x.clip(0.25, 0.8),
    lambda x: x.swapaxes(0, -1), lambda x: x.repeat([1, 2], axis=0), lambda x: x.diagonal(1),
    lambda x: x.trace(), lambda x: x.take([2, 0], axis=1), lambda x: x.take([7], mode="wrap"),
    lambda x: x.compress([True, False, True], axis=1), lambda x: x.conj(), lambda x: x.mT,
    lambda x: x.conjugate() * x.real, lambda x: x.T @ x, lambda x: x.flatten("F"),
    lambda x: x.copy(order="F"), lambda x: x.reshape(3, -1), lambda x: x.reshape((6,), order="F"),
    lambda x: x.transpose(), lambda x: x.transpose(1, 0), lambda x: x.transpose([1, 0]),
    lambda x: x.astype(np.complex128), lambda x: x.astype("f8", copy=False) * 2, lambda x: +x,
    lambda x: x.flat[[1, 4]], lambda x: x[x.argmax(axis=0), [0, 1, 2]], lambda x: -x + abs(x - 1),
    lambda x: np.take_along_axis(x, x.argsort(axis=1), 1), lambda x: x[x.nonzero()],
    lambda x: x[x[0].searchsorted([0.5, 1.0])[:1]], lambda x: x.round(1) * x,
    lambda x: divmod(x, 0.4)[1] + divmod(2.0, x)[1], lambda x: 2.0**x, lambda x: x**x,
    lambda x: x @ np.ones((3, 2)), lambda x: np.ones((4, 2)) @ x, lambda x: 5.0 % x + x // 0.3,
    lambda x: [[1.0], [2.0]] * x, lambda x: (1.0, 2.0, 3.0) - x, lambda x: np.float64(2) / x,
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_methods_and_operators_are_ndarrays(method) -> None:
    value = rg.vjp(method, X)[0]
    expected = method(X)
    assert np.shape(value) == np.shape(expected)
    assert value.dtype == expected.dtype
    np.testing.assert_allclose(value, expected, rtol=1e-15)
    check_grads(method, GENERIC, order=1)  # the rules are tested to second order elsewhere


def test_methods_keep_numpys_keywords_or_say_what_is_missing() -> None:
    def f(x):
        y = np.zeros(3)
        with pytest.raises(InterceptionError, match="plain array"):
            x.sum(axis=0, out=y)
        out = np.zeros_like(x[0])
        x.take([0, 1, 2], out=out)
        return np.sum(out * out)

    np.testing.assert_allclose(rg.grad(f)(X), [2 * X[0], np.zeros(3)])


def test_setters_of_parts() -> None:
    def f(x):
        z = x[0] + 1j * x[1]
        z.real = x[0] ** 2
        z.imag[0] = 0.5
        x.real = x * 2
        with pytest.raises(TypeError, match="no imaginary part"):
            x.imag = 1.0
        return np.sum(abs(z) ** 2) + np.sum(x)

    expected = np.array([4 * X[0] ** 3 + 2, 2 * X[1] + 2])
    expected[1, 0] = 2.0
    np.testing.assert_allclose(rg.grad(f)(X), expected)


def test_lists_and_iteration_keep_the_derivative() -> None:
    def f(x):
        (a, b, c), second = x.tolist()
        assert len(x) == 2
        assert isinstance(second, list)
        total = a * b * c
        for row in x:
            for number in row:
                total = total + number**2
        return total + sum(reversed(second)) + max(second)

    expected = 2 * X
    expected[0] += [X[0, 1] * X[0, 2], X[0, 0] * X[0, 2], X[0, 0] * X[0, 1]]
    expected[1] += [1, 2, 1]
    np.testing.assert_allclose(rg.grad(f)(X), expected)


def test_numbers_become_integers_with_derivative_zero() -> None:
    def f(x):
        y = x * 2.75
        assert (int(y), round(y), round(y, 1)) == (2, 3, 2.8)
        assert (math.floor(y), math.ceil(y), math.trunc(y)) == (2, 3, 2)
        return x * int(y)

    assert rg.grad(f)(1.0) == 2.0
    for call in (round, math.floor):
        with pytest.raises(TypeError):
            rg.grad(lambda x: call(x))(X)  # noqa: B023


def test_comparisons_and_membership_are_plain() -> None:
    def check(x):
        assert (x > 0.6).tolist() == (X > 0.6).tolist()
        assert not np.any(x == None)  # noqa: E711
        assert not np.any(x[0, 0] == "a")
        assert (x == np.ones((2, 1))).shape == (2, 3)
        assert x[0, 0] in x
        assert 0.4 not in x
        assert bool(x[0, 0])
        with pytest.raises(ValueError, match="ambiguous"):
            bool(x)
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError):
            len(x[0, 0])
        with pytest.raises(TypeError):
            iter(x[0, 0]).__next__()

    traced(check)


def test_formatting_shows_the_value() -> None:
    def check(x):
        assert f"{x[0, 0]:.2f} {x[0, 0]}" == "0.30 0.3"
        assert f"{x}" == str(x) == str(X)
        assert repr(X) in repr(x)

    traced(check)


def test_an_integer_is_not_made_silently() -> None:
    for call in (range, operator.index, lambda v: [1, 2][v]):
        with pytest.raises(InterceptionError, match=r"an integer is needed.*int\(x\)"):
            rg.grad(lambda x: call(x) and x)(1.0)  # noqa: B023


def test_casts_follow_numpys_rules() -> None:
    def check(x):
        assert x.astype(int).tolist() == X.astype(int).tolist()
        assert not isinstance(x.astype(bool), Box)
        assert x.astype(np.float64, copy=False) is x
        with pytest.raises(TypeError, match="casting=safe"):
            x.astype(np.float32, casting="safe")

    traced(check)


@pytest.mark.parametrize(
    "write", [lambda x: x.sort(), lambda x: x.sort(axis=0), lambda x: x.partition(1)]
)
def test_sorting_in_place(write) -> None:
    def f(x):
        write(x)
        return x * np.arange(6.0).reshape(2, 3)

    plain = X.copy()
    np.testing.assert_array_equal(rg.vjp(f, X)[0], f(plain))
    check_grads(lambda x: f(x if isinstance(x, Box) else x.copy()), X)
