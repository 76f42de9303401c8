"""Functions of shape: views, errors, and arguments that no sample can have."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, MissingRuleError


@pytest.mark.parametrize(
    "shown",
    [
        np.fliplr, np.flipud, np.rot90, np.matrix_transpose, np.atleast_3d,
        lambda x: np.rot90(x, 3), lambda x: np.rollaxis(x, 1), lambda x: np.rot90(x, 2),
        lambda x: np.rot90(x, 0), lambda x: np.split(x, 3, 1)[1], lambda x: np.hsplit(x, [2])[0],
        lambda x: np.einsum("ij->ji", x), lambda x: np.einsum("ii->i", x[:, :2]),
        lambda x: np.reshape(x, (3, 2), copy=False),
    ],
)  # fmt: skip
def test_what_shows_a_part_can_be_written_to(shown):
    def write(x):
        x = x * 1.0
        part = shown(x)
        part[0] = part[0] * 3.0
        part[-1:] += x[0, 0]
        return x

    x = np.array([[0.3, 0.5, 0.7], [1.1, 1.3, 1.7]])
    value, tangent = rg.jvp(write, (x,), (np.ones_like(x),))
    np.testing.assert_array_equal(value, write(x))
    step = 1e-6
    numeric = (write(x + step) - write(x - step)) / (2 * step)
    np.testing.assert_allclose(tangent, numeric, atol=1e-8)


@pytest.mark.parametrize(
    "copied", [lambda x: np.reshape(x, (3, 2), copy=True), lambda x: np.tile(x, 1), np.copy]
)
def test_what_is_copied_does_not_reach_the_array(copied):
    def write(x):
        y = copied(x)
        y[0] = 0.0
        return np.sum(x * x)

    np.testing.assert_array_equal(rg.grad(write)(np.ones((2, 3))), 2 * np.ones((2, 3)))


@pytest.mark.parametrize("shown", [np.diagonal, np.diag])
def test_diagonals_are_read_only_as_in_numpy(shown):
    def write(x):
        shown(x)[0] = 1.0
        return np.sum(x)

    with pytest.raises(ValueError, match="read-only"):
        rg.grad(write)(np.ones((2, 2)))


def test_full_with_an_array_gives_each_element_its_share():
    gradient = rg.grad(lambda x: np.sum(rnp.full((2, 3), x) * np.arange(6.0).reshape(2, 3)))
    np.testing.assert_array_equal(gradient(np.ones(3)), [3.0, 5.0, 7.0])
    np.testing.assert_array_equal(gradient(np.ones((2, 1))), [[3.0], [12.0]])


@pytest.mark.parametrize("function", [np.fliplr, np.matrix_transpose])
def test_too_few_axes_are_refused_by_name(function):
    with pytest.raises(ArgumentError, match=rf"{function.__name__}.*shape \(3,\).*2 axes"):
        rg.grad(lambda x: np.sum(function(x)))(np.ones(3))


def test_rot90_about_one_axis_is_refused():
    with pytest.raises(ArgumentError, match=r"rot90: axes=\(0, -2\)"):
        rg.grad(lambda x: np.sum(np.rot90(x, axes=(0, -2))))(np.ones((2, 2)))


def test_layout_of_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(MissingRuleError, match=r"ravel.*order='A'.*order='C' or 'F'"):
        rg.grad(lambda x: np.sum(np.ravel(x[::2, ::2], "A")))(np.ones((4, 4)))


def test_functions_of_shape_and_memory_see_plain_arrays():
    def f(x):
        rows, columns = np.tril_indices_from(x)
        assert type(rows) is np.ndarray
        assert np.shares_memory(x, x.T)
        assert not np.may_share_memory(x, np.ones(2))
        assert np.common_type(x) is np.float64
        assert np.can_cast(x.dtype, np.complex128)
        return np.sum(x[rows, columns]) + np.sum(x[np.diag_indices_from(x)])

    np.testing.assert_array_equal(rg.grad(f)(np.ones((2, 2))), [[2.0, 0.0], [1.0, 2.0]])


def test_ix_of_traced_and_boolean_arrays():
    def f(x):
        mesh, chosen = rnp.ix_(x, [True, False, True])
        assert chosen.dtype.kind == "i"
        return np.sum(mesh * chosen)

    np.testing.assert_array_equal(rg.grad(f)(np.ones(2)), [2.0, 2.0])
