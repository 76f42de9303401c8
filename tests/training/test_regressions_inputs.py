"""Inputs of a kind that once was refused, or that came back in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.adjoints import Adjoint, Auto, Checkpointed, Coded, Stored
from retrograd.errors import ArgumentError, ReversalError

EVERY = [Stored(), Checkpointed(1), Checkpointed(memory="1 MB"), Coded(), Auto(quiet=True)]


class Bulky:
    """A data set that nobody should read from its first element to its last."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> float:
        raise AssertionError("it was read")


def misfit(w: Any, target: Any, step: int) -> Any:
    return rnp.sum(rnp.tanh(w - target * np.cos(step)) ** 2)


def misfits(w: Any, target: Any, step: int) -> Any:
    return misfit(w[0], target, step) + misfit(w[1], target, step)


@pytest.mark.parametrize("adjoint", EVERY, ids=repr)
def test_maps_may_read_whole_numbers_text_and_objects(adjoint: Adjoint) -> None:
    def step(x: Any, params: Any, t: int) -> Any:
        return params["map"](x) * params["tokens"][t] * params["gain"]

    def last(x: Any, gain: Any) -> Any:
        params = {"gain": gain, "tokens": np.arange(1, 4), "map": np.sin, "data": Bulky(), "no": 7}
        return np.sum(rg.iterate(step, x, params, 3, adjoint=adjoint))

    def written_out(x: Any, gain: Any) -> Any:
        for token in (1, 2, 3):
            x = rnp.sin(x) * token * gain
        return rnp.sum(x)

    x = np.array([0.3, -1.2])
    found, expected = (rg.grad(f, (0, 1))(x, 0.7) for f in (last, written_out))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


def test_losses_may_read_text_and_objects(tmp_path: Any) -> None:
    def trained(hyper: Any, saved: Any = None) -> Any:
        def loss(w: Any, read: Any, step: int) -> Any:
            return misfit(w, read["hyper"] + len(read["name"]), step)

        read = {"hyper": hyper, "name": "ab", "map": np.sin, "data": Bulky()}
        optimizer = rg.Momentum(0.1, 0.5)
        return np.sum(rg.train(loss, np.array([1.0, -1.0]), read, optimizer, 4, saved=saved))

    def plainly(hyper: Any) -> Any:
        w0, optimizer = np.array([1.0, -1.0]), rg.Momentum(0.1, 0.5)
        return np.sum(rg.train(misfit, w0, hyper, optimizer, 4))

    expected = rg.grad(plainly)(2.5)
    assert rg.grad(trained)(0.5) == expected
    saved = rg.Saved(tmp_path)
    assert rg.grad(lambda hyper: trained(hyper, saved))(0.5) == expected


@pytest.mark.parametrize(
    ("weights", "rate"),
    [
        ((np.ones(2), {"a": np.ones(3)}), (0.125, {"a": 0.25})),
        ([np.ones(2), [np.ones(3), np.ones(1)]], [0.125, [0.25, 0.5]]),
    ],
    ids=["of other containers", "ragged"],
)
def test_a_list_of_numbers_like_the_weights_may_hold_lists_and_dicts(
    weights: Any, rate: Any
) -> None:
    def loss(w: Any, hyper: Any, step: int) -> Any:
        return sum(rnp.sum(leaf**2) for leaf in rg.tree.leaves(w)) / 2

    def trained(rate: Any) -> Any:
        w = rg.train(loss, weights, None, rg.Momentum(rate, 0.5), 1)
        return sum(rnp.sum(leaf) for leaf in rg.tree.leaves(w))

    # w - rate * w, from w = 1
    sizes = [leaf.size for leaf in rg.tree.leaves(weights)]
    kept = [n * (1 - r) for n, r in zip(sizes, rg.tree.leaves(rate), strict=True)]
    assert trained(rate) == sum(kept)
    assert rg.tree.leaves(rg.grad(trained)(rate)) == [-n for n in sizes]


@pytest.mark.parametrize("make", [list, tuple])
def test_a_container_that_is_no_hyperparameter_is_refused_while_it_is_traced(
    make: Callable[..., Any],
) -> None:
    def trained(rate: Any) -> Any:
        optimizer = rg.Momentum(make([rate, {"a": rate}]), 0.5)
        return np.sum(rg.train(misfit, np.ones(2), 0.5, optimizer, 2))

    with pytest.raises(ArgumentError, match="numbers"):
        rg.grad(trained)(0.125)


