"""The network of the experiments: fully connected, tanh, with a softmax on top."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from retrograd.experiments.array_library import array_library

__all__ = [
    "cross_entropy",
    "error_rate",
    "group_names",
    "initial_weights",
    "logits",
    "unit_normals",
]

STREAM = int.from_bytes(b"weights\0", "big")

Layers = Sequence[tuple[Any, Any]]

_NUMPY = array_library("numpy").xp


def unit_normals(sizes: Sequence[int], seed: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Standard normal weights and biases for layers of these sizes: the same for the same seed."""
    generator = Generator(Philox(key=numpy.array([seed, STREAM], dtype=numpy.uint64)))
    return [
        (generator.standard_normal((m, n)), generator.standard_normal(n))
        for m, n in pairwise(sizes)
    ]


def initial_weights(normals: Layers, scales: Any) -> list[tuple[Any, Any]]:
    """Scale each group (weights 1, biases 1, weights 2, ...) of standard normal draws.

    Args:
        normals: pairs of weights and biases, layer by layer.
        scales: (2 x layers,), the standard deviation of each group.
    """
    return [(scales[2 * i] * W, scales[2 * i + 1] * b) for i, (W, b) in enumerate(normals)]


def group_names(sizes: Sequence[int]) -> list[str]:
    """The parameter groups, in order: "weights 1", "biases 1", "weights 2", ..."""
    return [f"{kind} {i}" for i in range(1, len(sizes)) for kind in ("weights", "biases")]


def logits(w: Layers, x: Any, xp: Any = _NUMPY) -> Any:
    """The outputs before the softmax, (batch, classes), for inputs (batch, features).

    Args:
        w: weights and biases, layer by layer.
        x: (batch, features).
        xp: the functions of the array library; see `ArrayLibrary`.
    """
    for W, b in w[:-1]:
        x = xp.tanh(x @ W + b)
    W, b = w[-1]
    return x @ W + b


def cross_entropy(z: Any, targets: Any, xp: Any = _NUMPY) -> Any:
    """The mean over the batch of -log softmax(z), taken where `targets` (one-hot) has its one."""
    return xp.mean(xp.logsumexp(z, 1) - xp.sum(z * targets, 1))


def error_rate(z: NDArray[Any], labels: NDArray[Any]) -> float:
    """The fraction of inputs whose largest output is not their label's."""
    return float(numpy.mean(numpy.argmax(z, axis=1) != labels))
