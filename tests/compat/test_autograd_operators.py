"""The operators and helpers under Autograd's names: the same calls, the same results."""

from __future__ import annotations

import importlib
import types
from typing import Any

import autograd
import autograd.builtins
import autograd.core
import autograd.differential_operators
import autograd.extend
import autograd.misc.fixed_points
import autograd.misc.flatten
import autograd.misc.optimizers
import autograd.test_util
import autograd.tracer
import numpy as np
import pytest

import retrograd as rg
import retrograd.compat.autograd as compat
import retrograd.compat.autograd.numpy as cnp
from retrograd.compat.autograd import differential_operators, misc, test_util, tracer
from retrograd.compat.autograd.misc import fixed_points, optimizers
from retrograd.compat.autograd.misc.flatten import flatten_func
from retrograd.errors import ArgumentError, DifferentiationError, MissingRuleError
from retrograd.testing import GradientError

BOTH = (autograd, compat)
X, V = np.array([0.3, 0.7, 1.1]), np.array([1.0, -2.0, 0.5])
W = np.array([[0.4, -1.0, 0.3], [1.2, 0.2, -0.7]])


def in_both(call: Any) -> list[Any]:
    """What a call gives with either library, given it and its `numpy`."""
    return [call(library, library.numpy) for library in BOTH]


