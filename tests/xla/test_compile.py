"""`compile`: results, what is part of a program, errors, and what stays as it was."""

from __future__ import annotations

import threading
from collections import namedtuple

import jax
import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, CompilationError, EscapedTraceError

X = np.linspace(0.1, 1.2, 6)


def f(x):
    return np.sum(np.sin(x)[1:] * x[:-1] ** 2) / (1 + np.mean(x))


def logistic_loss(p, rows, labels):
    scores = np.dot(rows, p["weights"]) + p["bias"]
    return np.mean(np.logaddexp(0, -labels * scores)) + 0.1 * np.sum(p["weights"] ** 2)


OPERATORS = {
    "value": lambda f: f,
    "grad": rg.grad,
    "value_and_grad": rg.value_and_grad,
    "jacobian": rg.jacobian,
    "hessian": rg.hessian,
    "grad of grad": lambda f: rg.grad(lambda x: np.sum(rg.grad(f)(x) ** 2)),
    "elementwise_grad": lambda f: rg.elementwise_grad(lambda x: np.tanh(x) ** 2),
    "jacobian of a vector": lambda f: rg.jacobian(lambda x: np.outer(x, x)[:, 2]),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_give_what_they_give_without_it(name):
    plain = OPERATORS[name](f)
    for found, expected in zip(
        rg.tree.leaves(rg.compile(plain)(X)), rg.tree.leaves(plain(X)), strict=True
    ):
        assert type(found) is type(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_products_with_the_hessian():
    v = np.cos(X)
    np.testing.assert_allclose(rg.compile(rg.hvp(f))(X, v), rg.hvp(f)(X, v), rtol=1e-12)
    value, tangent = rg.compile(lambda x, v: rg.jvp(f, (x,), (v,)))(X, v)
    expected = rg.jvp(f, (X,), (v,))
    np.testing.assert_allclose((value, tangent), expected, rtol=1e-12)


def test_containers_as_arguments_and_results():
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(7, 3)), np.sign(rng.normal(size=7))
    p = {"weights": np.ones(3), "bias": 0.5}
    gradient = rg.compile(rg.grad(logistic_loss))(p, rows, labels=labels)
    expected = rg.grad(logistic_loss)(p, rows, labels=labels)
    assert list(gradient) == ["weights", "bias"] or sorted(gradient) == ["bias", "weights"]
    for name in expected:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-12)


def test_named_tuples_and_results_that_are_no_arrays():
    Pair = namedtuple("Pair", "a b")
    found = rg.compile(lambda p: {"sum": p.a + p.b, "kind": "sum", "none": None, "count": 2})(
        Pair(1.5, np.ones(2))
    )
    assert found["kind"] == "sum"
    assert found["none"] is None
    assert found["count"] == 2
    np.testing.assert_array_equal(found["sum"], [2.5, 2.5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_dtypes_are_numpys(dtype):
    def g(x):
        return np.real(np.sum(0.5 * x * x + np.exp(x) / 3))

    x = X.astype(dtype)
    value, gradient = rg.compile(rg.value_and_grad(g))(x)
    expected_value, expected = rg.value_and_grad(g)(x)
    assert gradient.dtype == expected.dtype == dtype
    assert np.result_type(value) == np.result_type(expected_value)
    tolerance = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(gradient, expected, rtol=tolerance)


@pytest.mark.parametrize("other", [2, 2.0, np.float64(2), np.int64(2), np.arange(3), True])
def test_promotion_is_numpys(other):
    x = np.ones(3, np.float32)
    assert rg.compile(lambda x, y: x * y)(x, other).dtype == (x * other).dtype
    assert rg.compile(lambda x: x * other)(x).dtype == (x * other).dtype


def test_python_numbers_promote_nothing_also_as_arguments():
    x = np.ones(3, np.float32)
    assert rg.compile(lambda x, r: x - (2 * r) * x)(x, 0.1).dtype == np.float32
    assert rg.compile(rg.grad(lambda x, r: np.sum(r * x)))(x, 0.1).dtype == np.float32


def test_results_belong_to_the_caller():
    compiled = rg.compile(lambda x: (x, x, np.ones(2)))
    first, second, third = compiled(X)
    first[0] = third[0] = 100.0
    assert second[0] == X[0]
    assert X[0] == 0.1
    assert compiled(X)[2][0] == 1.0


def calls_counted(f):
    seen = []

    def counted(*args, **kwargs):
        seen.append(1)
        return f(*args, **kwargs)

    return rg.compile(counted), seen


def test_one_program_for_each_kind_of_arguments():
    compiled, seen = calls_counted(lambda x: np.sum(np.asarray(x) if False else x * 2))
    for x in (X, X + 1, X.astype(np.float32), X[:3], X[:3], 0.5, 0.7, X[::2].copy()):
        assert np.isclose(compiled(x), np.sum(x * 2))
    assert len(seen) == 4  # 6 doubles, 6 floats, 3 doubles, one number


def test_integers_strings_truth_values_and_none_are_part_of_the_program():
    def power(x, n, how="up", flip=False, more=None):
        for _ in range(n):
            x = x * x if how == "up" else np.sqrt(x)
        return (-x if flip else x) if more is None else x + more

    compiled, seen = calls_counted(power)
    for args in [(X, 2), (X, 3), (X, 2), (X, 2, "down"), (X, 2, "up", True), (X, 2, "up", True, X)]:
        np.testing.assert_allclose(compiled(*args), power(*args))
    assert len(seen) == 5
    np.testing.assert_allclose(compiled(X, n=2), power(X, 2))


def test_a_truth_value_is_not_the_integer_that_it_equals():
    compiled = rg.compile(lambda x, n: x * (10 if n is True else n))
    assert compiled(2.0, 1) == 2.0
    assert compiled(2.0, True) == 20.0


def test_integer_arrays_are_values():
    compiled, seen = calls_counted(lambda x, i: x[i])
    assert compiled(X, np.array([1, -1])).tolist() == [X[1], X[-1]]
    assert compiled(X, np.array([0, 2])).tolist() == [X[0], X[2]]
    assert len(seen) == 1


def test_what_is_no_argument_is_part_of_the_program():
    scale = np.ones(2)
    compiled = rg.compile(lambda x: x * scale)
    x = np.ones(2)
    compiled(x)
    scale[0] = 5.0
    assert compiled(x).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x if x[0] > 0 else -x,
        lambda x: [x for _ in range(int(x[0]))],
        lambda x: max(x[0], x[1]),
        lambda x: float(x[0]),
        lambda x: x * x[0].item(),
        lambda x: x[0] in [1.0, 2.0],
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: rg.grad(lambda x: np.sum(f(x)))])
def test_control_flow_by_values_is_refused_with_the_cure(program, wrap):
    with pytest.raises((CompilationError, rg.errors.InterceptionError)) as caught:
        rg.compile(wrap(program))(X)
    message = str(caught.value)
    assert "np.where" in message or "retrograd.numpy" in message or "index it" in message