def test_some_elements_may_keep_all_of_their_weight() -> None:
    """A factor of 1 is no decay: 1 - 14/4096 beside it is met by a rational as it is without it."""

    def trained(decay: Any) -> Any:
        optimizer = rg.DecoupledDecay(rg.Momentum(0.0, 0.5), decay)
        rate_of_one = rg.DecoupledDecay(rg.Momentum(1.0, 0.5), decay)
        still = rg.train(lambda w, hyper, step: 0.0 * rnp.sum(w), np.ones(2), None, optimizer, 2)
        return still + rg.train(
            lambda w, hyper, step: 0.0 * rnp.sum(w), np.ones(2), None, rate_of_one, 2
        )

    decay = np.array([0.0, 14 / 4096])
    np.testing.assert_allclose(trained(decay), 1 + (1 - decay) ** 2, atol=1e-12)
    found = rg.grad(lambda decay: np.sum(trained(decay)))(decay)
    np.testing.assert_allclose(found, -2 * (1 - decay), atol=1e-12)


def test_the_tape_of_two_decays_of_a_slot_by_leaf_and_by_element_is_foreseen() -> None:
    def trained(decays: Any, adjoint: Adjoint) -> Any:
        by_leaf = rg.DecoupledDecay(rg.Momentum(0.25, 0.5), rg.per_leaf(decays[0]))
        optimizer = rg.DecoupledDecay(by_leaf, list(decays[1]))
        w0 = [np.array([1.0, -2.0]), np.array([0.5, 3.0, -1.0])]
        w = rg.train(misfits, w0, 0.5, optimizer, 40, adjoint=adjoint)
        return np.sum(w[0]) + np.sum(w[1])

    decays = np.array([0.5, 0.25]), (np.array([0.5, 1.0]), np.array([0.0, 0.25, 0.5]))
    found = rg.grad(lambda d: trained(d, Auto(5000, quiet=True)))(decays)
    expected = rg.grad(lambda d: trained(d, Stored()))(decays)
    for a, b in zip(rg.tree.leaves(found), rg.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("momentum", [1e-5, np.array([0.5, 1e-5])], ids=["one", "elements"])
def test_a_factor_that_would_become_half_as_large_again_is_refused(momentum: Any) -> None:
    """The nearest rational to 1e-5 is 1/65536; beside 0 and from there on it is met."""
    with pytest.raises(ArgumentError, match="by 1e-05: no n/d"):
        rg.train(misfit, np.ones(2), 0.5, rg.Momentum(0.1, momentum), 2)
    for met in (0.0, 2.0**-16, 1.6e-5):
        optimizer = rg.Momentum(0.1, np.array([0.5, met]))
        by_lattice = rg.train(misfit, np.ones(2), 0.5, optimizer, 5)
        in_floats = rg.train_in_floats(misfit, np.ones(2), 0.5, optimizer, 5)
        np.testing.assert_allclose(by_lattice, in_floats, atol=1e-9)


@pytest.mark.parametrize("adjoint", EVERY, ids=repr)
def test_a_number_has_a_derivative_in_double_precision_beside_float32(adjoint: Adjoint) -> None:
    w0 = np.linspace(-1, 1, 3, dtype=np.float32)
    optimizer = rg.Momentum(0.1, 0.5)
    trained = rg.grad(
        lambda target: np.sum(rg.train(misfit, w0, target, optimizer, 3, adjoint=adjoint))
    )(0.5)
    moved = rg.grad(
        lambda p: np.sum(rg.iterate(lambda x, p, t: rnp.sin(x) * p, w0, p, 3, adjoint=adjoint))
    )(0.5)
    assert trained.dtype == moved.dtype == np.float64


@pytest.mark.parametrize("adjoint", EVERY, ids=repr)
def test_a_map_may_write_to_its_state(adjoint: Adjoint) -> None:
    def writing(x: Any, params: Any, t: int) -> Any:
        new = x * params
        x *= 0.5
        return new

    x0 = np.ones(2)
    found = rg.grad(lambda p: np.sum(rg.iterate(writing, x0, p, 5, adjoint=adjoint)))(1.5)
    np.testing.assert_allclose(found, 2 * 5 * 1.5**4, rtol=1e-12)
    np.testing.assert_array_equal(x0, 1.0)


@pytest.mark.parametrize("adjoint", EVERY, ids=repr)
def test_a_map_that_writes_to_its_parameters_is_told_so(adjoint: Adjoint) -> None:
    def step(x: Any, params: Any, t: int) -> Any:
        params["shrinking"][...] *= 0.5
        return x * params["factor"] * params["shrinking"]

    def last(factor: Any) -> Any:
        params = {"factor": factor, "shrinking": np.ones(2)}
        return np.sum(rg.iterate(step, np.ones(2), params, 3, adjoint=adjoint))

    with pytest.raises((ReversalError, ArgumentError), match=r"in place|written to"):
        rg.grad(last)(1.5)
