"""Random optimizers, wrapped at random, with random hyperparameters, against a loop in floats.

The reference is `Optimizer.update` in a loop, differentiated as any other function. The numbers
that decay a slot are multiples of 2**-12, so that the lattice multiplies by just these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd import tree
from retrograd.adjoints import (
    Adjoint,
    Auto,
    Checkpointed,
    Coded,
    Linear,
    OnlineLinear,
    OptimizerInverse,
    Reversible,
    Stored,
    Straight,
    StraightLine,
    Truncated,
)
from retrograd.backends import NumpyBackend
from retrograd.lattice import Layout
from retrograd.optimizers import OPTIMIZERS, WRAPPERS, ClippedByNorm, Optimizer, table

BACKEND = NumpyBackend()
Build = Callable[[Mapping[str, Any]], Optimizer]

# The range of each hyperparameter's values, and what they are multiples of.
RANGES = {
    "rate": (1, 24, 256),
    "rest_rate": (1, 24, 256),
    "momentum": (16, 60, 64),
    "beta1": (16, 60, 64),
    "beta2": (16, 60, 64),
    "smoothing": (16, 60, 64),
    "dampening": (-8, 40, 64),
    "epsilon": (20, 300, 1000),
    "momentum_decay": (0, 300, 1000),
    "threshold": (200, 3000, 1000),
    "decay": (0, 8, 16),
}
# These enter factors by functions that give no multiples of 2**-12.
WITHOUT_ELEMENTS = {"momentum_decay"}


def weights(rng: np.random.Generator) -> Any:
    normal = rng.normal
    return [
        normal(size=3),
        {"b": normal(size=2), "a": normal(size=(2, 3))},
        [normal(size=()), normal(size=2), normal(size=1)],
        (normal(size=(2, 2, 2)), {"z": float(normal())}),
        normal(size=()),
        [normal(size=(3, 2)), normal(size=(1, 4)), normal(size=5)],
    ][rng.integers(6)]


def problem(rng: np.random.Generator, w0: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A loss, and what it reads; sometimes it ignores every other weight."""
    size = sum(np.size(leaf) for leaf in tree.leaves(w0))
    mixing = rng.normal(size=(4, size)) / np.sqrt(size)
    seen = np.arange(size) % 2 if rng.random() < 0.3 else np.ones(size)
    bent = (np.tanh, np.sin, lambda y: y - np.exp(-0.1 * y**2))[rng.integers(3)]

    def loss(w: Any, hyper: Any, step: int) -> Any:
        flat = seen * rnp.concatenate([rnp.reshape(leaf, -1) for leaf in tree.leaves(w)])
        missed = bent(mixing @ flat) - hyper["target"] * np.cos(step + np.arange(4.0))
        total = 0.5 * rnp.sum(missed**2)
        if hyper["penalty"] is not None:
            total = total + hyper["penalty"] * rnp.sum(flat**2)
        return total * hyper["whole"]

    penalty = (None, np.float32(0.125), 0.25, np.array(0.3))[rng.integers(4)]
    return loss, {"target": rng.uniform(0.5, 1.5, 4), "penalty": penalty, "whole": 2}


def plain(values: Any) -> Any:
    return values


def hyperparameter(
    rng: np.random.Generator, name: str, w0: Any, steps: int, *, one: bool
) -> tuple[Any, Callable[[Any], Any]]:
    """Values in one of the forms that are allowed, and how they are marked."""
    leaves, structure = tree.flatten(w0)
    low, high, parts = RANGES[name]

    def some(*shape: int) -> Any:
        values = rng.integers(low, high + 1, size=shape) / parts
        return values if shape else float(values)

    def each(shaped: Callable[..., Any]) -> Any:
        return tree.unflatten(structure, [shaped(*np.shape(leaf)) for leaf in leaves])

    forms: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (some, plain),
        (lambda: some(steps), rg.per_step),
        (lambda: some(len(leaves)), rg.per_leaf),
        (lambda: some(steps, len(leaves)), rg.per_step),
        (lambda: each(lambda *_: some()), plain),
        (lambda: each(lambda *_: some(steps)), rg.per_step),
        (lambda: each(some), plain),
        (lambda: each(lambda *shape: some(steps, *shape)), rg.per_step),
        (lambda: each(lambda *shape: some(*[n if n % 2 else 1 for n in shape])), plain),
    ]
    count = 2 if one else 6 if name in WITHOUT_ELEMENTS else len(forms)
    values, mark = forms[rng.integers(count)]
    return values(), mark