def test_control_flow_by_shapes_is_no_matter():
    def halves(x):
        return x[0] if len(x) == 1 else halves(x[: len(x) // 2]) * 2 + x.shape[0]

    assert np.isclose(rg.compile(halves)(X), halves(X))


@pytest.mark.parametrize("masked", [lambda x: x[x > 0.5], lambda x: np.unique(x), np.flatnonzero])
def test_shapes_that_depend_on_values_are_refused(masked):
    with pytest.raises(CompilationError, match=r"np\.where"):
        rg.compile(masked)(X)


def test_plain_numpy_that_wants_elements_is_refused_with_the_cure():
    with pytest.raises(CompilationError, match=r"retrograd\.numpy\.array"):
        rg.compile(lambda x: np.array([x[0], x[1]]))(X)


def test_arguments_that_are_neither_arrays_nor_hashable_are_refused():
    with pytest.raises(ArgumentError, match="argument of type set"):
        rg.compile(lambda x, s: x)(X, {1})


def test_dtypes_that_xla_lacks_are_refused():
    with pytest.raises(ArgumentError, match="dtype"):
        rg.compile(np.sin)(X.astype(np.longdouble))
    with pytest.raises(ArgumentError, match="dtype"):
        rg.compile(lambda x: x)(np.array(["a"]))


def test_values_do_not_outlive_the_compilation():
    kept = []
    rg.compile(lambda x: kept.append(x) or x)(X)
    with pytest.raises(EscapedTraceError):
        kept[0] + 1


def test_an_exception_leaves_nothing_behind():
    compiled = rg.compile(lambda x: x if np.sum(x) > 0 else -x)
    for _ in range(2):
        with pytest.raises(CompilationError):
            compiled(X)
    np.testing.assert_allclose(rg.compile(np.sin)(X), np.sin(X))
    np.testing.assert_allclose(rg.grad(f)(X), rg.compile(rg.grad(f))(X))


def test_jaxs_settings_stay_untouched():
    before = jax.config.values.copy()
    assert rg.compile(rg.grad(f))(X).dtype == np.float64
    assert jax.config.values == before
    assert jax.numpy.ones(1).dtype == np.float32


def test_threads_compile_and_run_independently():
    compiled = rg.compile(rg.grad(f))
    found = [None] * 6

    def run(i):
        found[i] = compiled(X + i % 2)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, gradient in enumerate(found):
        np.testing.assert_allclose(gradient, rg.grad(f)(X + i % 2), rtol=1e-12)


def test_the_name_and_docstring_of_the_function_stay():
    def named(x):
        """What it does."""
        return x

    compiled = rg.compile(named)
    assert (compiled.__name__, compiled.__doc__) == ("named", "What it does.")


def test_without_jax_the_cure_is_named(monkeypatch):
    monkeypatch.setattr("retrograd.xla.compiled.find_spec", lambda name: None)
    with pytest.raises(CompilationError, match=r'pip install "retrograd\[jax\]"'):
        rg.compile(f)


def test_the_drop_in_namespace_is_compiled_as_well():
    def g(x):
        a = rnp.zeros(4)
        a[1:3] = x[:2] ** 2
        a[0] = rnp.sum(x)
        return rnp.sum(a * rnp.linspace(0.0, 1.0, 4))

    np.testing.assert_allclose(rg.compile(g)(X), g(X))
    np.testing.assert_allclose(rg.compile(rg.grad(g))(X), rg.grad(g)(X))
