"""What Python or NumPy would turn into a plain number raises an error that names the cure."""

from __future__ import annotations

import copy
import math
import pickle
import threading

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import EscapedTraceError, InterceptionError, MissingRuleError

X = np.array([0.3, 0.7, 1.1])


def assign_item(x):
    a = np.zeros(3)
    a[0] = x[0]
    return np.sum(a)


def assign_slice(x):
    a = np.zeros(3)
    a[:] = x
    return np.sum(a)


def add_to_plain(x):
    a = np.zeros(3)
    a += x
    return np.sum(a)


def positional_out(x):
    total = np.zeros(())
    np.sum(x, 0, None, total)
    return total * x[0]


INTERCEPTED = {
    "float": lambda x: float(x[0]),
    "complex": lambda x: complex(x[0]),
    "math": lambda x: math.sin(x[0]),
    "item": lambda x: x[0].item(),
    "np.array of numbers": lambda x: np.sum(np.array([x[0], x[1]])),
    "np.array": lambda x: np.sum(np.array(x)),
    "np.asarray": lambda x: np.sum(np.asarray(x)),
    "np.float64": lambda x: np.float64(x[0]),
    "np.sum of a list": lambda x: np.sum([x[0], x[1]]),
    "np.full": lambda x: np.sum(np.full(2, x[0])),
    "np.vectorize": lambda x: np.sum(np.vectorize(lambda v: v * 2)(x)),
    "np.fromiter": lambda x: np.sum(np.fromiter((v for v in x), float)),
    "assignment of an item": assign_item,
    "assignment of a slice": assign_slice,
    "plain += traced": add_to_plain,
    "out= by keyword": lambda x: np.sum(np.exp(x, out=np.zeros(3))),
    "out= by position": positional_out,
    "out= of a method": lambda x: x.sum(0, None, np.zeros(())),
    "out= of retrograd.numpy": lambda x: np.sum(rnp.add(x, x, np.zeros(3))),
    "pickle": lambda x: pickle.dumps(x) and x[0],
}


@pytest.mark.parametrize("name", INTERCEPTED)
@pytest.mark.parametrize(
    "mode", [lambda f: rg.grad(f)(X), lambda f: rg.jvp(f, (X,), (X,))], ids=["reverse", "forward"]
)
def test_lost_derivatives_raise(name, mode) -> None:
    with pytest.raises(InterceptionError, match=r"value_of|retrograd\.numpy|a = a - x"):
        mode(INTERCEPTED[name])


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: np.linalg.norm(x), "norm"),
        (lambda x: np.interp(x, [0, 1], [0, 1.0]), "interp"),
        (lambda x: np.add.accumulate(x), "add.accumulate"),
        (lambda x: np.add.at(x, [0], 1.0), "add.at"),
        (lambda x: np.copyto(x, 1.0), "copyto"),
        (lambda x: np.fft.fft(x), "fft"),
    ],
)
def test_functions_without_rule_are_named(f, name) -> None:
    with pytest.raises(MissingRuleError, match=f"^{name} has no derivative rule.*extend"):
        rg.grad(lambda x: np.sum(f(x)))(X)


@pytest.mark.parametrize(
    ("f", "keyword"),
    [
        (lambda x: np.sum(x, where=[True, False, True]), "where"),
        (lambda x: np.max(x, initial=0.0), "initial"),
        (lambda x: np.add(x, 1, where=[True, False, True]), "where"),
        (lambda x: np.exp(x, dtype=np.float32), "dtype"),
        (lambda x: np.concatenate([x, x], dtype=np.float32), "dtype"),
    ],
)
def test_keywords_without_rule_are_named(f, keyword) -> None:
    with pytest.raises(MissingRuleError, match=f"{keyword}="):
        rg.grad(lambda x: np.sum(f(x)))(X)


def test_an_argument_without_rule_is_named() -> None:
    with pytest.raises(MissingRuleError, match=r"_clip has no reverse-mode.*argument 1"):
        rg.grad(lambda low: np.sum(np.clip(X, low, None)))(0.5)


def test_copies_keep_the_derivative() -> None:
    for duplicate in (copy.copy, copy.deepcopy, np.copy, lambda x: x.copy()):
        np.testing.assert_array_equal(rg.grad(lambda x: np.sum(duplicate(x) ** 2))(X), 2 * X)  # noqa: B023


def test_meshgrid_and_full_like_keep_the_derivative() -> None:
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.meshgrid(x, x)[1]))(X), [3, 3, 3])
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.full_like(x, x[0])))(X), [3, 0, 0])


def test_integer_arrays_take_numbers_without_derivative() -> None:
    def f(x):
        a = np.zeros(2, int)
        a[0] = x[2]
        return x[0] * a[0]

    np.testing.assert_array_equal(rg.grad(f)(X), [1, 0, 0])


