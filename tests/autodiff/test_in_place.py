"""In-place code gives NumPy's answer with the right gradient.

Every program runs three times: on plain copies, traced, and under central differences.
"""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import InterceptionError
from retrograd.testing import check_grads

X = np.array([[0.3, 0.7, 1.1], [0.2, 0.9, 0.5]])


def augmented(x):
    x -= 0.5 * np.roll(x, 1, axis=1)
    x *= x
    x /= 1.5
    x **= 2
    return x


def set_items(x):
    x[0] = x[1] * 2
    x[:, 1] = x[:, 0] * x[:, 2]
    x[x > 0.45] = 0.1
    x[[0, 1], [2, 2]] = x[1, 0]
    return x


def add_to_items(x):
    x[0, 1] += x[1, 1] * 2
    x[1:] *= 3
    x[..., ::2] -= x[..., 1:2]
    return x


def repeated_indices(x):
    y = x[0].copy()
    y[[0, 0, 2]] += x[1]
    y[[1, 1]] = x[1, :2]
    return y


def aliases(x):
    y = x
    y -= 1
    y[0] *= 3
    return x * y


def rows_are_views(x):
    row = x[1]
    row *= 2
    x[1, 0] = 5.0 * x[0, 0]
    return row * x[0]


def chained_views(x):
    corner = x.T[1:].reshape(2, 2)[:, 1]
    corner += x[0, 0]
    x[:, 1:][1, 0] *= 7
    return x


def flattened(x):
    flat = x.ravel()
    flat[::2] *= 3
    x.reshape(-1)[1] = flat[0] * flat[4]
    x.reshape(3, 2)[2] -= flat[0]
    x.T.flat[3] = x[0, 0] ** 2
    return x


def fortran_order(x):
    column = x[0].copy()
    column.reshape((3, 1), order="F")[1] = x[1, 1] * 2
    return column


def flips_and_axes(x):
    np.flip(x, 1)[0] *= 2
    x[::-1, ::-1][0, 0] += x[0, 1] ** 2
    np.swapaxes(x, 0, 1)[2] *= x[0, 0]
    np.moveaxis(x, 0, 1)[0] -= x[1, 1]
    np.expand_dims(x, 0)[0, 1] *= 1.5
    np.squeeze(x[None])[0, 1] **= 2
    x[np.newaxis, 0] *= 0.5
    return x


def views_see_the_base(x):
    view, shown = x[:, 0], np.broadcast_to(x[0], (2, 3))
    x *= 2
    x[0, 2] = x[1, 1]
    return view * np.sum(shown * shown)


def out_arguments(x):
    y = x * 1.0
    np.multiply(y, x, out=y)
    np.sin(y, y)
    np.add(np.ones(3), 1.0, out=y[1])
    return y


def zero_dimensional(x):
    y = x[0, :1].reshape(())
    z = y
    y += 1.0
    y *= z
    return z * x[0, 0]


def numbers_do_not_alias(x):
    y = x[0, 0]
    z = y
    y += 1.0
    return y * z


def integer_division(x):
    y = x * 4.1
    y //= 1
    return y * x


def filled(x):
    x[0].fill(x[1, 2])
    return x * 2


def masks(x):
    x[np.array([[True, False, True], [False, True, False]])] *= x[0, 1]
    x[x[:, 0] > 0.1, 1] += 1.0
    return x


def put_by_position(x):
    np.put(x, [1, 1, -1], x[0] * 2)
    np.put(x, [7, -8], x[1, :2], mode="wrap")
    np.put(x, [-3, 9], 0.5, mode="clip")
    x.put([2], x[0, 0] ** 2)
    x.T.put([0], x[1, 1])
    return x


def put_along_an_axis(x):
    np.put_along_axis(x, np.array([[2], [0]]), x[:, :1] * 3, axis=1)
    np.put_along_axis(x, np.array([[1, 0, 1]]), x[1:] ** 2, axis=0)
    np.put_along_axis(x[0], np.array([1]), 0.5, axis=None)
    return x


def diagonals(x):
    square = x.repeat(2, axis=0)[:3]
    np.fill_diagonal(square, x[0] * x[1])
    tall = x.T.repeat(2, axis=0)
    np.fill_diagonal(tall, x[0, 0], wrap=True)
    np.fill_diagonal(x, [x[0, 1], 2.0])
    return square @ tall[:3] @ x


def copied_to(x):
    np.copyto(x[0], x[1] * 2)
    np.copyto(x, x[1] ** 2, where=[True, False, True])
    np.copyto(dst=x[:, 1], src=0.7, where=[[True], [False]][0])
    return x


