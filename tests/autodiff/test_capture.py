"""Plain arrays that the program writes to after use: the old values count, or an error says so."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff import capture
from retrograd.errors import InterceptionError

N = 5000  # larger than what is copied


def test_small_arrays_may_be_written_to() -> None:
    def f(x: Any) -> Any:
        a = np.ones(3)
        y = np.sum(x * a)
        a[:] = 100.0
        return y

    np.testing.assert_array_equal(rg.grad(f)(np.ones(3)), np.ones(3))


@pytest.mark.parametrize(
    "used",
    [
        lambda a: a,
        lambda a: np.broadcast_to(a, (1, N)),
        lambda a: a[: N - 1],
        lambda a: a.reshape(2, -1).T,
    ],
)
def test_large_arrays_may_not(used: Any) -> None:
    a = np.ones(N)

    def f(x: Any) -> Any:
        y = np.sum(x * used(a))
        a[:] = 100.0
        return y

    with pytest.raises(InterceptionError, match=r"written to after.*a\.copy\(\)"):
        rg.grad(f)(1.0)
    np.testing.assert_array_equal(a, 1.0)
    a[0] = 2.0  # unlocked again


def test_memory_that_is_not_numpys_own_is_copied() -> None:
    memory = bytearray(np.ones(N).tobytes())
    a, b = np.frombuffer(memory), np.frombuffer(memory)

    def f(x: Any) -> Any:
        y = np.sum(x * a)
        b[:] = 100.0
        return y

    assert rg.grad(f)(1.0) == N


def test_an_array_that_an_inner_trace_used_stays_locked_for_the_outer() -> None:
    mask = np.zeros(4 * N, bool)

    def f(x: Any) -> Any:
        def inner(y: Any) -> Any:
            return np.sum(np.where(mask, y, x) ** 2)

        slope = rg.grad(inner)(np.ones(4 * N))
        value = inner(np.ones(4 * N)) + np.sum(slope)
        mask[:] = True
        return value

    with pytest.raises(InterceptionError):
        rg.grad(f)(np.ones(4 * N))
    mask[0] = True


def test_nested_locks_let_go_of_views_as_well() -> None:
    big = np.ones(N)
    view = big[: N - 1]

    def f(x: Any) -> Any:
        return np.sum(x * big) + rg.grad(lambda y: np.sum(y * view))(x)

    rg.grad(f)(2.0)
    view[0] = big[1] = 3.0
    assert not capture._locked


def test_two_threads_lock_one_array() -> None:
    big = np.ones(N)
    inside, leave = threading.Event(), threading.Event()

    def slow(x: Any) -> Any:
        y = np.sum(x * big)
        inside.set()
        assert leave.wait(10)
        return y

    thread = threading.Thread(target=lambda: rg.grad(slow)(1.0))
    thread.start()
    assert inside.wait(10)
    assert rg.grad(lambda x: np.sum(x * big))(1.0) == N
    with pytest.raises(ValueError, match="read-only"):
        big[0] = 2.0  # the other thread still needs it
    leave.set()
    thread.join()
    big[0] = 2.0


def test_keyword_arguments_are_kept() -> None:
    def f(x: Any) -> Any:
        repeats = np.array([1, 2])
        y = np.repeat(x, repeats=repeats)
        repeats[:] = 2
        return np.sum(y)

    np.testing.assert_array_equal(rg.grad(f)(np.ones(2)), [1.0, 2.0])


@pytest.mark.parametrize("size", [3, N])
def test_the_callers_own_array(size: int) -> None:
    w = np.ones(size)

    def f(x: Any) -> Any:
        y = np.sum(x**3)
        w[:] = 100.0
        return y

    if size == N:
        with pytest.raises(InterceptionError):
            rg.grad(f)(w)
    else:
        np.testing.assert_array_equal(rg.grad(f)(w), 3 * np.ones(size))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("mode", [rg.grad, lambda f: lambda x: rg.jvp(f, (x,), (x,))])
def test_arrays_with_multiplications_of_their_own_are_refused(mode: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    for foreign in (
        np.matrix([[1.0, 2.0], [3.0, 4.0]]),
        np.ma.masked_array(np.ones((2, 2)), mask=[[True, False], [False, False]]),
        sparse.csr_matrix(np.eye(2)),
    ):
        with pytest.raises(InterceptionError, match=r"toarray"):
            mode(lambda x: np.sum(x * foreign))(np.ones((2, 2)))  # noqa: B023


def test_lists_as_operands() -> None:
    x = np.array([2.0, 3.0])
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(x / [1.0, 2.0]))(x), [1.0, 0.5])
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(x ** [1.0, 2.0]))(x), [1.0, 6.0])
    np.testing.assert_allclose(
        rg.grad(lambda x: np.sum(x @ [[1.0, 2.0], [3.0, 4.0]]))(x), [3.0, 7.0]
    )


def test_methods_of_ufuncs_in_the_drop_in_namespace() -> None:
    import retrograd.numpy as rnp

    assert rnp.add.reduce(np.ones(3)) == 3.0
    np.testing.assert_array_equal(rg.grad(lambda x: rnp.add.reduce(x))(np.ones(3)), np.ones(3))


def test_an_array_that_is_used_several_times_is_locked_once_and_let_go() -> None:
    constant = np.full((200, 200), 2.0)
    seen: list[bool] = []

    def f(x: Any) -> Any:
        for _ in range(3):
            x = x * constant
        seen.append(constant.flags.writeable)
        return np.sum(x * constant[:])

    np.testing.assert_array_equal(rg.grad(f)(np.ones((200, 200))), np.full((200, 200), 16.0))
    assert seen == [False]
    assert constant.flags.writeable
    assert not capture._locked


def test_an_array_of_objects_is_refused_where_no_rule_reads_it() -> None:
    objects = np.array([1.0, 2.0], dtype=object)
    with pytest.raises(InterceptionError, match="dtype object"):
        rg.grad(lambda x: np.sum(x + objects))(np.ones(2))