def program(
    rng: np.random.Generator, kind: type[Optimizer], w0: Any, steps: int
) -> tuple[dict[str, Any], Build]:
    """Values of all hyperparameters, and what makes an optimizer, wrapped at random, of them."""
    values: dict[str, Any] = {}

    def layer(kind: type[Optimizer], level: int) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        names = [f.name for f in fields(kind) if f.name in RANGES]
        if kind.__name__ == "RMSprop" and rng.random() < 0.5:
            names.remove("momentum")
        marks = {}
        for name in names:
            given = hyperparameter(rng, name, w0, steps, one=kind is ClippedByNorm)
            values[f"{level} {kind.__name__} {name}"], marks[name] = given
        return lambda known: {
            name: mark(known[f"{level} {kind.__name__} {name}"]) for name, mark in marks.items()
        }

    kinds = [kind, *[WRAPPERS[i] for i in rng.integers(len(WRAPPERS), size=rng.integers(4))]]
    layers = [(outer, layer(outer, level)) for level, outer in enumerate(kinds)]

    def build(known: Mapping[str, Any]) -> Optimizer:
        innermost: Any = layers[0][0]
        optimizer = innermost(**layers[0][1](known))
        for wrapper, given in layers[1:]:
            outer: Any = wrapper
            optimizer = outer(optimizer, **given(known))
        return optimizer

    return values, build


class Loop:
    """Training by `Optimizer.update`, one step at a time.

    Args:
        loss: the loss.
        w0: the initial weights.
        optimizer: the optimizer.
        steps: how many steps the hyperparameters are for.
    """

    def __init__(self, loss: Any, w0: Any, optimizer: Optimizer, steps: int) -> None:
        leaves, self.structure = tree.flatten(w0)
        self.loss, self.optimizer = loss, optimizer
        self.layout = Layout([np.shape(leaf) for leaf in leaves])
        self.tables = {
            name: table(
                name,
                given,
                layout=self.layout,
                structure=self.structure,
                steps=steps,
                backend=BACKEND,
            )
            for name, given in optimizer.hyperparameters().items()
        }
        self.start = optimizer.start(rnp.concatenate([rnp.reshape(leaf, -1) for leaf in leaves]))

    def taken(self, slots: Any, hyper: Any, t: int) -> Any:
        """The slots after step t."""
        gradient = rg.grad(lambda flat: self.loss(self.tree(flat), hyper, t))(slots["weights"])
        rows = {name: self._row(values, t) for name, values in self.tables.items()}
        given = {"root": BACKEND.root, "xp": rnp, "layout": self.layout}
        return self.optimizer.update(slots, gradient, rows, t, given)

    def trained(self, hyper: Any, steps: int) -> Any:
        """The weights, or their average, after so many steps."""
        slots = self.start
        for t in range(steps):
            slots = self.taken(slots, hyper, t)
        return self.tree(slots[self.optimizer.program.result])

    def tree(self, flat: Any) -> Any:
        """A flat vector as a container like the weights."""
        spans = zip(self.layout.leaves, self.layout.shapes, strict=True)
        return tree.unflatten(
            self.structure, [rnp.reshape(flat[span], shape) for span, shape in spans]
        )

    def _row(self, values: Any, t: int) -> Any:
        row = values[t if len(values) > 1 else 0]
        if len(row) == 1:
            return row[0]
        leaf = np.repeat(np.arange(len(self.layout)), self.layout.sizes)
        return row if len(row) == self.layout.size else row[leaf]


def objective(w: Any) -> Any:
    """Something nonlinear of all weights."""
    flat = [rnp.reshape(leaf, -1) for leaf in tree.leaves(w)]
    return sum(rnp.sum((rnp.sin(x) + 0.3 * x) * np.cos(1.0 + np.arange(len(x)))) for x in flat)


