"""Rates and momenta of every shape: the table that comes of them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.backends import NumpyBackend
from retrograd.errors import ArgumentError
from retrograd.lattice import Layout
from retrograd.optimizers import table

STEPS = 4
WEIGHTS = [np.zeros((2, 3)), np.zeros(3)]


def made(given: Any, weights: Any = WEIGHTS, steps: int = STEPS) -> Any:
    backend = NumpyBackend()
    leaves, structure = backend.flatten(weights)
    layout = Layout([np.shape(leaf) for leaf in leaves], names=backend.leaf_names(weights))
    found = table("rate", given, layout=layout, structure=structure, steps=steps, backend=backend)
    return backend.value_of(found).tolist()


def refused(pattern: str, given: Any, weights: Any = WEIGHTS, steps: int = STEPS) -> None:
    with pytest.raises(ArgumentError, match=rf"(?s)^rate: {pattern}"):
        made(given, weights, steps)


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.array(2.0), np.int64(2)])
def test_one_number(number: Any) -> None:
    assert made(number) == [[2.0]]


def test_one_number_per_step() -> None:
    assert made(rg.per_step([1, 2, 3, 4])) == [[1.0], [2.0], [3.0], [4.0]]
    assert made(rg.per_step(np.arange(4.0))) == [[0.0], [1.0], [2.0], [3.0]]


def test_one_number_per_leaf() -> None:
    assert made(rg.per_leaf([1, 2])) == [[1.0, 2.0]]
    assert made([1.0, 2.0]) == [[1.0, 2.0]]
    assert made(rg.per_leaf([3.0]), np.zeros(2)) == [[3.0]]
    assert made(rg.per_leaf(np.array([3.0])), np.zeros(())) == [[3.0]]


@pytest.mark.parametrize(
    "mark",
    [rg.per_step, lambda x: rg.per_step(rg.per_leaf(x)), lambda x: rg.per_leaf(rg.per_step(x))],
)
def test_one_number_per_step_and_leaf(mark: Any) -> None:
    expected = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
    assert made(mark(np.arange(8.0).reshape(4, 2))) == expected
    assert made(mark(expected)) == expected


def test_a_container_like_the_weights_per_step() -> None:
    assert made(rg.per_step([np.arange(4.0), np.arange(4.0, 8)])) == [
        [0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0],
    ]  # fmt: skip


def test_one_number_per_element() -> None:
    given = [np.arange(6.0).reshape(2, 3), np.array([6.0, 7.0, 8.0])]
    assert made(given) == [list(map(float, range(9)))]
    assert made([np.arange(3.0), 9.0]) == [[0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 9.0, 9.0, 9.0]]
    assert made(np.array([1.0, 2.0]), np.zeros(2)) == [[1.0, 2.0]]


def test_one_number_per_step_and_element() -> None:
    given = [np.arange(24.0).reshape(4, 2, 3), np.arange(4.0)]
    found = made(rg.per_step(given))
    assert found[1] == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 1.0, 1.0, 1.0]
    assert made(rg.per_step(np.arange(8.0).reshape(4, 2)), np.zeros(2))[3] == [6.0, 7.0]


def test_a_list_of_steps_is_one_also_where_the_weights_are_a_list_as_long() -> None:
    assert made(rg.per_step([1.0, 2.0]), steps=2) == [[1.0], [2.0]]


def test_arrays_that_are_not_marked() -> None:
    refused(
        r"an array of shape \(4,\) was given; expected \(\).*per_step \(one per step, 4 here\) or "
        r"per_leaf \(2 here\)",
        np.ones(4),
    )
    refused(r"an array of shape \(3,\) was given", [1.0, 2.0, 3.0])
    refused(r"an array of shape \(2,\) was given; expected \(\)", (1.0, 2.0))


def test_wrong_numbers_of_steps_and_leaves() -> None:
    expected = r"expected \(4,\), \(4, 2\) for 4 steps and 2 leaves"
    refused(rf"an array of shape \(5,\) was given; {expected}", rg.per_step(np.ones(5)))
    refused(rf"an array of shape \(4, 3\) was given; {expected}", rg.per_step(np.ones((4, 3))))
    refused(rf"an array of shape \(\) was given; {expected}", rg.per_step(1.0))
    refused(r"an array of shape \(3,\) was given; expected \(2,\)", rg.per_leaf([1, 2, 3]))
    refused(r"an array of shape \(\) was given; expected \(2,\)", rg.per_leaf(1.0))
    refused(
        r"an array of shape \(3,\) was given; expected \(1,\)", rg.per_leaf(np.ones(3)), np.zeros(3)
    )


@pytest.mark.parametrize("text", ["0.1", b"0.1"])
def test_numbers_as_text(text: str | bytes) -> None:
    refused(r"b?'0\.1' was given; give a real number", text)
    refused(r"b?'0\.1' was given; give a real number", [text, 1.0])


def test_containers_whose_arrays_do_not_fit() -> None:
    refused(
        r"shape \(4,\) at \[0\] does not fit weights of shape \(2, 3\).*shape \(2, 3\)",
        [np.ones(4), 1.0],
    )
    refused(r"shape \(2, 2, 3\) at \[0\]", [np.ones((2, 2, 3)), 1.0])
    refused(r"shape \(3,\) at value", np.ones(3), np.zeros(2))
    refused(
        r"shape \(3,\) at \[1\] does not fit.*per step, shape \(4,\), .*shape \(4, 3\)",
        rg.per_step([np.ones(4), np.ones(3)]),
    )
    refused(r"shape \(5, 3\) at \[1\]", rg.per_step([np.ones(4), np.ones((5, 3))]))


def test_an_array_per_step_is_not_taken_for_one_per_row() -> None:
    """Four steps and four rows: broadcasting alone would lay the steps along the rows."""
    refused(
        r"shape \(4, 3\) at \[0\] does not fit weights of shape \(4, 3\)",
        rg.per_step([np.ones((4, 3)), np.ones(4)]),
        [np.zeros((4, 3)), np.zeros(3)],
    )


@pytest.mark.parametrize(
    "given", ["fast", None, 1j, np.array([1j]), {"a": 1.0}, [1.0, [2.0, 3.0]], ["a", "b"], object()]
)
@pytest.mark.parametrize("mark", [lambda x: x, rg.per_step, rg.per_leaf])
def test_what_is_no_number(given: Any, mark: Any) -> None:
    refused(".* was given; ", mark(given))


def test_the_table_is_differentiable() -> None:
    def total(rates: Any) -> Any:
        backend = NumpyBackend()
        leaves, structure = backend.flatten(WEIGHTS)
        layout = Layout([leaf.shape for leaf in leaves])
        found = table(
            "rate",
            rg.per_step(rates),
            layout=layout,
            structure=structure,
            steps=STEPS,
            backend=backend,
        )
        return np.sum(found * np.arange(36.0).reshape(4, 9))

    found = rg.grad(total)([np.ones((4, 2, 3)), np.ones(4)])
    weights = np.arange(36.0).reshape(4, 9)
    assert np.array_equal(found[0], weights[:, :6].reshape(4, 2, 3))
    assert np.array_equal(found[1], weights[:, 6:].sum(axis=1))
