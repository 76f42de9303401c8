"""Arrays made inside the function take traced values, with retrograd.numpy.

Every program runs with NumPy on plain values, traced with retrograd.numpy in both modes, to second
order, and under central differences.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.box import Box
from retrograd.autodiff.constants import is_constant
from retrograd.errors import InterceptionError
from retrograd.testing import check_grads

X = np.array([0.3, 0.7, 1.1])


def recurrence(x, np):
    a = np.zeros(6)
    a[0] = x[0]
    for i in range(1, 6):
        a[i] = a[i - 1] * x[i % 3] + 0.1
    return a


def rows(x, np):
    a = np.empty((2, 3))
    a[0] = x
    a[1] = x[::-1] * 2
    return a


def views_from_before(x, np):
    a = np.zeros((2, 3))
    row, turned, flat = a[1], a.T, a.ravel()
    row[:] = x
    flat[0] += x[1] ** 2
    return turned * 2 + row[0]


def slices_of_slices(x, np):
    a = np.ones((2, 3))
    middle = a.reshape(-1)[2:5]
    middle *= x
    a[0, 0] = 5
    middle[0] = x[1] * x[0]
    return a


def calculated_constants(x, np):
    a = np.zeros(3)
    b = a + 1
    b[1] = x[0]
    c = np.ones(3) * 2
    c[[0, 0, 2]] += x
    d = np.sin(np.linspace(0, 1, 3))
    d[0] = x[2] ** 2
    return b * c * d


def only_constants(x, np):
    a = np.zeros(4)
    a[1] = 2.0
    return a + 1


def full(x, np):
    a = np.full((2, 3), x[0])
    a[0] *= x
    b = np.full(3, 0.5)
    b[1] = x[1]
    return a * b


def arrays_of_numbers(x, np):
    a, b = np.array([1.0, 2.0, 3.0]), np.asarray([1.0, 2.0])
    a[0] = x[0] * x[1]
    b[1] = a[0]
    a[1:] /= x[1:] * b
    return np.array([[x[0], 1.0, 2.0], [x[1] * x[2], x[0], 0.0]]) @ a


def identity(x, np):
    a, b = np.eye(3), np.identity(3)
    a[0, 1] = b[2, 0] = x[0]
    return np.tri(3) @ a @ b @ x


def augmented(x, np):
    a = np.zeros(3)
    a += x
    a -= 1
    a *= x
    a /= 2.0
    a **= 2
    a %= 0.7
    b = np.ones(3) * 3.7
    b //= x
    c = np.eye(3) * 2
    c @= np.outer(x, x)
    return c @ (a * b)


def ranges(x, np):
    a, i = np.arange(3.0), np.arange(3)
    a[1] = x[0]
    b = np.linspace(x[0], a[2] * x[1], 4)
    b[0] += a[1]
    return a[i] * x[i[::-1]] + b[1:]


def alike(x, np):
    a = np.zeros_like(x)
    a[1] = x[0] * x[2]
    b = np.ones_like(a)
    b[2] = a[1]
    c = np.full_like(x, x[1])
    c[0] = 1
    d = np.empty_like(b)
    d[:] = c
    e = np.zeros_like(np.arange(3.0))
    e[0] = x[0]
    return a + b * c * d + e


def functions_that_write(x, np):
    a = np.zeros((2, 3))
    np.put(a, [0, 4, 4, -1], x)
    np.put_along_axis(a, np.array([[1], [0]]), x[:2].reshape(2, 1), axis=1)
    b = np.zeros((3, 3))
    np.fill_diagonal(b, x)
    b[0].fill(x[1])
    c = np.zeros((2, 3))
    np.copyto(c, x * 2, where=np.array([[True, False, True], [False] * 3]))
    np.copyto(c[1:], x[0])
    mask = np.array([[True, False, True], [True, True, False]])
    d = np.zeros((2, 3))
    np.place(d, mask, x)
    np.putmask(d, ~mask, x * x)
    e = np.zeros(3)
    np.add.at(e, [0, 0, 2], x)
    np.multiply.at(e, [0, 0], x[:2])
    return (a + c + d) @ b * e


def out_arguments(x, np):
    a, b, c = np.empty(3), np.zeros(3), np.ones(3)
    np.sin(x, out=a)
    np.multiply(a, 2.0, out=a)
    np.add(1.0, 2.0, out=b)
    b[0] = a[1]
    np.add(c, b, out=c)
    return a * b + c


def complex_parts(x, np):
    a = np.zeros(3, complex)
    a.real = x
    a.imag[1:] = x[:2] ** 2
    a[0] *= 1j
    return abs(a) ** 2


def zero_dimensional(x, np):
    a = np.zeros(())
    a[()] = x[0]
    a += x[1]
    a *= a
    return a * x[2]


def loops(x, np):
    a = np.zeros(3)
    total = 0.0
    for v in a:
        total = total + v
    a[0] = x[0]
    return a * total + sum(a) * float(np.zeros(2)[0] + 1)


def joined(x, np):
    a = np.zeros(3)
    b = np.concatenate([a, np.stack([a, x])[1]])
    b[0] = x[0] ** 2
    return np.where(b > 0.5, b, 0.0)


def flat(x, np):
    a, b = np.zeros((2, 3)), np.zeros((2, 2))
    a.flat[1::2] = x
    a.T.flat[0] = x[0] ** 2
    b.flat = x[:2]
    return a[:, :2] @ b


def copies(x, np):
    a = np.zeros(3)
    b, c, d = a.copy(), a[:], np.copy(a)
    b[0] = x[0]
    c[1] = x[1]
    d[2] = 1
    return a + 2 * b + d


def lists_of_arrays(x, np):
    made = [np.zeros(2) for _ in range(2)]
    made[0][0] = x[0]
    made[1][:] = x[1:]
    return np.array(made)


def methods(x, np):
    a = np.zeros((2, 3))
    a.put([1], x[0])
    a.fill(1.0)
    a[0] = x
    a.T[0] = x[:2]
    return a.cumsum(axis=1).repeat(2, axis=0)


def plain_numpy_beside(x, np):
    a = np.zeros(3)
    b = np.float64(2.0) * a
    b[0] = x[0]
    c = a * [1.0, 2.0, 3.0]
    c[1] = x[1]
    return b + c + np.fromfunction(lambda i: i * 1.0, (3,))


PROGRAMS = [
    recurrence, rows, views_from_before, slices_of_slices, calculated_constants, only_constants,
    full, arrays_of_numbers, identity, augmented, ranges, alike, functions_that_write,
    out_arguments, complex_parts, zero_dimensional, loops, joined, flat, copies, lists_of_arrays,
    methods, plain_numpy_beside,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_values_are_numpys_and_derivatives_are_right(program) -> None:
    expected = program(X, np)
    for value in (
        rg.vjp(lambda x: program(x, rnp), X)[0],
        rg.jvp(lambda x: program(x, rnp), (X,), (X,))[0],
    ):
        assert type(value) is type(expected)
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)
    check_grads(lambda x: program(x, rnp if isinstance(x, Box) else np), X)


@pytest.mark.parametrize("program", PROGRAMS)
def test_inside_two_traces(program) -> None:
    def inner(x):
        return np.sum(rg.grad(lambda y: rnp.sum(program(y, rnp) ** 2))(x) * X)

    differences = [(inner(X + 1e-6 * e) - inner(X - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(rg.grad(inner)(X), differences, rtol=1e-5, atol=1e-7)


def test_plain_arrays_outside_of_a_trace() -> None:
    for made in (rnp.zeros(3), rnp.array([1.0, 2.0]), rnp.zeros_like(X), rnp.full(2, 0.5)):
        assert type(made) is np.ndarray


def test_only_what_can_hold_a_derivative_is_in_a_box() -> None:
    def f(x):
        for plain in (rnp.zeros(3, int), rnp.arange(3), rnp.array(["a"]), rnp.zeros(2)[0],
                      rnp.zeros_like(x, dtype=bool), rnp.zeros(3) > 0):  # fmt: skip
            assert not isinstance(plain, Box)
        for boxed in (rnp.zeros(3), rnp.zeros(3, np.float32) + 1, rnp.ones((2, 2)).T[0]):
            assert is_constant(boxed)
        return x

    rg.grad(f)(1.0)


def test_zeros_like_of_a_traced_array_works_in_plain_numpy() -> None:
    def f(x):
        made = [np.zeros_like(x), np.ones_like(x), np.empty_like(x), np.full_like(x, 2.0)]
        for a in made:
            a[0] = x[1] ** 2
        wide = np.zeros_like(x, shape=(2, 3), dtype=np.float32)
        wide[1] = x
        assert wide.dtype == np.float32
        return sum(a[0] for a in made) + np.sum(wide)

    np.testing.assert_allclose(rg.grad(f)(X), [1.0, 1.0 + 8 * X[1], 1.0])


def test_results_and_aux_are_plain_arrays() -> None:
    def f(x):
        a = rnp.zeros(2)
        return np.sum(x * a[0] + x), {"aux": a, "more": [a + 1]}

    gradient, aux = rg.grad(f, has_aux=True)(X)
    np.testing.assert_array_equal(gradient, np.ones(3))
    assert type(aux["aux"]) is type(aux["more"][0]) is np.ndarray
    value, pullback = rg.vjp(lambda x: rnp.zeros(2), X)
    assert type(value) is np.ndarray
    np.testing.assert_array_equal(pullback(np.ones(2))[0], np.zeros(3))


def test_a_constant_costs_nothing_on_the_tape() -> None:
    from retrograd.autodiff.tape import Tape

    with Tape() as tape:
        x = tape.watch(X)
        a = rnp.zeros(3)
        a[0] = 1.0
        a = rnp.sin(a) + 2
        assert len(tape.entries) == 1
        a *= x
        assert len(tape.entries) > 1


def test_constants_as_arguments_of_operators_and_keywords() -> None:
    def f(x):
        a = rnp.ones(3)
        inner = rg.grad(lambda y: rnp.sum(y * y))(a)
        matrix = rnp.eye(3)
        return rnp.sum(x * inner) + np.clip(x, a_min=rnp.zeros(3), a_max=a)[0] + (matrix @ x)[1]

    np.testing.assert_array_equal(rg.grad(f)(X), [3.0, 3.0, 2.0])


def test_plain_code_may_read_a_constant() -> None:
    def f(x):
        a = rnp.array([1.0, 2.0])
        assert float(a[1]) == a.item(1) == 2.0
        assert float(rnp.full((), 3.0)) == complex(rnp.full((), 3.0)) == 3.0
        assert a.tolist() == [1.0, 2.0]
        np.testing.assert_array_equal(np.asarray(a), [1.0, 2.0])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(a)), [1.0, 2.0])
        assert is_constant(copy.deepcopy(a))
        assert np.linalg.matrix_rank(rnp.eye(2)) == 2  # no rule is needed
        plain = np.ones(2)
        plain += a
        np.copyto(plain[:1], a[:1] + 1)
        np.put(plain, [1], a[1:])
        np.add.at(plain, [1], a[:1])
        np.sum(a, out=plain[1:].reshape(()))
        np.testing.assert_array_equal(plain, [2.0, 3.0])
        a[0] = x  # np.asarray's array is gone
        return a[0] * plain[0]

    assert rg.grad(f)(3.0) == 2.0


def test_a_write_that_a_plain_array_could_not_see_raises() -> None:
    def f(x):
        a = rnp.zeros((2, 2))
        plain = np.asarray(a[0])
        with pytest.raises(ValueError, match="read-only"):
            plain[0] = 1.0
        part = plain[1:]
        del plain
        a[1, 0] = x
        return a[1, 0] * part[0]

    with pytest.raises(InterceptionError, match=r"np\.asarray had made.*retrograd\.numpy\.asarray"):
        rg.grad(f)(1.0)


def test_an_earlier_use_keeps_its_value() -> None:
    def f(x):
        a = rnp.ones(3)
        before = x * a
        a *= 10.0
        a[0] = x[0]
        return np.sum(before * a)

    # x0^2 + 10 x1 + 10 x2
    np.testing.assert_allclose(rg.grad(f)(X), [2 * X[0], 10.0, 10.0])


def test_a_traced_array_keeps_what_was_written_before() -> None:
    def f(x):
        a = rnp.zeros(2)
        a[0] = x * x
        b = a
        a[0] = 1.0
        a[1] = x
        return b[0] * b[1]

    assert rg.grad(f)(3.0) == 1.0
