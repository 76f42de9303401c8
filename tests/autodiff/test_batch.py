"""Many directions at once: every rule gives what it gives one by one, and what it cannot do so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff import jacobians, tree
from retrograd.autodiff.batch import Batch, UnbatchedError
from retrograd.autodiff.primitive import REGISTRY
from retrograd.autodiff.records import Record, carries
from retrograd.errors import DifferentiationError, MissingRuleError
from retrograd.extend import defjvp, defvjp, primitive
from retrograd.testing.samples import samples

SAMPLES = samples("numpy") | samples("scipy")
X = np.array([0.3, 0.7, 1.1])


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def called(function: Any) -> Any:
    dispatched = type(function).__name__ == "_ArrayFunctionDispatcher"
    return function if isinstance(function, np.ufunc) or dispatched else REGISTRY[function]


def programs(function: Any):
    """Each sample of a function, and the gradient of a number made of its result."""
    for sample in SAMPLES[function][:12]:
        call, inputs = sample.closed(called(function)), sample.inputs()

        def number(*args: Any, call: Any = call) -> Any:
            leaves = [np.real(leaf) for leaf in tree.leaves(call(*args)) if carries(leaf)]
            return sum(np.sum(np.sin(leaf)) for leaf in leaves)

        yield call, inputs
        if sample.order > 1:
            yield rg.grad(number, range(len(inputs))), inputs


@pytest.fixture
def one_by_one(monkeypatch):
    """Evaluate a function with and without batches."""

    def compare(run: Any) -> Any:
        together = run()
        with monkeypatch.context() as patch:
            patch.setattr(jacobians, "_ELEMENTS", 0)
            return together, run()

    return compare


@pytest.mark.filterwarnings("ignore")  # of NumPy, at the edges that some samples are about
@pytest.mark.parametrize("function", SAMPLES, ids=lambda f: f.__name__)
def test_batches_give_what_directions_give_one_by_one(function, one_by_one) -> None:
    for program, inputs in programs(function):
        try:
            record = Record(program, inputs)
        except (DifferentiationError, ValueError):
            continue  # samples of refusals, and gradients of empty arrays
        for by in (jacobians._by_rows, jacobians._by_columns):
            together, alone = one_by_one(lambda by=by, record=record: by(record))
            for a, b in zip(tree.leaves(together), tree.leaves(alone), strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_dtypes_stay(dtype) -> None:
    x = X.astype(dtype)
    for f in (lambda x: x * np.sum(x), lambda x: np.mean(x) * x[:2], lambda x: np.sum(x) * 2.0):
        assert rg.jacobian(f)(x).dtype == dtype
    if dtype is not np.complex64:
        assert rg.hessian(lambda x: np.sum(np.exp(x) ** 2) / 3)(x).dtype == dtype


def counted(monkeypatch) -> list[int]:
    sizes: list[int] = []
    original = Batch.__init__
    monkeypatch.setattr(
        Batch, "__init__", lambda self, size: (sizes.append(size), original(self, size))[1]
    )
    return sizes


def test_a_jacobian_takes_all_directions_at_once(monkeypatch) -> None:
    sizes = counted(monkeypatch)
    hessian = rg.hessian(rosenbrock)(np.linspace(-1, 1, 20))
    assert sizes == [20]
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)


def test_large_arrays_are_taken_in_chunks(monkeypatch) -> None:
    sizes = counted(monkeypatch)
    monkeypatch.setattr(jacobians, "_ELEMENTS", 7 * 20)
    x = np.linspace(-1, 1, 20)
    chunked = rg.jacobian(np.sin)(x)
    assert sizes == [7, 7, 6]
    np.testing.assert_allclose(chunked, np.diag(np.cos(x)))


def test_what_branches_on_a_cotangent_is_taken_one_by_one(one_by_one) -> None:
    branching = primitive(lambda x: x * 1.0)
    defvjp(branching, lambda g, ans, x: g if float(g[0]) == 0 else 3 * g)
    together, alone = one_by_one(lambda: rg.jacobian(branching)(X))
    np.testing.assert_array_equal(together, np.diag([3.0, 1.0, 1.0]))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, ans, x: np.array([2 * float(c) for c in g]),
        lambda g, ans, x: np.array(np.asarray(g) * 2),
        lambda g, ans, x: g * 2 if g.any() else g,
        lambda g, ans, x: 2 * rg.value_of(g),
        lambda g, ans, x: g * 2 if "1." in str(g) and "1." in f"{g!r}" else g * 3,
        lambda g, ans, x: np.eye(3)[np.nonzero(g)[0][0]] * 2,
        lambda g, ans, x: g * 2 if 1.0 in g else g * 3,
        lambda g, ans, x: g * 3 if np.allclose(g, 0) else g * 2,
        lambda g, ans, x: g * (2 * max(g)),
        lambda g, ans, x: np.eye(3)[np.argmax(g)] * 2,
    ],
)
def test_plain_functions_of_a_cotangent_are_taken_one_by_one(rule) -> None:
    doubled = primitive(lambda x: 2 * x)
    defvjp(doubled, rule)
    np.testing.assert_array_equal(rg.jacobian(doubled)(X), 2 * np.eye(3))


def test_writing_to_a_cotangent_is_taken_one_by_one() -> None:
    def shifted(g, ans, x):
        g = g.copy()
        g[1:] += g[:-1]
        part = g[:1]
        part *= 5
        return g

    written = primitive(lambda x: x * 1.0)
    defvjp(written, shifted)
    expected = [[5, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(rg.jacobian(written)(X), expected)


def test_rules_may_use_arrays_made_by_retrograd() -> None:
    def placed(g, ans, x):
        out = rnp.zeros(3)
        out[0] = g[0] * 2
        return out

    first = primitive(lambda x: x * np.array([2.0, 0.0, 0.0]))
    defvjp(first, placed)
    np.testing.assert_array_equal(rg.jacobian(first)(X), np.diag([2.0, 0, 0]))


def test_an_error_of_a_rule_is_its_own() -> None:
    failing = primitive(lambda x: x * 1.0)

    def fail(g, ans, x):
        raise RuntimeError("the rule's own")

    defvjp(failing, fail)
    defjvp(failing, fail)
    with pytest.raises(RuntimeError, match="the rule's own"):
        rg.jacobian(failing)(X)


def test_the_mode_with_a_rule_is_taken() -> None:
    backwards, forwards = primitive(np.sin), primitive(np.sin)
    defvjp(backwards, lambda g, ans, x: g * np.cos(x))
    defjvp(forwards, lambda d, ans, x: d * np.cos(x))
    neither = primitive(np.sin)
    wide = np.ones((5, 3))
    for f in (backwards, forwards):
        np.testing.assert_allclose(rg.jacobian(f)(X), np.diag(np.cos(X)))
        np.testing.assert_allclose(rg.jacobian(lambda x, f=f: wide @ f(x))(X), wide * np.cos(X))
    with pytest.raises(MissingRuleError, match="sin"):
        rg.jacobian(neither)(X)


def test_jacobians_nest() -> None:
    third = rg.jacobian(rg.hessian(lambda x: np.sum(x**3) * x[0]))(X)
    numeric = np.zeros((3, 3, 3))
    for i, step in enumerate(np.eye(3) * 1e-5):
        hessian = rg.hessian(lambda x: np.sum(x**3) * x[0])
        numeric[..., i] = (hessian(X + step) - hessian(X - step)) / 2e-5
    np.testing.assert_allclose(third, numeric, rtol=1e-7, atol=1e-7)
    inner = rg.grad(lambda x: np.sum(rg.jacobian(lambda y: y * y * x)(x)))
    np.testing.assert_allclose(inner(X), 4 * X)
    pushed = rg.jvp(rg.jacobian(np.sin), (X,), (np.ones(3),))[1]
    np.testing.assert_allclose(pushed, -np.diag(np.sin(X)))


def test_a_batch_is_out_of_reach_of_plain_code() -> None:
    with Batch(2) as trace:
        box = trace.box(np.ones((2, 3)))
        assert box.shape == (3,)
        assert len(box) == 3
        for use in (np.asarray, bool, list, rg.value_of, float):
            with pytest.raises((UnbatchedError, DifferentiationError)):
                np.asarray(use(box * 1))
        with pytest.raises(UnbatchedError):
            box += 1


def test_jacobians_may_be_written_to() -> None:
    jacobian = rg.jacobian(lambda x: np.ones(3) * x[0])(X)
    jacobian[0] = 7.0
    assert jacobian[1].tolist() == [1.0, 0.0, 0.0]
    constant = rg.jacobian(np.floor)(X)
    constant += 1
    assert constant.tolist() == np.ones((3, 3)).tolist()
