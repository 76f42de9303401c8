"""What rules read: every one gives the same when a tape has let go of what it does not read."""

from __future__ import annotations

import dis
import operator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff import reads, tape, tree, vjp
from retrograd.autodiff.primitive import REGISTRY
from retrograd.autodiff.reads import ANS, Plan, Shadow, reads_of, shadow
from retrograd.errors import InterceptionError, RetrogradError
from retrograd.extend import defvjp, elementwise, linear, multilinear, primitive
from retrograd.testing.samples import samples

SAMPLES = samples("numpy") | samples("scipy")
LARGE = np.linspace(0.1, 1.0, 500)  # more bytes than are kept without need


def called(function: Any) -> Any:
    dispatched = type(function).__name__ == "_ArrayFunctionDispatcher"
    intercepted = dispatched and function is not np.full_like
    return function if isinstance(function, np.ufunc) or intercepted else REGISTRY[function]


@pytest.fixture
def everything_shadowed(monkeypatch):
    """Tapes that keep no array, however small, that no rule reads."""
    monkeypatch.setattr(reads, "SMALL", -1)
    monkeypatch.setattr(tape, "SMALL", -1)


def seeds(y: Any) -> Any:
    """A cotangent of a result, with numbers of no symmetry."""

    def seed(leaf: Any) -> Any:
        if not tree.is_float(leaf):
            return None
        numbers = 0.3 + np.cos(np.arange(np.size(leaf))).reshape(np.shape(leaf))
        return numbers.astype(np.result_type(leaf))

    return tree.map(seed, y)


def derivatives(call: Any, inputs: Any) -> list[Any]:
    """First and second derivatives in reverse mode, and those of the transposed forward rules."""

    def first(*x: Any) -> Any:
        y, pullback = vjp(call, *x)
        return pullback(seeds(y))

    found = [first(*inputs)]
    with np.errstate(all="ignore"):
        try:
            y, pullback = vjp(first, *inputs)
            found.append(pullback(seeds(y)))
        except RetrogradError as error:
            found.append(str(type(error)))
    return found


CASES = [
    pytest.param(function, np.dtype(dtype), id=f"{function.__name__}-{dtype}")
    for function, some in SAMPLES.items()
    for dtype in ("f8", "c16")
    if dtype == "f8" or any(sample.is_complex for sample in some)
]


@pytest.mark.filterwarnings("ignore")  # of NumPy, at the edges that some samples are about
@pytest.mark.parametrize(("function", "dtype"), CASES)
def test_no_rule_reads_what_a_tape_has_let_go(function, dtype, monkeypatch) -> None:
    for sample in SAMPLES[function]:
        if dtype.kind == "c" and not sample.is_complex:
            continue
        call, inputs = sample.closed(called(function)), sample.inputs(dtype.type)
        # SciPy's logm draws from NumPy's global generator, and its last bits can depend on that.
        state = np.random.get_state()
        expected = derivatives(call, inputs)
        np.random.set_state(state)
        with monkeypatch.context() as patch:
            patch.setattr(reads, "SMALL", -1)
            patch.setattr(tape, "SMALL", -1)
            found = derivatives(call, inputs)
        for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
            assert isinstance(a, str) or np.result_type(a) == np.result_type(b)
            np.testing.assert_array_equal(a, b)


def test_values_are_let_go(everything_shadowed) -> None:
    x = np.ones(3)
    with tape.Tape(lean=True) as trace:
        box = trace.watch(x)
        np.sum(np.tanh(box + x) * 2.0)
    entries = [tape.unpacked(entry) for entry in trace.entries[1:] if entry is not None]
    kept = [[type(value) for value in (ans, *args)] for _, ans, args, _, _ in entries]
    assert kept[0][1:] == [Shadow, Shadow]  # x + x
    assert kept[1][0] is np.ndarray  # tanh's rule reads its result
    assert kept[3][1] is Shadow  # a sum reads nothing


