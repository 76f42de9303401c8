"""What Python or NumPy would turn into a plain number raises an error that names the cure."""

from __future__ import annotations

import cmath
import copy
import math
import pickle
import threading

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd import extend
from retrograd.autodiff.primitive import REGISTRY
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


def assign_list(x):
    a = np.zeros(3)
    a[:2] = [x[0], x[1]]
    return np.sum(a)


def assign_to_integers(x):
    a = np.zeros(3, int)
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
    "np.array of arrays": lambda x: np.sum(np.array([[x, x]])),
    "np.array of objects": lambda x: np.sum(np.array([x[0], None], dtype=object)),
    "np.float32": lambda x: np.float32(x[0]),
    "np.complex128": lambda x: np.complex128(x[0]),
    "np.arange": lambda x: np.sum(np.arange(x[0], 2.0)),
    "a ufunc of a list": lambda x: np.sum(np.sin([x[0], x[1]])),
    "a ufunc of two lists": lambda x: np.sum(np.add([x[0]], [1.0])),
    "a list times an array": lambda x: np.sum([x[0], x[1], 1.0] * np.ones(3)),
    "an array of objects": lambda x: np.sum(x * np.array([1.0, 2.0, 3.0], dtype=object)),
    "a list with None": lambda x: np.sum(x * [1.0, None, 2.0]),
    "an index of a plain array": lambda x: np.ones(3)[x[0]] * x[0],
    "the fill of a plain array": lambda x: np.zeros(3).fill(x[0]) or x[0],
    "fill_diagonal of a plain array": lambda x: np.fill_diagonal(np.eye(3), x) or x[0],
    "assignment of a list": assign_list,
    "assignment to integers": assign_to_integers,
    "math.fsum": lambda x: math.fsum(x),
    "cmath": lambda x: cmath.exp(x[0]).real,
    "%": lambda x: x[0] if "%f" % x[0] else x[1],  # noqa: UP031
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
    with pytest.raises(InterceptionError, match=r"value_of|retrograd\.numpy|a = a - x|int\(x\)"):
        mode(INTERCEPTED[name])


@pytest.mark.parametrize("write", [assign_item, assign_slice, assign_list])
def test_assignment_into_a_plain_array_names_how_to_create_it(write) -> None:
    with pytest.raises(InterceptionError, match=r"plain array a.*retrograd\.numpy.*np\.zeros_like"):
        rg.grad(write)(X)


@pytest.mark.parametrize(
    ("f", "function", "name"),
    [
        (lambda x: np.exp(x), np.exp, "exp"),
        (lambda x: np.hypot.outer(x, x), np.hypot, r"hypot\.outer"),
        (lambda x: x.cumsum(), np.cumsum, "cumsum"),
        (lambda x: np.add.accumulate(x), np.cumsum, "cumsum"),
    ],
)
def test_functions_without_rule_are_named(monkeypatch, f, function, name) -> None:
    monkeypatch.delitem(REGISTRY, function)
    with pytest.raises(MissingRuleError, match=f"^{name} has no derivative rule.*extend"):
        rg.grad(lambda x: np.sum(f(x)))(X)


def test_keywords_without_rule_are_named() -> None:
    @extend.primitive
    def scaled(x, *, factor=1.0, offset=0.0):
        return x * factor + offset

    extend.defvjp(scaled, lambda g, ans, x, *, factor=1.0: g * factor)
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(scaled(x, factor=2.0)))(X), [2, 2, 2])
    with pytest.raises(MissingRuleError, match=r"scaled.*keyword offset=.*value_of"):
        rg.grad(lambda x: np.sum(scaled(x, offset=3.0)))(X)


def test_positional_arguments_that_no_rule_knows_are_refused_by_name() -> None:
    scaled = extend.linear(
        extend.primitive(lambda x, factor=1.0, offset=0.0: x * factor + offset),
        lambda g, ans, x, factor=1.0: g * factor,
    )
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(scaled(x, 2.0)))(X), [2, 2, 2])
    with pytest.raises(MissingRuleError, match=r"no derivative rule covers the keyword offset="):
        rg.grad(lambda x: np.sum(scaled(x, 2.0, 3.0)))(X)


def test_an_argument_without_rule_is_named() -> None:
    @extend.primitive
    def product(x, y):
        return x * y

    extend.defvjp(product, lambda g, ans, x, y: g * y)
    with pytest.raises(MissingRuleError, match=r"product has no reverse-mode.*argument 1.*extend"):
        rg.grad(lambda x: product(2.0, x))(0.5)


def test_copies_keep_the_derivative() -> None:
    for duplicate in (copy.copy, copy.deepcopy, np.copy, lambda x: x.copy()):
        np.testing.assert_array_equal(rg.grad(lambda x: np.sum(duplicate(x) ** 2))(X), 2 * X)  # noqa: B023


def test_numbers_spread_by_plain_numpy_keep_the_derivative() -> None:
    gradient = rg.grad(lambda x: np.sum(np.linspace(x[0], x[1], 5)))(X)
    np.testing.assert_allclose(gradient, [2.5, 2.5, 0.0])
    gradient = rg.grad(lambda x: np.sum(np.linspace(0, x[1], 3, endpoint=False)))(X)
    np.testing.assert_allclose(gradient, [0.0, 1.0, 0.0])


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


def test_jax_is_told_why_it_gets_no_array():
    jnp = pytest.importorskip("jax.numpy")
    with pytest.raises(InterceptionError, match=r"Give JAX arrays from the start"):
        rg.grad(lambda x: jnp.asarray(x).sum())(X)
