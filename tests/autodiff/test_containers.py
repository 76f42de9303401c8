"""Containers of every kind, and leaves that are no floats, as arguments and results."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, DifferentiationError

X = np.array([0.3, 0.7, 1.1])
V = np.array([1.0, -2.0, 0.5])
Pair = namedtuple("Pair", "a b")


@dataclass
class Layer:
    w: Any
    b: Any = 0.0
    name: str = "layer"
    size: int = 3


@dataclass(frozen=True, slots=True)
class Model:
    first: Layer
    rest: tuple[Layer, ...]
    activation: Any = np.tanh
    scale: float = field(default=1.0, kw_only=True)


@dataclass
class Checked:
    x: Any

    def __post_init__(self) -> None:
        self.x = np.asarray(self.x, float)

    @cached_property
    def norm(self):
        return np.sqrt(np.sum(self.x**2))


@dataclass
class Derived:
    x: Any

    def __post_init__(self) -> None:
        self.total = self.x * 2


def test_dataclasses_are_containers_of_their_fields() -> None:
    model = Model(Layer(X, 0.5), (Layer(V, name="last"),), scale=2.0)

    def loss(m):
        assert isinstance(m, Model)
        assert (m.first.name, m.rest[0].name, m.first.size) == ("layer", "last", 3)
        return m.scale * np.sum(m.activation(m.first.w + m.first.b) * m.rest[0].w)

    gradient = rg.grad(loss)(model)
    assert type(gradient) is Model
    assert (gradient.activation, gradient.first.name, gradient.first.size) == (None, None, None)
    slope = 2 * V * (1 - np.tanh(X + 0.5) ** 2)
    np.testing.assert_allclose(gradient.first.w, slope)
    assert float(gradient.first.b) == pytest.approx(np.sum(slope))
    np.testing.assert_allclose(gradient.rest[0].w, 2 * np.tanh(X + 0.5))
    assert float(gradient.scale) == pytest.approx(np.sum(np.tanh(X + 0.5) * V))
    product = rg.hvp(loss)(model, gradient)
    assert product.first.name is None
    assert rg.tree.names(model)[0] == "first.w" or rg.tree.names(model)[0].endswith(".w")


def test_dataclasses_as_results() -> None:
    result, pullback = rg.vjp(lambda x: Layer(x * 2, np.sum(x), "made", 7), X)
    assert (result.name, result.size) == ("made", 7)
    (g,) = pullback(Layer(V, 1.0, None, None))
    np.testing.assert_allclose(g, 2 * V + 1)
    pushed = rg.jvp(lambda x: Layer(x * 2, np.sum(x)), (X,), (V,))[1]
    np.testing.assert_allclose(pushed.w, 2 * V)
    assert pushed.name is None


def test_dataclasses_with_code_of_their_own() -> None:
    gradient = rg.grad(lambda c: c.norm)(Checked([3.0, 4.0]))
    np.testing.assert_allclose(gradient.x, [0.6, 0.8])
    checked = Checked([3.0, 4.0])
    assert checked.norm == 5.0  # a cached property is no field, and calculated again
    np.testing.assert_allclose(rg.grad(lambda c: c.norm)(checked).x, [0.6, 0.8])
    with pytest.raises(ArgumentError, match=r"Derived\.total is no field.*property"):
        rg.grad(lambda d: np.sum(d.total))(Derived(X))


def test_every_kind_of_container_stays_what_it_is() -> None:
    containers = [
        (X, [V]),
        {"b": X, "a": V},
        OrderedDict(z=X, a=V),
        defaultdict(list, {"k": X}),
        Pair(X, (V, None)),
        deque([X, V]),
    ]
    for container in containers:
        gradient = rg.grad(lambda c: sum(np.sum(x * x) for x in rg.tree.leaves(c)))(container)
        assert type(gradient) is type(container)
        for g, x in zip(rg.tree.leaves(gradient), rg.tree.leaves(container), strict=True):
            np.testing.assert_allclose(g, 2 * x)
    ordered = rg.grad(lambda c: np.sum(c["z"]) + np.sum(c["a"]))(OrderedDict(z=X, a=V))
    assert list(ordered) == ["z", "a"]


LEAVES = {
    "w": X, "n": 2, "flag": True, "name": "f", "labels": np.array([0, 2]), "none": None,
    "mask": np.array([True, False, True]),
}  # fmt: skip


def picked(p):
    assert type(p["n"]) is int
    assert type(p["labels"]) is np.ndarray
    assert p["flag"] is True
    assert p["none"] is None
    assert p["name"] == "f"
    return np.sum(p["w"][p["labels"]] ** p["n"]) + np.sum(p["w"][p["mask"]])


def test_leaves_that_are_no_floats_pass_through() -> None:
    gradient = rg.grad(picked)(LEAVES)
    assert {k for k, g in gradient.items() if g is not None} == {"w"}
    np.testing.assert_allclose(gradient["w"], [2 * X[0] + 1, 0, 2 * X[2] + 1])
    (pulled,) = rg.vjp(picked, LEAVES)[1](1.0)
    np.testing.assert_allclose(pulled["w"], gradient["w"])
    direction = {**dict.fromkeys(LEAVES), "w": V}
    assert float(rg.jvp(picked, (LEAVES,), (direction,))[1]) == pytest.approx(
        np.dot(gradient["w"], V)
    )
    assert float(rg.linearize(picked, LEAVES)[1](direction)) == pytest.approx(
        np.dot(gradient["w"], V)
    )
    np.testing.assert_allclose(rg.hvp(picked)(LEAVES, direction)["w"], [2 * V[0], 0, 2 * V[2]])
    hessian = rg.hessian(picked)(LEAVES)
    assert hessian["n"] is None
    assert hessian["w"]["n"] is None
    np.testing.assert_allclose(hessian["w"]["w"], np.diag([2.0, 0, 2]))


def test_results_with_leaves_that_are_no_floats() -> None:
    def f(x):
        return {"y": x * 2, "n": len(x), "best": np.argmax(x), "name": "f", "none": None}

    result, pullback = rg.vjp(f, X)
    assert (result["n"], result["best"], result["name"], result["none"]) == (3, 2, "f", None)
    for other in (None, 0, "anything"):
        cotangent = {"y": V, "n": other, "best": other, "name": other, "none": None}
        np.testing.assert_array_equal(pullback(cotangent)[0], 2 * V)
    np.testing.assert_array_equal(pullback(dict.fromkeys(result))[0], np.zeros(3))
    _, tangent = rg.jvp(f, (X,), (V,))
    assert [tangent[k] for k in ("n", "best", "name")] == [None, None, None]
    np.testing.assert_array_equal(tangent["y"], 2 * V)
    jacobian = rg.jacobian(f)(X)
    assert jacobian["best"] is None
    np.testing.assert_array_equal(jacobian["y"], 2 * np.eye(3))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arguments_without_any_float() -> None:
    assert [float(g) for g in rg.grad(lambda x: x[0] * x[1])([2, 3])] == [3.0, 2.0]
    for refused in ({"i": np.array([1, 2])}, (True, 3.5 > 1), ["text"], np.array([1, 2])):
        with pytest.raises(DifferentiationError, match="astype"):
            rg.grad(lambda x: 1.0)(refused)
    for hidden in (np.array([1.0, None]), np.ma.masked_array([1.0]), np.matrix([[1.0]])):
        with pytest.raises(DifferentiationError, match="plain arrays"):
            rg.grad(lambda p: np.sum(p["w"]))({"w": X, "hidden": hidden})
    value = rg.jvp(lambda x, i: x[i], (X, np.array([0, 1])), (V, None))
    np.testing.assert_array_equal(value[1], V[:2])
    with pytest.raises(DifferentiationError, match="float arrays as result"):
        rg.jacobian(np.argmax)(X)


def test_jacobians_of_containers() -> None:
    def f(p, x):
        return {"sum": p["w"] + x * p["b"], "total": np.sum(p["w"] ** 2)}

    jacobian = rg.jacobian(f)({"w": X, "b": 2.0}, V)
    np.testing.assert_allclose(jacobian["sum"]["w"], np.eye(3))
    np.testing.assert_allclose(jacobian["sum"]["b"], V)
    np.testing.assert_allclose(jacobian["total"]["w"], 2 * X)
    assert float(jacobian["total"]["b"]) == 0.0
    both = rg.jacobian(f, (0, 1))({"w": X, "b": 2.0}, V)
    np.testing.assert_allclose(both["sum"][1], 2 * np.eye(3))
    hessian = rg.hessian(lambda p: np.sum(p["w"] ** 3) * p["b"])({"w": X, "b": 2.0})
    np.testing.assert_allclose(hessian["w"]["w"], np.diag(12 * X))
    np.testing.assert_allclose(hessian["w"]["b"], 3 * X**2)
    np.testing.assert_allclose(hessian["b"]["w"], 3 * X**2)


def test_numbers_and_arrays_keep_their_kinds() -> None:
    square = lambda x: x * x  # noqa: E731
    for x in (np.array(2.0), np.array(2.0, "f4"), np.float32(2.0), np.float64(2.0)):
        gradient = rg.grad(square)(x)
        assert type(gradient) is type(x)
        assert gradient.dtype == x.dtype
        (pulled,) = rg.vjp(square, x)[1](x)
        assert type(pulled) is type(x)
    assert np.ndim(rg.grad(square)(2.0)) == 0
    assert not isinstance(rg.grad(square)(2.0), np.ndarray)
    empty = rg.grad(lambda x: np.sum(x * x))(np.zeros((0, 3), "f4"))
    assert empty.shape == (0, 3)
    assert empty.dtype == np.float32
    assert rg.hessian(lambda x: np.sum(x * x))(np.zeros(0)).shape == (0, 0)


def test_tree_functions_on_dataclasses() -> None:
    doubled = rg.tree.map(lambda x: x * 2, Layer(X, 1.0, "n", 3))
    np.testing.assert_array_equal(doubled.w, 2 * X)
    assert (doubled.name, doubled.size) == ("nn", 6)
    added = rg.tree.map(lambda x, g: x if g is None else x - g, LEAVES, rg.grad(picked)(LEAVES))
    assert added["n"] == 2
    with pytest.raises(ArgumentError, match="structure"):
        rg.tree.map(lambda x, y: x, {"a": 1}, {"b": 1})