def assert_alike(found: Any, expected: Any) -> None:
    found, expected = rg.tree.leaves(found), rg.tree.leaves(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


CALLS = {
    "grad": lambda A, np: A.grad(lambda x: np.sum(np.tanh(x) ** 2))(X),
    "grad of one element": lambda A, np: A.grad(lambda x: np.sum(x**2, keepdims=True))(X),
    "grad argnum": lambda A, np: A.grad(lambda x, y: np.sum(x * y), argnum=1)(X, V),
    "grad argnums": lambda A, np: A.grad(lambda x, y: np.sum(x * y), [0, 1])(X, V),
    "grad keyword": lambda A, np: A.grad(lambda x, k=1.0: np.sum(k * x**2))(X, k=3.0),
    "grad of a dict": lambda A, np: A.grad(lambda d: d["b"][0] * d["a"])({"a": 2.0, "b": [3.0]}),
    "grad of a complex": lambda A, np: A.grad(lambda z: np.abs(z) ** 2 + np.imag(z))(1.0 + 2j),
    "grad_named": lambda A, np: A.grad_named(lambda x, y: np.sum(x * y**2), "y")(X, V),
    "value_and_grad": lambda A, np: A.value_and_grad(lambda x: np.sum(x**3, keepdims=True))(X),
    "grad_and_aux": lambda A, np: A.grad_and_aux(lambda x: (np.sum(x**3), 2 * x))(X),
    "elementwise_grad": lambda A, np: A.elementwise_grad(lambda x, y: np.sin(x) * y, 1)(X, V),
    "holomorphic_grad": lambda A, np: A.holomorphic_grad(lambda z: np.exp(z) * z)(1.0 + 2j),
    "deriv": lambda A, np: A.deriv(lambda x: np.sin(x) * x)(X),
    "jacobian": lambda A, np: A.jacobian(lambda x: np.tanh(W @ x))(X),
    "jacobian argnum": lambda A, np: A.jacobian(lambda y, x: np.outer(x, x) @ y, 1)(V, X),
    "hessian": lambda A, np: A.hessian(lambda x: np.sum(x**3) * x[0])(X),
    "hessian of an array": lambda A, np: A.hessian(lambda x: W @ x**3)(X),
    "hessian argnum": lambda A, np: A.hessian(lambda y, x: np.sum(y * x**3), argnum=1)(V, X),
    "hessian_vector_product": lambda A, np: A.hessian_vector_product(
        lambda x: np.sum(x**3) * x[1]
    )(X, V),
    "hessian_tensor_product": lambda A, np: A.hessian_tensor_product(
        lambda y, x: np.sum((y * x) ** 3), 1
    )(V, W, W),
    "tensor_jacobian_product": lambda A, np: A.tensor_jacobian_product(
        lambda x: np.outer(x, x**2)
    )(X, V),
    "vector_jacobian_product": lambda A, np: A.vector_jacobian_product(
        lambda x: W @ x**2
    )(X, V[:2]),
    "vector_jacobian_product of leading axes": lambda A, np: A.vector_jacobian_product(
        lambda x: np.outer(x, x)
    )(X, V),
    "make_vjp": lambda A, np: [
        A.make_vjp(lambda x: x**2)(X)[0](V),
        A.make_vjp(lambda x: x**2)(X)[1],
        A.make_vjp(lambda x, y: x * y, (0, 1))(X, V)[0](V),
        A.make_vjp(lambda x, y: x * y, argnum=1)(X, V)[0](V),
    ],
    "make_jvp": lambda A, np: [
        A.make_jvp(lambda x: x**2)(X)(V),
        A.make_jvp(lambda x, y: x * y**2, (0, 1))(X, V)((V, X)),
    ],
    "make_jvp_reversemode": lambda A, np: A.differential_operators.make_jvp_reversemode(
        lambda x: np.tanh(W @ x)
    )(X)(V),
    "make_hvp": lambda A, np: [
        A.make_hvp(lambda x: np.sum(x**3))(X)[0](V),
        A.make_hvp(lambda x: np.sum(x**3))(X)[1],
    ],
    "make_ggnvp": lambda A, np: [
        A.make_ggnvp(lambda x: np.tanh(W @ x))(X)(V),
        A.make_ggnvp(lambda y, x: np.tanh(W @ x) * y, lambda y: np.sum(np.exp(y)), 1)(2.0, X)(V),
    ],
    "checkpoint": lambda A, np: A.grad(lambda x: np.sum(A.checkpoint(np.tanh)(x) ** 2))(X),
    "core": lambda A, np: [
        A.core.make_vjp(lambda x: x**2, X)[0](V),
        A.core.make_jvp(lambda x: x**2, X)(V),
    ],
    "containers": lambda A, np: A.grad(
        lambda p: sum(np.sum(x**2) for x in A.tuple((p[0], p[1] * 2.0)))
    )((X, V)),
    "isinstance": lambda A, np: A.grad(
        lambda x: np.sum(x) * (2.0 if A.isinstance(x, type(X)) else 1.0)
    )(X),
    "type": lambda A, np: A.grad(lambda x: np.sum(x) * (2.0 if A.type(x) is type(X) else 1.0))(X),
    "getval": lambda A, np: A.grad(
        lambda x: np.sum(x * A.tracer.getval(x)) * (1.0 + A.tracer.isbox(x))
    )(X),
    "notrace_primitive": lambda A, np: A.grad(
        lambda x: np.sum(x) * A.tracer.notrace_primitive(lambda y: float(y[0]))(x)
    )(X),
    "flatten": lambda A, np: [
        A.misc.flatten({"b": [X, 2.0], "a": W})[0],
        A.misc.flatten({"b": [X, 2.0], "a": W})[1](np.arange(10.0)),
        A.grad(lambda p: np.sum(A.misc.flatten(p)[0] ** 3))({"b": [X, 2.0], "a": W}),
    ],
    "subvals": lambda A, np: list(A.util.subval(A.util.subvals((1, 2, 3), [(0, 5)]), 2, 7)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_gives_the_same_result(name: str) -> None:
    theirs, ours = in_both(CALLS[name])
    assert_alike(ours, theirs)


def test_all_public_names_are_there() -> None:
    for module in ("", ".differential_operators", ".extend", ".misc", ".test_util", ".tracer"):
        original = importlib.import_module("autograd" + module)
        adapter = importlib.import_module("retrograd.compat.autograd" + module)
        made_here = {
            name
            for name, value in vars(original).items()
            if getattr(value, "__module__", "").startswith("autograd") and not name.startswith("_")
        }
        internal = {
            "unary_to_nary", "wraps", "subvals", "toposort", "TraceStack", "find_top_boxed_args",
            "get_name", "atuple", "defvjp_argnum", "primitive", "vspace", "make_vjp", "make_jvp",
            "NotImplementedError", "scalar_close", "make_numerical_jvp",
        }  # fmt: skip
        internal -= {"vspace", "primitive"} if module in ("", ".extend") else set()
        assert made_here - internal <= set(dir(adapter)), module


def test_submodules_are_laid_out_as_autograds() -> None:
    for name in (
        "builtins", "core", "differential_operators", "extend", "misc.fixed_points",
        "misc.optimizers", "misc.tracers", "numpy.fft", "numpy.linalg", "numpy.numpy_boxes",
        "numpy.numpy_vjps", "numpy.random", "scipy.integrate", "scipy.linalg", "scipy.misc",
        "scipy.signal", "scipy.special", "scipy.stats.norm", "scipy.stats.dirichlet", "test_util",
        "tracer", "util", "wrap_util",
    ):  # fmt: skip
        module = importlib.import_module(f"retrograd.compat.autograd.{name}")
        found: Any = compat
        for part in name.split("."):
            found = getattr(found, part)
        assert found is module


def test_the_numpy_namespace_is_retrograds() -> None:
    names: dict[str, Any] = {}
    exec("from retrograd.compat.autograd.numpy import *", names)
    assert names["tanh"] is rg.numpy.tanh
    assert names["linalg"].solve is rg.numpy.linalg.solve
    assert cnp.metadata(X) == ((3,), 1, np.dtype(float), False)
    exec("from retrograd.compat.autograd.scipy.stats.norm import *", names)
    assert_alike(rg.grad(names["logpdf"])(1.5), -1.5)
    with pytest.raises(AttributeError, match="tanhh"):
        cnp.tanhh  # noqa: B018
    with pytest.raises(AttributeError, match=r"retrograd\.scipy may have it"):
        compat.scipy.cluster  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'gradd'"):
        compat.gradd  # noqa: B018


@pytest.mark.parametrize(
    "join",
    [
        lambda np, x: np.r_[x, 1.0, x[0], x[1:]],
        lambda np, x: np.r_[0:3, x],
        lambda np, x: np.r_[W * x, W],
        lambda np, x: np.c_[x, 2 * x, V],
        lambda np, x: np.c_[W * x, W[:, :1]],
        lambda np, x: np.c_[0:3, x],
    ],
)
def test_concatenators_take_traced_arrays(join: Any) -> None:
    def loss(x):
        joined = join(cnp, x)
        return np.sum(joined**3 * np.arange(joined.size).reshape(joined.shape))

    np.testing.assert_array_equal(join(cnp, X), join(np, X))
    rg.testing.check_grads(loss, X)
    assert cnp.r_["-1", X, X].shape == (6,)
    with pytest.raises(MissingRuleError, match="r_: no derivative rule covers the directive '-1'"):
        rg.grad(lambda x: np.sum(cnp.r_["-1", x, x]))(X)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_optimizers_make_the_same_steps(name: str) -> None:
    seen: list[list[Any]] = []

    def optimize(optimizers: Any) -> Any:
        seen.append([])
        return getattr(optimizers, name)(
            lambda p, i: {"a": 2 * (p["a"] - 3.0) + 0.01 * i, "b": [p["b"][0] ** 3]},
            {"a": np.array([0.5, 1.0]), "b": [np.array(0.7)]},
            callback=lambda p, i, g: seen[-1].append((p["a"].copy(), i, g["b"][0])),
            num_iters=7,
            step_size=0.05,
        )

    assert_alike(optimize(optimizers), optimize(autograd.misc.optimizers))
    assert_alike(*seen)


def test_an_optimizer_can_be_differentiated() -> None:
    def trained(step_size, A):
        gradient = A.grad(lambda x, i: A.numpy.sum((x - 1.0) ** 4))
        return A.numpy.sum(A.misc.optimizers.adam(gradient, X, num_iters=5, step_size=step_size))

    theirs, ours = in_both(lambda A, np: A.grad(lambda s: trained(s, A))(0.1))
    assert_alike(ours, theirs)


def test_flat_functions_of_containers() -> None:
    example = {"w": W, "b": 0.5}
    flat, unflatten, vector = flatten_func(lambda p, k: {"y": p["w"] * k, "z": p["b"]}, example)
    assert_alike(unflatten(vector), example)
    assert_alike(flat(vector, 2.0), np.append(2 * W.ravel(), 0.5))
    empty, unflatten_nothing = misc.flatten({})
    assert empty.shape == (0,)
    assert unflatten_nothing(empty) == {}
    with pytest.raises(ArgumentError, match=r"shape \(3,\).*7 numbers"):
        unflatten(X)


def test_fixed_points_of_containers_to_second_order() -> None:
    def step(a):
        return lambda x: {"u": np.cos(a["p"] * x["u"]), "v": 0.3 * x["v"] + x["u"] * a["q"]}

    def distance(x, y):
        return sum(abs(x[k] - y[k]) for k in x)

    def limit(p, q):
        return fixed_points.fixed_point(
            step, {"p": p, "q": q}, {"u": 0.1, "v": 0.0}, distance, 1e-14
        )

    rg.testing.check_grads(limit, 0.7, 1.3)


def test_make_vjp_takes_integers_and_several_results() -> None:
    vjp, value = compat.make_vjp(lambda x: [np.sum(x), {"y": x * 2}])(X)
    assert_alike(vjp([1, {"y": V}]), 1 + 2 * V)
    assert_alike(value, [np.sum(X), {"y": 2 * X}])


def test_multigrad_dict_has_every_argument_by_name() -> None:
    def f(x, y=2.0, *more, scale=1.0, **rest):
        return np.sum(x) * y * more[0] * scale * rest["power"]

    found = compat.multigrad_dict(f)(X, 2.0, 5.0, power=3.0)
    assert list(found) == ["x", "y", "more", "scale", "rest"]
    total = np.sum(X)
    assert_alike(found["x"], np.full(3, 30.0))
    assert_alike(
        [found["y"], found["more"], found["scale"]], [15 * total, (6 * total,), 30 * total]
    )
    assert_alike(found["rest"], {"power": 10 * total})


def test_gradients_of_what_is_no_number_are_refused() -> None:
    for operator in (compat.grad, compat.value_and_grad):
        with pytest.raises(DifferentiationError, match="jacobian, elementwise_grad or vjp"):
            operator(lambda x: x**2)(X)
        with pytest.raises(TypeError, match="one real number"):
            operator(lambda z: z**2)(1.0 + 2j)
    with pytest.raises(DifferentiationError, match="not complex-differentiable"):
        compat.holomorphic_grad(np.conj)(1.0 + 2j)


def test_check_grads_has_autograds_form_and_is_not_fooled() -> None:
    @compat.primitive
    def wrong(x, y):
        return 1e-7 * x * y

    compat.extend.defvjp(
        wrong, lambda ans, x, y: lambda g: -5e-7 * g * y, lambda ans, x, y: lambda g: 1e-7 * g * x
    )
    test_util.check_grads(wrong, argnum=1, modes=["rev"], order=2)(X, V)
    with pytest.raises(GradientError, match="reverse mode"):
        test_util.check_grads(wrong, modes=["rev"], order=1)(X, V)
    with pytest.raises(AssertionError):
        test_util.check_vjp(lambda x: wrong(x, V), X)
    test_util.check_jvp(np.sin, X)
    test_util.combo_check(lambda x, k: np.sum(x**k), (0,))([X, V], k=[2, 3])
    with pytest.raises(GradientError):
        test_util.combo_check(wrong, (0,), modes=["rev"])([X, V], [V])
    with pytest.raises(ArgumentError, match="'fwd' and 'rev'"):
        test_util.check_grads(np.sin, modes=["reverse"])
    test_util.check_equivalent({"a": X}, {"a": X + 1e-9})
    for other in ({"a": X + 1e-3}, {"a": X[:2]}, {"b": X}):
        with pytest.raises(AssertionError):
            test_util.check_equivalent({"a": X}, other)


def test_arrays_made_inside_are_no_boxes() -> None:
    def f(x):
        made = cnp.zeros(3)
        assert not tracer.isbox(made)
        assert isinstance(x, compat.numpy.numpy_boxes.ArrayBox)
        assert tracer.isbox(x)
        made[0] = x[0]
        assert tracer.isbox(made)
        return cnp.sum(made)

    assert_alike(compat.grad(f)(X), np.array([1.0, 0.0, 0.0]))


def test_const_graph_follows_branches() -> None:
    shown = misc.const_graph(lambda k, x: k * x if x > 0 else -x, 3.0)
    assert [shown(2.0), shown(-2.0)] == [6.0, 2.0]


ABSENT = {
    ("extend", "vspace"): lambda vspace: vspace(X),
    ("extend", "VSpace"): lambda VSpace: VSpace.register(int),
    ("extend", "SparseObject"): lambda SparseObject: SparseObject(None, None),
    ("extend", "VJPNode"): lambda VJPNode: VJPNode.new_root(),
    ("extend", "JVPNode"): lambda JVPNode: types.new_class("Mine", (JVPNode,)),
    ("extend", "register_notrace"): lambda register: register(None, np.sin),
    ("core", "vspace"): lambda vspace: vspace(X).zeros(),
    ("tracer", "Node"): lambda Node: types.new_class("Mine", (Node,)),
    ("tracer", "new_box"): lambda new_box: new_box(X, 0, None),
    ("tracer", "trace"): lambda trace: trace(None, np.sin, X),
    ("tracer", "trace_stack"): lambda stack: stack.new_trace(),
    ("misc.tracers", "full_graph"): lambda full_graph: full_graph(np.sin, X),
    ("numpy.numpy_boxes", "SequenceBox"): lambda kind: isinstance(X, kind),
    ("test_util", "scalar_close"): lambda close: close(1.0, 1.0),
    ("util", "toposort"): lambda toposort: toposort(None),
    ("util", "quick_grad_check"): lambda check: check(np.sin, 1.0),
}


@pytest.mark.parametrize(("module", "name"), ABSENT)
def test_what_cannot_be_offered_names_the_cure(module: str, name: str) -> None:
    absent = getattr(importlib.import_module(f"retrograd.compat.autograd.{module}"), name)
    with pytest.raises(AttributeError, match=rf"no {name}, which is a part of Autograd.*: \w+"):
        ABSENT[module, name](absent)
    assert name in repr(absent)


def test_the_operators_keep_names_and_docstrings() -> None:
    def loss(x):
        """A loss."""
        return np.sum(x)

    for name in differential_operators.__all__:
        operator = getattr(differential_operators, name)
        made = operator(loss, "x") if name == "grad_named" else operator(loss)
        assert (made.__name__, made.__doc__) == ("loss", "A loss.")
