"""Linear functions of large arrays, of which a tape keeps no more than shape and dtype."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg

RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(30, 30))
CUBE = RNG.normal(size=(12, 3, 10))
VECTOR = RNG.normal(size=400)

LINEAR = {
    "repeat": lambda x: np.repeat(x, 2),
    "repeat along an axis": lambda x: np.repeat(x, 2, -1),
    "repeat apart": lambda x: np.repeat(x, np.arange(30), 0),
    "tile": lambda x: np.tile(x, (2, 1)),
    "resize": lambda x: np.resize(x, (7, 9)),
    "reshape": lambda x: np.reshape(x, (90, 10), order="F"),
    "ravel": lambda x: np.ravel(x, "F"),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 30, 30)),
    "roll": lambda x: np.roll(x, (1, 2), (0, 1)),
    "rot90": np.rot90,
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "concatenate": lambda x: np.concatenate([x, 2 * x], 1),
    "block": lambda x: np.block([[x, x], [x, x]]),
    "split": lambda x: np.split(x, 3, 1)[1],
    "diag": lambda x: np.diag(x, -2),
    "diagflat": lambda x: np.diagflat(x[0]),
    "trace": lambda x: np.trace(x, 1),
    "tril": np.tril,
    "triu": np.triu,
    "pad": lambda x: np.pad(x, 1),
    "pad with edges": lambda x: np.pad(x, ((0, 2), (1, 0)), "edge"),
    "insert": lambda x: np.insert(x, [3, 5], 1.0, axis=1) - np.insert(0 * x, [3, 5], 1.0, axis=1),
    "delete": lambda x: np.delete(x, [3, 5], axis=0),
    "einsum of a diagonal": lambda x: np.einsum("ii->i", x),
    "einsum of a trace": lambda x: np.einsum("ii", x),
    "einsum of a sum": lambda x: np.einsum("ij->j", x),
    "einsum of a product": lambda x: np.einsum("ij,jk->ik", x, SQUARE),
    "einsum of three": lambda x: np.einsum("ij,jk,kl->il", SQUARE, x, SQUARE),
    "outer": lambda x: np.outer(x, VECTOR[:3]),
    "inner": lambda x: np.inner(x, SQUARE),
    "dot": lambda x: np.dot(SQUARE, x),
    "vdot": lambda x: np.vdot(SQUARE, x),
    "tensordot": lambda x: np.tensordot(x, SQUARE, ([0], [1])),
    "kron": lambda x: np.kron(VECTOR[:2], x),
    "matmul with a vector": lambda x: x @ SQUARE[0],
    "vecdot": lambda x: np.vecdot(SQUARE, x),
    "cross": lambda x: np.cross(CUBE, np.stack([x[:12, :10]] * 3), axisa=1, axisb=0),
    "convolve": lambda x: np.convolve(np.ravel(x), VECTOR, "same"),
    "correlate": lambda x: np.correlate(VECTOR, x[:, 0]),
    "apply_along_axis": lambda x: np.apply_along_axis(np.cumsum, 0, x),
}  # fmt: skip


@pytest.mark.parametrize("function", LINEAR.values(), ids=LINEAR)
def test_the_transpose_is_that_of_the_function(function):
    value, pullback = rg.vjp(function, SQUARE)
    g = RNG.normal(size=np.shape(value))
    d = RNG.normal(size=SQUARE.shape)
    (found,) = pullback(g)
    np.testing.assert_allclose(value, function(SQUARE))
    np.testing.assert_allclose(np.sum(found * d), np.sum(g * function(d)), rtol=1e-9)
    np.testing.assert_allclose(rg.jvp(function, (SQUARE,), (d,))[1], function(d), atol=1e-10)
    once = rg.grad(lambda x: np.sum(function(x) * g))(SQUARE)
    np.testing.assert_allclose(once, found, atol=1e-12)