def test_a_shadow_shares_the_shape_and_dtype_of_its_array() -> None:
    x = np.zeros((2, 3), np.float32)
    gone = Shadow(x)
    assert (gone.shape, gone.dtype, gone.ndim, gone.size) == ((2, 3), x.dtype, 2, 6)
    assert isinstance(gone, np.ndarray)
    assert (len(gone), np.shape(gone), np.ndim(gone), np.size(gone)) == (2, (2, 3), 2, 6)
    assert not np.iscomplexobj(gone)
    assert np.result_type(gone) == x.dtype
    for made in (np.zeros_like(gone), np.ones_like(gone), np.empty_like(gone)):
        assert (type(made), made.shape, made.dtype) == (np.ndarray, (2, 3), x.dtype)
    assert shadow(x) is x  # small
    assert type(shadow(np.zeros(1000))) is Shadow


@pytest.mark.parametrize(
    "use",
    [
        bool, float, list, iter, hash, np.asarray, np.array, np.sum, np.any, np.exp, np.copy,
        lambda x: x[0], lambda x: x + 1.0, lambda x: 2.0 * x, lambda x: np.ones((2, 3)) * x,
        lambda x: np.float64(2.0) * x, lambda x: np.add(x, 1.0), lambda x: x == 0, lambda x: x != 0,
        lambda x: x < 0, lambda x: x >= 0, lambda x: 1.0 in x, lambda x: -x, lambda x: x.T,
        lambda x: x.sum(), lambda x: hasattr(x, "astype"), lambda x: np.where(x, 1.0, 2.0),
        lambda x: np.ones(2) @ x, lambda x: np.dot(np.ones(2), x), lambda x: np.concatenate([x, x]),
        lambda x: np.multiply(1.0, 2.0, out=x), lambda x: np.isnan(x), lambda x: x.real,
    ],
)  # fmt: skip
def test_every_other_use_of_a_shadow_raises(use) -> None:
    with pytest.raises(TypeError):
        use(Shadow(np.ones((2, 3))))


def with_default(g, ans, x, y=2.0):
    return g * y


def with_inner_function(g, ans, x, y):
    def inner():
        return g * y

    return inner()


def with_comprehension(g, ans, x, y):
    return [g * y[i] for i in range(3)]


def with_varargs(g, ans, *args):
    return g


def with_keywords(g, ans, x, *, axis=None, **kwargs):
    return g


def with_locals(g, ans, x):
    return g * locals()["x"]


def with_eval(g, ans, x):
    return g * eval("x")


def with_assignment(g, ans, x, y):
    y = 2.0
    return g * y


def with_delete(g, ans, x):
    del x
    return g


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (lambda g, ans: g, {-2}),
        (lambda g, ans, x: g * ans, {-2, ANS}),
        (lambda g, ans, x, y: g * y, {-2, 1}),
        (lambda g, ans, x, y: (x, y, g), {-2, 0, 1}),
        (lambda g, ans, x, y: [g for _ in x], {-2, 0}),
        (lambda g, ans, x, y: (lambda: lambda: g * y)()(), {-2, 1}),
        (with_default, {-2, 1}),
        (with_inner_function, {-2, 1}),
        (with_comprehension, {-2, 1}),
        (with_keywords, {-2}),
        (with_assignment, {-2, 1}),
        (with_delete, {-2, 0}),
        (with_varargs, None),
        (with_locals, None),
        (with_eval, None),
        (partial(with_default, y=3.0), None),
        (operator.mul, None),
        (np.multiply, None),
        (SimpleNamespace(vjp=with_default), None),
        (np.vectorize(with_default), None),
    ],
)
def test_the_code_of_a_rule_tells_what_it_reads(rule, expected) -> None:
    assert reads_of(rule, -2) == (None if expected is None else frozenset(expected))