def adjoints(rng: np.random.Generator, optimizer: Optimizer, steps: int) -> list[Adjoint]:
    """Two exact strategies that admit the optimizer, and `Reversible` if it does."""
    models = (Straight(), OptimizerInverse(), Linear(), OnlineLinear())
    others = [
        Stored(),
        Checkpointed(int(rng.integers(1, 4))),
        Checkpointed(memory="1 MB"),
        Coded(models[rng.integers(4)], checkpoints=int(rng.integers(1, 3))),
        Auto(quiet=True),
        Truncated(steps),
    ]
    found: list[Adjoint] = [others[i] for i in rng.permutation(len(others))[:2]]
    if optimizer.program.obstacle() is None:
        found.append(Reversible(checkpoints=int(rng.integers(3))))
    return found


def assert_near(found: Any, expected: Any) -> None:
    """All leaves agree, but for what rounding to the lattice and to a leaf's own dtype does."""
    assert tree.flatten(found)[1] == tree.flatten(expected)[1]
    pairs = zip(tree.names(expected), tree.leaves(found), tree.leaves(expected), strict=True)
    for name, a, b in pairs:
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        rounding = 1e-7 if a.dtype == np.float64 else 1e-5
        assert np.abs(a - b).max() <= rounding * max(np.abs(b).max(), 0.1), name


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_gradient_of_a_random_program(kind: type[Optimizer], seed: int) -> None:
    """With respect to the weights, what the loss reads, and all hyperparameters, all at once."""
    rng = np.random.default_rng([seed, OPTIMIZERS.index(kind)])
    w0, steps = weights(rng), int(rng.integers(1, 8))
    loss, hyper = problem(rng, w0)
    values, build = program(rng, kind, w0, steps)
    whole = hyper.pop("whole")

    def in_floats(w: Any, hyper: Any, values: Any) -> Any:
        loop = Loop(loss, w, build(values), steps)
        return objective(loop.trained({**hyper, "whole": whole}, steps))

    expected = rg.grad(in_floats, (0, 1, 2))(w0, hyper, values)
    for adjoint in adjoints(rng, build(values), steps):

        def on_the_way(w: Any, hyper: Any, values: Any, adjoint: Adjoint = adjoint) -> Any:
            read = {**hyper, "whole": whole}
            return objective(rg.train(loss, w, read, build(values), steps, adjoint=adjoint))

        assert_near(rg.grad(on_the_way, (0, 1, 2))(w0, hyper, values), expected)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_approximate_gradients_are_those_of_their_definition(kind: type[Optimizer]) -> None:
    """A sweep of the float loop over its last states, or over the points of the straight line."""
    rng = np.random.default_rng(OPTIMIZERS.index(kind))
    w0, steps, last = weights(rng), 6, 3
    loss, hyper = problem(rng, w0)
    values, build = program(rng, kind, w0, steps)
    loop = Loop(loss, w0, build(values), steps)
    states = [loop.start]
    for t in range(steps):
        states.append(loop.taken(states[-1], hyper, t))
    first, end, result = states[0], states[-1], loop.optimizer.program.result
    line = [
        {slot: (1 - t / steps) * x + t / steps * end[slot] for slot, x in first.items()}
        for t in range(steps)
    ]
    for adjoint, visited in ((Truncated(last), {t: states[t] for t in range(last, steps)}),
                             (StraightLine(), dict(enumerate(line)))):  # fmt: skip
        bars = {slot: np.zeros(loop.layout.size) for slot in end}
        bars[result] = rg.grad(lambda flat: objective(loop.tree(flat)))(end[result])
        expected = 0.0
        for t in sorted(visited, reverse=True):
            _, pullback = rg.vjp(
                lambda slots, target, t=t: loop.taken(slots, {**hyper, "target": target}, t),
                visited[t],
                hyper["target"],
            )
            bars, part = pullback(bars)
            expected = expected + part

        def trained(target: Any, adjoint: Adjoint = adjoint) -> Any:
            read = {**hyper, "target": target}
            return objective(rg.train(loss, w0, read, build(values), steps, adjoint=adjoint))

        assert_near(rg.grad(trained)(hyper["target"]), expected)