def placed_and_masked(x):
    np.place(x, x > 0.6, x[1, :2] * 2)
    np.putmask(x, [[True, False, True], [False, True, True]], x[0] ** 2)
    return x


def at_indices(x):
    y = x[1].copy()
    np.add.at(x, ([0, 0, 1], [1, 1, 2]), y)
    np.subtract.at(x[0], [0, 0], y[0] * y[1])
    np.multiply.at(x, (slice(None), [0, 0]), 1.5)
    np.true_divide.at(y, [2, 2, 1], x[0])
    np.negative.at(x, (0, [1, 1, 2]))
    np.maximum.at(y, [0], x[0, 2])
    return x * y


def at_nothing(x):
    np.multiply.at(x, (np.array([], int), 0), 2.0)
    np.add.at(x, np.zeros((2, 3), bool), x[0, 0])
    return x * 2


def operators_in_place(x):
    x @= np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0], [0.0, 0.2, 1.0]])
    x **= x[0]
    x %= 0.47
    x[1] %= x[0, 1] * 0.13
    y = x * 1.0
    y[0] //= 0.017
    return x * y


def flat_setter(x):
    x.T.flat = x[0] * 2
    x.flat[1::2] *= x[1, 0]
    return x


def mixed_indices(x):
    x[np.ix_([0, 1, 1], [2, 0])] = x[:, :2][[0, 1, 0]] ** 2
    x[[True, False], [0, 0, 1]] *= x[1]
    x[:, [1, 1]] += x[:, :2]
    x[np.newaxis, ..., np.array([2, -3])] -= x[0, 0]
    return x


def empty_writes(x):
    x[[]] = 5.0
    x[x > 9] = x[0, :0]
    x[2:] *= 7
    x[0] = [x[1, 0] ** 2, 2.0, x[0, 2]]
    return x * 2


def out_is_broadcast(x):
    np.add(x[0, 0], 1.0, out=x[1])
    np.multiply(x[0], x[1, 0], out=x)
    return x


def views_of_views(x):
    inner = x[:, ::-1].T[:2].reshape(4)
    inner[1:3] *= x[0, 0]
    x.reshape(3, 2)[:, 1][::2][0] = inner[3] ** 2
    diagonal = np.diagonal(x)
    x[0, 0] *= 3
    return inner * diagonal[0]


def written_from_views_of_itself(x):
    square = x[:, :2]
    square[...] = square.T
    square[0] = np.diagonal(square, 0)
    x[:, 1:][...] = x[:, 1:].T
    return x