@pytest.mark.parametrize(
    ("name", "argval"),
    [
        ("LOAD_FAST", "y"), ("LOAD_FAST_CHECK", "y"), ("LOAD_FAST_BORROW", "y"),
        ("LOAD_CLOSURE", "y"), ("LOAD_DEREF", "y"), ("MAKE_CELL", "y"),
        ("LOAD_FAST_LOAD_FAST", ("ans", "y")), ("STORE_FAST_LOAD_FAST", ("z", "y")),
        ("LOAD_FAST_BORROW_LOAD_FAST_BORROW", ("y", "ans")),
    ],
)  # fmt: skip
def test_bytecode_of_other_interpreters(name, argval, monkeypatch) -> None:
    instruction = SimpleNamespace(opname=name, argval=argval)
    monkeypatch.setattr(dis, "get_instructions", lambda code: [instruction])
    found = reads_of(lambda g, ans, x, y: None, -2)
    assert found is not None
    assert found - {ANS} == {1}


def test_a_plan_keeps_what_is_read() -> None:
    plan = Plan(frozenset({ANS, 1}), 3)
    assert (plan.drops_ans, plan.shadows) == (False, (0, 2))
    assert Plan(frozenset(), 2).drops_ans
    everything = Plan(None, 3)
    assert (everything.drops_ans, everything.shadows) == (False, ())
    assert Plan(frozenset({0}), 20).shadows == tuple(range(1, reads.MOST_ARGUMENTS))
    assert Plan(frozenset(), 20).shadows == tuple(range(20))


def test_several_traced_arguments_keep_what_any_of_their_rules_reads() -> None:
    product = multilinear(
        primitive(lambda x, y: x * y), lambda g, ans, x, y: g * y, lambda g, ans, x, y: g * x
    )
    assert product.plan(1, 2).shadows == (0,)
    assert product.plan(2, 2).shadows == (1,)
    assert product.plan(3, 2).shadows == ()
    assert product.plan(3, 2).drops_ans


def test_a_rule_that_is_replaced_is_looked_at_again() -> None:
    squashed = elementwise(primitive(lambda x: np.tanh(x)), lambda ans, x: 1 - ans * ans)
    expected = 1 - np.tanh(LARGE) ** 2
    for rule in (
        None,
        lambda g, ans, x: g * (1 - np.tanh(x) ** 2),
        lambda g, ans, x: g * (1 - ans**2),
    ):
        if rule is not None:
            defvjp(squashed, rule)
        np.testing.assert_allclose(rg.grad(lambda x: np.sum(squashed(x)))(LARGE), expected)
    (entry,) = squashed.plans.values()
    assert (entry.drops_ans, entry.shadows) == (False, (0,))


def test_stated_rules_replace_a_pullback_and_an_accumulation() -> None:
    doubled = primitive(lambda x: 2 * x)
    doubled.pullback = lambda argnums, g, ans, x: [g * 0]
    doubled.add_into = lambda total, g, ans, x: True
    defvjp(doubled, lambda g, ans, x: 2 * g)
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(doubled(x) + x))(LARGE), 3.0)


def test_a_linear_rule_may_ask_for_the_shape_of_its_argument() -> None:
    def transpose(g, ans, x):
        assert isinstance(x, np.ndarray)
        return np.zeros_like(x) + g[::-1] if len(x) else g

    reverse = linear(primitive(lambda x: x[::-1] * 1), transpose)
    weights = np.arange(500.0)
    gradient = rg.grad(lambda x: np.sum(reverse(x) * weights))(LARGE)
    np.testing.assert_array_equal(gradient, weights[::-1])


def test_a_rule_that_is_not_linear_is_found_out() -> None:
    squared = linear(primitive(lambda x: x * x), lambda g, ans, x: 2 * g * x)
    with pytest.raises(TypeError):
        rg.grad(lambda x: np.sum(squared(x)))(LARGE)
    summed = linear(primitive(np.sum), lambda g, ans, x: g * np.cos(x))
    with pytest.raises(TypeError, match="said that it reads shape and dtype alone"):
        rg.grad(lambda x: summed(x))(LARGE)


def test_objects_are_refused_where_nothing_is_read() -> None:
    for size in (2, 2000):
        with pytest.raises(InterceptionError, match="dtype object"):
            rg.grad(lambda x, size=size: np.sum(x + np.array([1] * size, object)))(np.ones(size))
