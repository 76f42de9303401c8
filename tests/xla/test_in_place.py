"""In-place code, views and indices in compiled programs: NumPy's answers, or an error."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import CompilationError

X = np.linspace(0.5, 2.0, 12).reshape(3, 4)
PLACES = np.array([2, 0, 2, -1])


def write_to_a_slice(x):
    y = x * 2
    part = y[1:]
    part *= 3
    part[0, 1] = 7.0
    return y + np.sum(part)


def write_to_the_base(x):
    y = x * 2
    part, turned = y[:, 1], y.T
    y[0] = 0.5 * y[1]
    return part * turned[1] + turned[0]


def write_through_a_reshape(x):
    y = x + 1
    flat = y.reshape(-1)
    flat[::2] *= 0.5
    flat[3] = np.sum(flat)
    return y


def reshape_of_a_transpose_is_a_copy(x):
    y = (x * 1).T
    copied = y.reshape(-1)
    copied[0] = 100.0
    return y


def layout_of_results_follows_the_operands(x):
    y = np.sin(x.T)  # in Fortran's order: its transpose is contiguous
    y.T.reshape(-1)[1] = 5.0
    y.reshape(-1)[0] = 9.0  # of a copy
    return y


def augmented(x):
    y = x.copy()
    y += 1
    y -= x[0]
    y /= 3
    y **= 2
    return y


def numbers_are_immutable(x):
    a = b = np.sum(x)
    a += 1
    return np.stack([a, b])


def arrays_like_others(x):
    y = np.zeros_like(x)
    y[1] = x[0] ** 2
    y[..., 2] += x[:, 1]
    z = np.empty_like(x)
    z[...] = 2
    z[0, 0] = np.prod(x)
    return y * z


def masks(x):
    y = x * 1
    y[y > 1] = 0.25
    y[np.array([True, False, True])] *= 2
    return y


def fancy_writes(x):
    y = x * 1
    y[:, PLACES[:3]] = x[:, 1:]
    y[[0, 2]] += x[1]
    return y


def scatter(x):
    y = np.zeros_like(x[0])
    np.add.at(y, PLACES, x[1])
    return y


PROGRAMS = [
    write_to_a_slice, write_to_the_base, write_through_a_reshape,
    reshape_of_a_transpose_is_a_copy, layout_of_results_follows_the_operands, augmented,
    numbers_are_immutable, arrays_like_others, masks, fancy_writes, scatter,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_values_and_gradients_are_those_of_numpy(program):
    def loss(x):
        return np.sum(np.cos(program(x)))

    expected = program(X.copy()) if program is not arrays_like_others else None
    found = rg.compile(program)(X)
    if expected is not None:
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(rg.compile(rg.grad(loss))(X), rg.grad(loss)(X), rtol=1e-10)


def test_the_callers_arrays_are_not_written_to():
    x = X.copy()

    def program(x):
        x[0] = 0
        x += 1
        return x

    assert rg.compile(program)(x)[0, 0] == 1
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_the_layout_of_arguments_counts(layout):
    x = np.asarray(X, order=layout)

    def program(x):
        x = x.copy(order="K")
        x.reshape(-1)[1] = 100.0
        return x

    np.testing.assert_array_equal(rg.compile(program)(x), program(x))


@pytest.mark.parametrize("index", [PLACES, PLACES[:3]], ids=["repeated", "distinct"])
def test_indices_as_arguments(index):
    def read(x, i):
        return np.sum(x[:, i] ** 2)

    def write(x, i):
        y = x * 1
        y[:, i] = np.sin(x[:, : len(i)])
        return np.sum(y**2)

    for f in (read, write):
        np.testing.assert_allclose(rg.compile(f)(X, index), f(X, index))
        np.testing.assert_allclose(
            rg.compile(rg.grad(f))(X, index), rg.grad(f)(X, index), rtol=1e-12
        )


def test_of_several_values_for_one_place_the_last_stays():
    def program(x, i):
        y = np.zeros_like(x)
        y[i] = x
        return y

    x, i = np.arange(1.0, 7.0), np.array([2, 2, 0, 0, 5, 2])
    plain = np.zeros(6)
    plain[i] = x
    assert rg.compile(program)(x, i).tolist() == plain.tolist()
    gradient = rg.compile(rg.grad(lambda x, i: np.sum(program(x, i))))(x, i)
    assert gradient.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("place", [5, -6, 100])
def test_an_index_out_of_bounds_is_an_error_of_the_running_program(place):
    compiled = rg.compile(lambda x, i: x[i])
    x = np.arange(5.0)
    assert compiled(x, np.array([4])) == 4
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(x, np.array([place]))
    with pytest.raises(IndexError):
        rg.compile(lambda x: x[place])(x)


def test_indices_that_were_wrapped_around_are_within_bounds():
    compiled = rg.compile(lambda x, i: x[np.mod(i, 5)])
    x = np.arange(5.0)
    assert compiled(x, np.array([-1, 7, 100])).tolist() == [4, 2, 0]
    with pytest.raises(IndexError, match="out of bounds"):
        rg.compile(lambda x, i: x[np.mod(i, 7)])(x, np.array([5]))


def test_plain_arrays_of_the_closure_can_be_indexed():
    table = np.arange(10.0) ** 2

    def program(x):
        i = np.floor(x).astype(int)
        return np.sum((x - i) * table[i] + table[i + 1] * x)

    x = np.array([0.5, 2.25, 7.75])
    np.testing.assert_allclose(rg.compile(program)(x), program(x))
    np.testing.assert_allclose(rg.compile(rg.grad(program))(x), rg.grad(program)(x))
    assert table[3] == 9


def test_truth_values_written_with_arrays_are_refused():
    def program(x):
        y = x * 1
        y[x > 1] = x[x > 1] ** 2
        return y

    with pytest.raises(CompilationError, match=r"np\.where"):
        rg.compile(program)(X)


VIEWS = {
    "transpose": np.transpose,
    "split": lambda y: np.split(y, 2, axis=1)[1],
    "atleast_3d": np.atleast_3d,
    "flipud": np.flipud,
    "moveaxis": lambda y: np.moveaxis(y, 0, 1),
    "diagonal of a copy": lambda y: np.diagonal(y).copy(),
    "real": np.real,
}


@pytest.mark.parametrize("name", VIEWS)
def test_functions_that_show_their_argument(name):
    def program(x):
        y = x * 1
        part = VIEWS[name](y)
        part *= 3
        part[0] = 5.0
        y[1] += 1
        return y, np.sum(part)

    for found, expected in zip(rg.compile(program)(X), program(X), strict=True):
        np.testing.assert_allclose(found, expected)


def put(y):
    np.put(y, [0, 5], [7.0, 8.0])


def copyto(y):
    np.copyto(y, 2 * y[0], where=np.array([True, False, True, True]))


def fill_diagonal(y):
    np.fill_diagonal(y, y[0, 1])


def put_along_axis(y):
    np.put_along_axis(y, np.array([[1], [0], [3]]), y[:, 2:3], axis=1)


def subtract_at(y):
    np.subtract.at(y, ([0, 0], [1, 1]), y[1, :2])


def ufunc_with_out(y):
    np.multiply(y, y[0], out=y)


def reduction_with_out(y):
    np.sum(y, axis=0, out=y[1])


def composite_with_out(y):
    np.clip(y, 0.7, 1.5, out=y)


def sort(y):
    y.sort(axis=0)


def part(y):
    y.real = 3 * y[::-1]


WRITERS = [
    put, copyto, fill_diagonal, put_along_axis, subtract_at, ufunc_with_out, reduction_with_out,
    composite_with_out, sort, part,
]  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__)
def test_functions_that_write_to_their_argument(writer):
    def program(x):
        y = np.cos(x)
        writer(y)
        return y * x

    np.testing.assert_allclose(rg.compile(program)(X), program(X), rtol=1e-12)

    def loss(x):
        return np.sum(program(x) ** 2)

    np.testing.assert_allclose(rg.compile(rg.grad(loss))(X), rg.grad(loss)(X), rtol=1e-10)


@pytest.mark.parametrize("read", [np.take, lambda x, i: np.take_along_axis(x, i, 0)])
def test_functions_that_read_by_index_mind_the_bounds(read):
    compiled = rg.compile(read)
    x = np.arange(5.0)
    assert compiled(x, np.array([-1, 1])).tolist() == [4, 1]
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(x, np.array([5]))
