"""Functions of retrograd.numpy and retrograd.scipy take lists of traced numbers, as NumPy's do."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd import extend
from retrograd.errors import InterceptionError
from retrograd.scipy import linalg, special, stats
from retrograd.testing import check_grads

X = np.array([0.4, 1.3])

PROGRAMS = {
    "sum": lambda a, b: rnp.sum([a, b * b]),
    "sum along an axis": lambda a, b: rnp.sum([[a, b], [b, 1.0]], axis=0)[0],
    "sum by position": lambda a, b: rnp.sum(((a, b), (b, 1.0)), 1)[1],
    "mean": lambda a, b: rnp.mean([(a - k) ** 2 + b for k in range(3)]),
    "max": lambda a, b: rnp.max([a, b, 0.1]),
    "prod": lambda a, b: rnp.prod((a, b, a)),
    "std": lambda a, b: rnp.std([a, b, 0.0]),
    "median": lambda a, b: rnp.median([a, b, 0.0]),
    "a ufunc": lambda a, b: rnp.exp([a, b])[0] * b,
    "a ufunc of two": lambda a, b: rnp.sum(rnp.multiply([a, b], (b, 2.0))),
    "a list beside an array": lambda a, b: rnp.dot(rnp.stack([a, b]), [b, 1.0]),
    "an array of numbers beside a list": lambda a, b: rnp.matmul(np.eye(2), [a, b])[1],
    "a list by keyword": lambda a, b: rnp.average(rnp.stack([a, b]), weights=[b, 1.0]),
    "all by keyword": lambda a, b: rnp.linalg.solve(a=[[a, 0.1], [0.2, b]], b=[1.0, a])[1],
    "linspace": lambda a, b: rnp.sum(rnp.linspace([a, 0.0], [b, 1.0], 3)),
    "linspace to plain ends": lambda a, b: np.sum(np.linspace(rnp.stack([a, b]), [1.0, 2.0], 3)),
    "geomspace": lambda a, b: rnp.sum(rnp.geomspace([a, 1.0], (b, 2.0), 3)),
    "logspace": lambda a, b: rnp.sum(rnp.logspace([a, 0.0], [b, 1.0], 3)),
    "norm": lambda a, b: rnp.linalg.norm([a, b]),
    "solve": lambda a, b: rnp.linalg.solve([[a, 0.1], [0.2, b]], [1.0, a])[0],
    "det": lambda a, b: rnp.linalg.det([[a, b], [1.0, a]]),
    "fft": lambda a, b: rnp.abs(rnp.fft.fft([a, b, 1.0]))[1],
    "where": lambda a, b: rnp.sum(rnp.where([True, False], [a, b], [b, a])),
    "outer": lambda a, b: rnp.sum(rnp.outer([a, b], [1.0, b])),
    "logsumexp": lambda a, b: special.logsumexp([a, b]),
    "softmax": lambda a, b: special.softmax([a, b])[0],
    "expit": lambda a, b: rnp.sum(special.expit([a, b])),
    "expm": lambda a, b: linalg.expm([[a, b], [0.0, a]])[0, 1],
    "logpdf": lambda a, b: rnp.sum(stats.norm.logpdf([a, b], a, b)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_list_is_the_array_of_its_numbers(name) -> None:
    def program(x):
        return PROGRAMS[name](x[0], x[1])

    assert rg.value_and_grad(program)(X)[0] == pytest.approx(program(X), rel=1e-12)
    check_grads(program, X)


def test_what_a_list_gives_can_be_written_to_with_out() -> None:
    def program(x):
        total = rnp.zeros(2)
        rnp.sum([[x[0], x[1]], [x[1], 1.0]], axis=0, out=total)
        return total[0] * total[1]

    check_grads(program, X)


def test_ragged_lists_are_refused_as_numpy_refuses_them() -> None:
    with pytest.raises(ValueError, match="shape"):
        rg.grad(lambda x: rnp.sum([[x[0]], [x[0], x[1]]]))(X)


def test_a_primitive_of_the_user_keeps_its_lists() -> None:
    """There a list may mean something else than an array: `+` puts lists together."""

    @extend.primitive
    def longer(parts):
        return np.sum(parts + [1.0])  # noqa: RUF005  # not so for arrays

    with pytest.raises(InterceptionError, match="list"):
        rg.grad(lambda x: longer([x[0], x[1]]))(X)
