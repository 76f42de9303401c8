"""Joining and splitting: what `dtype=`, `casting=` and `out=` do, nested lists, errors."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.tape import Tape, unpacked
from retrograd.errors import ArgumentError, InterceptionError


@pytest.mark.parametrize("join", [np.concatenate, np.stack, np.vstack, np.hstack])
def test_dtype_of_the_result_and_of_the_cotangents(join):
    def f(x, y):
        result = join([x, y], dtype=np.float32)
        assert result.dtype == np.float32
        return np.sum(result * result)

    x, y = np.array([0.5, 2.0], np.float32), np.array([0.25, 1.0])
    found = rg.grad(f, (0, 1))(x, y)
    assert [g.dtype for g in found] == [np.float32, np.float64]
    np.testing.assert_array_equal(found[0], 2 * x)
    np.testing.assert_array_equal(found[1], 2 * y)


def test_casting_is_numpys():
    with pytest.raises(ArgumentError, match=r"float64 to dtype=float32 with casting='safe'"):
        rg.grad(lambda x: np.sum(np.concatenate([x, x], dtype=np.float32, casting="safe")))(
            np.ones(2)
        )


@pytest.mark.parametrize("join", [np.concatenate, np.stack])
def test_out_takes_the_result(join):
    def f(x):
        out = rnp.zeros(np.shape(join([np.ones(2), np.ones(2)])))
        assert join([x, 2 * x], out=out) is out
        return np.sum(out * out)

    np.testing.assert_allclose(rg.grad(f)(np.array([0.3, 0.7])), [3.0, 7.0])


def test_out_that_is_plain_is_refused():
    with pytest.raises(InterceptionError, match="out="):
        rg.grad(lambda x: np.sum(np.concatenate([x, x], out=np.zeros(4))))(np.ones(2))


def test_parts_of_different_dtype_promote_as_in_numpy():
    x, y = np.array([0.5], np.float32), np.array([2.0 + 1.0j])
    value, tangent = rg.jvp(lambda x: np.concatenate([x, y]), (x,), (x,))
    assert value.dtype == tangent.dtype == np.complex128
    assert rg.grad(lambda x: np.sum(np.abs(np.concatenate([x, y]))))(x).dtype == np.float32


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_one_array_in_several_places(mode):
    def f(x):
        return np.concatenate([x, np.ones(1), x * x, x])

    x = np.array([0.3, 0.7])
    if mode == "forward":
        found = rg.jvp(f, (x,), (np.ones(2),))[1]
        np.testing.assert_allclose(found, [1, 1, 0, 0.6, 1.4, 1, 1])
    else:
        (found,) = rg.vjp(f, x)[1](np.arange(7.0))
        np.testing.assert_allclose(found, [0 + 3 * 0.6 + 5, 1 + 4 * 1.4 + 6])


def test_stack_of_unlike_shapes_is_refused():
    with pytest.raises(ArgumentError, match=r"stack: arrays of the shapes \[\(2,\), \(1,\)\]"):
        rg.grad(lambda x: np.sum(np.stack([x, x[:1]])))(np.ones(2))


@pytest.mark.parametrize("blocks", [lambda x: [[x], x], lambda x: [x, []]])
def test_block_refuses_what_numpy_refuses(blocks):
    with pytest.raises(ValueError, match=r"List depths|empty"):
        rg.grad(lambda x: np.sum(np.block(blocks(x))))(np.ones(2))


def test_block_of_an_array_is_a_copy():
    def f(x):
        y = np.block(x)
        y[0] = 5.0
        return np.sum(x)

    np.testing.assert_array_equal(rg.grad(f)(np.ones(2)), [1.0, 1.0])


def test_nested_lists_of_traced_numbers():
    def f(x, y):
        matrix = rnp.array([[x, 1.0], [2, y * y]], ndmin=3)
        assert matrix.shape == (1, 2, 2)
        return np.sum(rnp.asarray([matrix, matrix], np.complex128)).real

    assert rg.grad(f, (0, 1))(0.3, 0.7) == (2.0, pytest.approx(2.8))


def test_splits_that_numpy_refuses():
    with pytest.raises(ArgumentError, match=r"split: an axis of length 3.*2 equal parts"):
        rg.grad(lambda x: np.sum(np.split(x, 2)[0]))(np.ones(3))
    with pytest.raises(ArgumentError, match="array_split: 0 sections"):
        rg.grad(lambda x: np.sum(np.array_split(x, 0)[0]))(np.ones(3))
    with pytest.raises(ArgumentError, match=r"dsplit.*2 axes.*at least 3"):
        rg.grad(lambda x: np.sum(np.dsplit(x, 1)[0]))(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("arranged", "flag"),
    [
        (rnp.asfortranarray, "F_CONTIGUOUS"),
        (lambda x: rnp.require(x, requirements="F"), "F_CONTIGUOUS"),
        (lambda x: rnp.ascontiguousarray(x.T), "C_CONTIGUOUS"),
        (lambda x: rnp.require(x.T, requirements=["C", "O", "W"]), "C_CONTIGUOUS"),
    ],
)
def test_layouts_are_those_that_were_asked_for(arranged, flag):
    def f(x):
        y = arranged(x)
        assert rg.value_of(y).flags[flag]
        return np.sum(y * y)

    np.testing.assert_array_equal(rg.grad(f)(np.ones((2, 3))), 2 * np.ones((2, 3)))


def test_asarray_chkfinite_looks_at_the_value():
    with pytest.raises(ValueError, match="infs or NaNs"):
        rg.grad(lambda x: np.sum(rnp.asarray_chkfinite(x)))(np.array([1.0, np.nan]))


def test_many_parts_cost_no_more_than_their_length():
    parts = [np.ones(2) * i for i in range(300)]
    found = rg.grad(lambda parts: np.sum(np.concatenate(parts) ** 2))(parts)
    np.testing.assert_array_equal(found[299], [598.0, 598.0])


def test_tangents_of_some_of_the_joined_arrays():
    """One pass for all of them, with zeros in the places of those that stand still."""
    x, y = np.array([1.0, 2.0]), np.array([3.0])

    def f(x, y):
        return np.concatenate([x, np.ones(2), y * y, x])

    value, tangent = rg.jvp(f, (x, y), (np.array([0.5, 0.25]), np.array([2.0])))
    np.testing.assert_array_equal(value, [1, 2, 1, 1, 9, 1, 2])
    np.testing.assert_array_equal(tangent, [0.5, 0.25, 0, 0, 12, 0.5, 0.25])
    tangent = rg.jvp(f, (x, y), (None, np.array([2.0])))[1]
    np.testing.assert_array_equal(tangent, [0, 0, 0, 0, 12, 0, 0])


def test_joined_arrays_are_not_kept():
    with Tape(lean=True) as tape:
        np.concatenate([tape.watch(np.ones(1000)) * 2.0 for _ in range(12)])
    entries = [unpacked(entry) for entry in tape.entries if entry is not None]
    kept = [part for _, ans, args, _, _ in entries for part in (ans, *args)]
    assert not any(type(part) is np.ndarray and part.size > 500 for part in kept)