PROGRAMS = [
    written_from_views_of_itself,
    put_by_position, put_along_an_axis, diagonals, copied_to, placed_and_masked, at_indices,
    at_nothing, operators_in_place, flat_setter, mixed_indices, empty_writes, out_is_broadcast,
    views_of_views,
    augmented, set_items, add_to_items, repeated_indices, aliases, rows_are_views, chained_views,
    flattened, fortran_order, flips_and_axes, views_see_the_base, out_arguments, zero_dimensional,
    numbers_do_not_alias, integer_division, filled, masks,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_values_are_numpys_and_derivatives_are_right(program) -> None:
    expected = program(X.copy())
    before = X.copy()
    value, _ = rg.vjp(program, X)
    pushed_value, _ = rg.jvp(program, (X,), (np.ones_like(X),))
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(pushed_value, expected)
    np.testing.assert_array_equal(before, X)

    def on_a_copy(x):
        return program(x if isinstance(x, rg.autodiff.box.Box) else x.copy())

    check_grads(on_a_copy, X)


@pytest.mark.parametrize("program", PROGRAMS)
def test_inside_two_traces(program) -> None:
    """The outer trace's values are not written to by the inner one."""

    def f(x):
        inner = rg.grad(lambda y: np.sum(program(y)))(x)
        return np.sum(inner * x)

    def numeric(x):
        return np.sum(rg.grad(lambda y: np.sum(program(y)))(x) * x)

    step, direction = 1e-5, np.cos(np.arange(6.0)).reshape(2, 3)
    difference = (numeric(X + step * direction) - numeric(X - step * direction)) / (2 * step)
    assert np.sum(rg.grad(f)(X) * direction) == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_real_and_imaginary_parts_are_views() -> None:
    def program(z):
        z.real[...] = z.real * 2
        np.imag(z)[0] *= z.real[1]
        return z * z

    z = X[0] + 1j * X[1]
    np.testing.assert_array_equal(rg.vjp(program, z)[0], program(z.copy()))
    check_grads(lambda z: program(z if isinstance(z, rg.autodiff.box.Box) else z.copy()), z)


def test_broadcast_views_refuse_writes() -> None:
    def program(x):
        np.broadcast_to(x[0], (2, 3))[0] *= 2
        return np.sum(x)

    with pytest.raises(ValueError, match="read-only"):
        rg.grad(program)(X)


@pytest.mark.parametrize(
    "write",
    [
        lambda a, x: np.put(a, [0], x), lambda a, x: np.put_along_axis(a, np.array([0]), x[:1], 0),
        lambda a, x: np.copyto(a, x), lambda a, x: np.place(a, a < 9, x),
        lambda a, x: np.putmask(a, a < 9, x), lambda a, x: np.add.at(a, [0], x[0]),
        lambda a, x: np.multiply.at(a, [0], x[0]),
    ],
)  # fmt: skip
def test_functions_that_would_write_to_a_plain_array_name_the_cure(write) -> None:
    with pytest.raises(InterceptionError, match=r"plain ndarray.*retrograd\.numpy.*zeros_like"):
        rg.grad(lambda x: write(np.zeros(3), x) or np.sum(x))(X[0])


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda x: np.put(x, [6], 1.0), IndexError, "out of bounds"),
        (lambda x: np.fill_diagonal(x[0], 1.0), ValueError, "at least 2"),
        (lambda x: np.fill_diagonal(np.stack([x, x]), 1.0), ValueError, "equally long"),
        (lambda x: np.place(x, x > 0, []), ValueError, "vals is empty"),
        (lambda x: np.copyto(x, np.ones((2, 3)) * 1j), TypeError, "cannot cast"),
        (lambda x: np.put(x, [0]), TypeError, "'v'"),
        (lambda x: x.__setitem__((0, 5), 1.0), IndexError, "out of bounds"),
        (lambda x: np.diagonal(x).__setitem__(0, 1.0), ValueError, "read-only"),
    ],
)
def test_wrong_arguments_raise_as_in_numpy(write, error, message) -> None:
    with pytest.raises(error, match=message):
        rg.grad(lambda x: write(x) or np.sum(x))(X)


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble, np.complex64])
def test_gradients_of_indexing_keep_the_dtype(dtype) -> None:
    left, top = np.array([[0, 1], [1, -1]]), np.array([[2, 2], [2, -1]])
    weights = np.arange(1, 5).reshape(2, 2).astype(dtype)
    value, pullback = rg.vjp(lambda x: x[left, top] * weights, X.astype(dtype))
    (cotangent,) = pullback(np.ones_like(value))
    assert cotangent.dtype == value.dtype == dtype
    np.testing.assert_array_equal(cotangent, np.array([[0, 0, 1], [0, 0, 9]]))


def test_shape_and_dtype_stay() -> None:
    def grows(x):
        x += np.ones((4, 2, 3))
        return np.sum(x)

    def turns_complex(x):
        x *= 1j
        return np.sum(np.real(x))

    with pytest.raises(ValueError, match="does not fit"):
        rg.grad(grows)(X)
    with pytest.raises(TypeError, match="cannot cast"):
        rg.grad(turns_complex)(X)


def test_small_plain_arrays_may_change_after_use() -> None:
    def f(x):
        scale, index = np.ones(3), np.array([0, 1])
        total = 0.0
        for _ in range(3):
            total = total + np.sum(x[0] * scale) + np.sum(x[0, index] ** 2)
            scale *= 2
            index = (index + 1) % 3
            index[0] = 0
        return total

    check_grads(f, X)


def test_writes_to_a_large_plain_array_after_use_raise() -> None:
    buffer = np.ones(5000)

    def f(x):
        total = np.sum(x * buffer)
        buffer[0] = 7.0
        return total

    with pytest.raises(InterceptionError, match=r"written to after.*copy"):
        rg.grad(f)(np.ones(5000))
    assert buffer.flags.writeable
    buffer[0] = 1.0


def test_views_and_bases_of_captured_arrays_are_writeable_again() -> None:
    base = np.ones(6000)
    part = base[:5000]
    rg.grad(lambda x: np.sum(x * part) + np.sum(base))(np.ones(5000))
    rg.grad(lambda x: np.sum(base[1000:] * x) + np.sum(x * part))(np.ones(5000))
    assert base.flags.writeable
    assert part.flags.writeable


def test_an_outer_value_may_change_after_an_inner_trace_has_used_it() -> None:
    def outer(x):
        y, pullback = rg.vjp(lambda w: w * x, x)
        expected = x * 1.0
        x *= 10.0
        y -= 3.0
        return np.sum(pullback(np.ones(3))[0] * expected)

    np.testing.assert_allclose(rg.grad(outer)(X[0]), 2 * X[0])