def test_a_traced_value_looks_like_its_array() -> None:
    def f(x):
        assert f"{x[0]:.2f}" == "0.30"
        assert str(x) == str(X)
        assert repr(X) in repr(x)
        assert len(x) == 3
        assert [float(rg.value_of(v)) for v in x] == X.tolist()
        assert (x.shape, x.ndim, x.size, x.dtype, x.nbytes) == ((3,), 1, 3, np.float64, 24)
        assert bool(x[0] > 0)
        assert 0.7 in rg.value_of(x)
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        with pytest.raises(TypeError):
            len(x[0])
        a, b, c = x
        return a * b * c

    np.testing.assert_allclose(rg.grad(f)(X), [0.77, 0.33, 0.21])


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.sum(axis=0), lambda x: x.mean(-1), lambda x: x.reshape(-1),
        lambda x: x.reshape(3, 2), lambda x: x.reshape((3, 2), order="F"), lambda x: x.transpose(),
        lambda x: x.transpose(1, 0), lambda x: x.transpose((1, 0)), lambda x: x.T, lambda x: x.flat,
        lambda x: x.max(axis=1, keepdims=True), lambda x: x.std(ddof=1), lambda x: x.ravel("F"),
        lambda x: x.flatten(), lambda x: x.clip(0.25, max=0.8), lambda x: x.repeat(2, axis=1),
        lambda x: x.swapaxes(0, 1), lambda x: x.cumsum(), lambda x: x.dot(np.ones(3)),
        lambda x: x.astype(np.float32), lambda x: x.conj(), lambda x: x.conjugate(),
        lambda x: x.prod(), lambda x: x.squeeze(), lambda x: x[0, :1].reshape(()),
        lambda x: x @ np.ones(3), lambda x: 2.0 ** x, lambda x: divmod(x, 0.4)[1],
        lambda x: np.add.reduce(x), lambda x: np.maximum.reduce(x, axis=None), lambda x: +x,
        lambda x: np.float64(2) * x, lambda x: [[1.0], [2.0]] * x, lambda x: x - np.ones((2, 3)),
        lambda x: np.ones((4, 2)) @ x, lambda x: np.ones(3) / x,
    ],
)  # fmt: skip
def test_methods_and_operators_are_ndarrays(method) -> None:
    x = np.array([[0.3, 0.7, 1.1], [0.2, 0.9, 0.5]])
    value, tangent = rg.jvp(method, (x,), (np.ones_like(x),))
    expected = np.asarray(method(x))
    np.testing.assert_array_equal(value, expected)
    assert value.dtype == expected.dtype
    step = 1e-6 if expected.dtype == np.float64 else 1e-2
    difference = (np.asarray(method(x + step)) - np.asarray(method(x - step))) / (2 * step)
    np.testing.assert_allclose(tangent, difference, rtol=1e-4, atol=1e-6)


def test_escaped_values_raise() -> None:
    kept = []

    def keeping(x):
        kept.append(x)
        return np.sum(x * x)

    rg.grad(keeping)(X)
    with pytest.raises(EscapedTraceError, match="stored outside"):
        kept[0] + 1
    with pytest.raises(EscapedTraceError, match="stored outside"):
        rg.grad(lambda x: np.sum(x * kept[0]))(X)
    with pytest.raises(EscapedTraceError, match="returned"):
        rg.grad(lambda x: kept[0])(X)
    rg.jvp(keeping, (X,), (X,))
    with pytest.raises(EscapedTraceError):
        np.sin(kept[1])


def test_exceptions_leave_nothing_behind() -> None:
    def failing(x):
        rg.grad(lambda y: np.sum(y * x))(X)
        raise KeyError("inner")

    for _ in range(3):
        with pytest.raises(KeyError):
            rg.grad(failing)(X)
        with pytest.raises(KeyError):
            rg.jvp(failing, (X,), (X,))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(x * x))(X), 2 * X)


def test_threads_trace_independently() -> None:
    results: dict[int, float] = {}
    barrier = threading.Barrier(4)
    shared = np.linspace(0.0, 1.0, 5000)

    def work(i: int) -> None:
        def f(x):
            barrier.wait()
            total = np.sum(x * shared)
            barrier.wait()
            return total * rg.grad(lambda y: y * x[0])(1.0)

        results[i] = float(rg.grad(f)(np.full(5000, i + 1.0))[1])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: pytest.approx((i + 1) * shared[1]) for i in range(4)}
    assert shared.flags.writeable


def test_a_value_handed_to_another_thread_raises() -> None:
    caught: list[BaseException] = []

    def f(x):
        def work():
            try:
                rg.grad(lambda y: np.sum(x * y))(X)
            except EscapedTraceError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return np.sum(x)

    rg.grad(f)(X)
    assert "another thread" in str(caught[0])


def test_positional_arguments_that_no_rule_knows_are_refused_by_name() -> None:
    x = np.ones((2, 3))
    with pytest.raises(MissingRuleError, match=r"cumsum: no derivative rule covers.*dtype="):
        rg.grad(lambda x: np.sum(np.cumsum(x, 0, np.float32)))(x)
    gradient = rg.grad(lambda x: np.sum(np.var(x, 0, None, None, 1)))(x + np.arange(3.0))
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))
