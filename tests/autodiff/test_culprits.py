"""An error about a lost derivative names what was done and the cure for that, not a list of all."""

from __future__ import annotations

import cmath
import math
from functools import partial

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.spatial.distance
import scipy.special
import scipy.stats

import retrograd as rg
from retrograd.errors import InterceptionError
from retrograd.scipy import integrate

X = np.array([0.3, 0.7])
TIMES = np.array([0.0, 1.0])


def filled(x):
    path = np.zeros((2, 2))
    path[0] = x
    return np.sum(path)


def filled_with_numbers(x):
    path = np.zeros(2)
    path[1] = x[0] * x[1]
    return np.sum(path)


def filled_by_slices(x):
    path = np.zeros(4)
    path[1:3] = x
    return np.sum(path)


def right_side(y, t):
    return np.array([y[0] * y[1], -y[0]])


CREATE = r"^a\[i\] = x with a plain array a .*retrograd\.numpy \(zeros.*np\.zeros_like"
NUMBER = r"^float\(x\), math\.f\(x\) .*NumPy or retrograd\.numpy instead of math's"
ARRAY = r"^np\.array\(x\), np\.asarray\(x\) .*import retrograd\.numpy as np.*np\.stack"
OPERATOR = r"^an operator with a list .*retrograd\.numpy\.array"
OF_SPECIAL = r"^a function of scipy\.special .*retrograd\.scipy\.special"
OF_STATS = r"^a function of scipy\.stats .*retrograd\.scipy\.stats"
CULPRITS = {
    "a row of a plain array": (filled, CREATE),
    "an element of a plain array": (filled_with_numbers, CREATE),
    "a slice of a plain array": (filled_by_slices, CREATE),
    "math": (lambda x: math.erf(x[0]), NUMBER),
    "cmath": (lambda x: cmath.exp(x[0]).real, NUMBER),
    "float": (lambda x: float(np.sum(x)), NUMBER),
    "formatting": (lambda x: x[0] if "%.2f" % x[0] else x[1], r"^'%f' % x .*\{x:f\}"),  # noqa: UP031
    "a list of numbers": (lambda x: np.sum(np.array([x[0], x[1]])), ARRAY),
    "a mean over a list": (lambda x: np.mean([x[0] - k for k in range(3)]), ARRAY),
    "a function of NumPy in Python": (lambda x: np.sum(np.full(2, x[0])), ARRAY),
    "a matrix times a list": (lambda x: np.sum(np.eye(2) @ [x[0], x[1]]), OPERATOR),
    "an index": (
        lambda x: np.arange(3.0)[x[0]] * x[1],
        r"^a\[x\] with a plain array a.*use int\(x\)",
    ),
    "a masked array": (lambda x: np.sum(np.ma.masked_array(X, [0, 1]) * x), OPERATOR),
    "scipy.special": (lambda x: scipy.special.logsumexp(x), OF_SPECIAL),
    "scipy.stats": (lambda x: scipy.stats.norm.cdf(x[0]), OF_STATS),
    "scipy.linalg": (
        lambda x: scipy.linalg.expm(x[0] * np.eye(2))[0, 0],
        r"^a function of scipy\.linalg .*take it from retrograd\.scipy\.linalg",
    ),
    "scipy.integrate": (
        lambda x: scipy.integrate.odeint(lambda y, t: -y, x, TIMES)[1, 0],
        r"^a function of scipy\.integrate .*take it from retrograd\.scipy\.integrate",
    ),
    "what we have not": (
        lambda x: np.sum(scipy.spatial.distance.cdist(x[:, None], x[:, None])),
        r"^a function of scipy\.spatial .*write it with NumPy, or state a rule",
    ),
    "a right side for a solver": (
        lambda x: np.sum(integrate.odeint(right_side, x, TIMES)),
        ARRAY,
    ),
}


@pytest.mark.parametrize("name", CULPRITS)
@pytest.mark.parametrize("operator", [rg.grad, lambda f: partial(rg.jacobian(f))])
def test_the_error_names_what_was_done_and_its_cure(name, operator) -> None:
    program, message = CULPRITS[name]
    with pytest.raises(InterceptionError, match=message) as caught:
        operator(program)(X)
    assert "retrograd.value_of(x)" in str(caught.value)
    assert ("a[i] = x" in str(caught.value)) == (message is CREATE)


@pytest.mark.parametrize(
    "write",
    [
        lambda a, x: np.add(a, x, out=a),
        lambda a, x: a.__iadd__(x),
        lambda a, x: a[0:2].__imul__(x),
    ],
)
def test_arithmetic_into_a_plain_array_names_how_to_create_it(write) -> None:
    with pytest.raises(InterceptionError, match=r"plain array.*retrograd\.numpy \(zeros.*_like"):
        rg.grad(lambda x: np.sum(write(np.zeros(2), x)))(X)
