"""Muon: momentum, orthogonalized for matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from retrograd.optimizers.optimizer import FRACTION, Interval, Optimizer
from retrograd.optimizers.program import Program, add, decay

if TYPE_CHECKING:
    from retrograd.lattice import Layout

__all__ = ["Muon", "orthogonalized"]

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_TINY = 1e-7


def orthogonalized(matrix: Any, xp: Any, root: Any) -> Any:
    """A matrix with nearly the same singular vectors, and singular values near 1.

    Five iterations of X <- a*X + (b*A + c*A*A) X, with A = X X^T and (a, b, c) = (3.4445, -4.7750,
    2.0315), from the matrix divided by its Frobenius norm. Singular values end between about 0.7
    and 1.2; those far below the largest (by 1,000 or more) stay smaller, and a matrix of zeros
    stays zero.

    Args:
        matrix: (rows, columns).
        xp: the functions of the array library, by NumPy's names.
        root: its square root.

    Returns:
        (rows, columns).

    Example:
        >>> import numpy as np
        >>> found = orthogonalized(np.array([[0.0, 3.0], [2.0, 0.0]]), np, np.sqrt)
        >>> found.round(1)
        array([[0. , 1.1],
               [0.7, 0. ]])

    References:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
        kellerjordan.github.io/posts/muon.
    """
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (root(xp.sum(x * x)) + _TINY)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.T if tall else x


def _moves(velocity: Any, xp: Any, root: Any, layout: Layout) -> tuple[Any, Any]:
    """The parts of the velocity that the two rates belong to, (N,) each: matrices and the rest."""
    matrices, rest = [], []
    for leaf, shape, size in zip(layout.split(velocity), layout.shapes, layout.sizes, strict=True):
        flat = leaf.reshape((size,))
        if len(shape) < 2:
            matrices.append(0 * flat)
            rest.append(flat)
            continue
        matrix = leaf.reshape((shape[0], size // shape[0]))
        scale = math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
        matrices.append((scale * orthogonalized(matrix, xp, root)).reshape((size,)))
        rest.append(0 * flat)
    return xp.concatenate(matrices), xp.concatenate(rest)


def _move(velocity: Any, rate: Any, rest_rate: Any, xp: Any, root: Any, layout: Layout) -> Any:
    matrices, rest = _moves(velocity, xp, root, layout)
    return rate * matrices + rest_rate * rest


@dataclass(frozen=True, eq=False, repr=False)
class Muon(Optimizer):
    """Momentum whose velocity is orthogonalized for matrices, and left as it is for the rest::

        v <- momentum * v - g
        W <- W + rate * sqrt(max(1, rows / columns)) * O(V)      leaves of two or more axes
        w <- w + rest_rate * v                                   all other leaves

    where O replaces the singular values of a matrix by numbers near 1 (`orthogonalized`). A leaf
    of three axes or more is a matrix with one row per index of the first one.

    Args:
        rate: of the matrices; any finite number.
        rest_rate: of the rest, plain momentum; any finite number.
        momentum: in [0, 1).
        radix: binary digits after the point on the lattice, by slot. The defaults, 44 for
            "weights" and, in two words, 69 for "velocity", hold magnitudes below 262,144 and
            2**36.

        Each hyperparameter is one number, `per_step`, `per_leaf`, or a container like the weights.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w["W"] @ np.ones(3) + w["b"] - hyper) ** 2)
        >>> w = {"W": np.zeros((2, 3)), "b": np.zeros(2)}
        >>> w = rg.train(loss, w, np.ones(2), rg.Muon(0.01, rest_rate=0.01), steps=100)
        >>> bool(loss(w, np.ones(2), 0) < 0.01)
        True

    References:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
        kellerjordan.github.io/posts/muon; here without Nesterov's look-ahead, so that it can be
        run backwards.
    """

    rate: Any = 0.02
    rest_rate: Any = 1e-3
    momentum: Any = 0.95

    program: ClassVar[Program] = Program(
        slots=("velocity",),
        statements=(
            decay("velocity", "momentum"),
            add("velocity", "gradient", lambda: -1.0),
            add("weights", _move),
        ),
    )
    domains: ClassVar[Mapping[str, Interval]] = {"momentum": FRACTION}
    radixes: ClassVar[Mapping[str, int]] = {"weights": 44, "velocity": 69}
    words: ClassVar[Mapping[str, int]] = {"velocity": 2}
