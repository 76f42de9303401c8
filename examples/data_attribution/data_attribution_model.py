"""A small transformer that reads lines of verse letter by letter, in JAX.

Layers are normalized before attention and before the wide part, as in GPT-2; the normalization has
no parameters, and the letters' embedding is the output's too.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "TEXT",
    "Lines",
    "Shape",
    "Weights",
    "initial_weights",
    "lines_of",
    "losses",
    "sonnets_of",
]

TEXT = Path(__file__).parents[1] / "language_model" / "text.txt"

Weights = dict[str, Any]


class Lines(NamedTuple):
    """Lines of text as numbers.

    Attributes:
        letters: what is read and told, (lines, length + 1) int32; each line begins and ends with a
            line break, and is filled up with those.
        counts: how many letters of each line are to be told, (lines,) int32; its last line break is
            among them.
    """

    letters: jax.Array
    counts: jax.Array

    def at(self, chosen: Any) -> Lines:
        """Some of the lines, by an index."""
        return Lines(self.letters[chosen], self.counts[chosen])


class Shape(NamedTuple):
    """The sizes of a transformer."""

    layers: int = 2
    width: int = 32
    heads: int = 4


def sonnets_of(text: str) -> list[list[str]]:
    """The lines of each poem; an empty line stands between two."""
    return [poem.strip().split("\n") for poem in text.split("\n\n")]


def lines_of(lines: list[str], alphabet: str) -> Lines:
    """The lines as numbers, all filled up to the longest."""
    numbers = {letter: number for number, letter in enumerate(alphabet)}
    framed = [f"\n{line}\n" for line in lines]
    length = max(map(len, framed))
    rows = [[numbers[letter] for letter in line.ljust(length, "\n")] for line in framed]
    counts = [len(line) - 1 for line in framed]
    return Lines(jnp.array(rows, jnp.int32), jnp.array(counts, jnp.int32))


def initial_weights(shape: Shape, alphabet: int, length: int, seed: int = 0) -> Weights:
    """Random weights, float32; those of the layers are stacked along their first axis."""
    layers, width = shape.layers, shape.width
    shapes = {
        "letters": (alphabet, width),
        "places": (length, width),
        "attend": (layers, width, 3 * width),
        "gather": (layers, width, width),
        "widen": (layers, width, 4 * width),
        "narrow": (layers, 4 * width, width),
    }
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(size=size) / math.sqrt(width) for name, size in shapes.items()}
    drawn["narrow"] /= 2.0  # it has four times as many inputs
    return {name: jnp.asarray(leaf, jnp.float32) for name, leaf in drawn.items()}


def normalized(x: Any) -> Any:
    """Mean 0 and variance 1 over the last axis."""
    x = x - x.mean(-1, keepdims=True)
    return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)


def attention(heads: int, layer: Weights, x: Any) -> Any:
    """Each place looks at itself and at those before it; x is (lines, length, width)."""
    count, length, width = x.shape
    parts = (x @ layer["attend"]).reshape(count, length, 3, heads, -1)
    q, k, v = jnp.moveaxis(parts, (2, 3), (0, 2))
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(width // heads)
    seen = jnp.tril(jnp.ones((length, length), bool))
    shares = jax.nn.softmax(jnp.where(seen, scores, -1e30))
    return jnp.moveaxis(shares @ v, 1, 2).reshape(x.shape) @ layer["gather"]


def transformed(heads: int, x: Any, layer: Weights) -> tuple[Any, None]:
    """One layer, for `lax.scan`."""
    x = x + attention(heads, layer, normalized(x))
    wide = normalized(x) @ layer["widen"]
    return x + jax.nn.gelu(wide) @ layer["narrow"], None


_OF_LAYERS = ("attend", "gather", "widen", "narrow")


def losses(shape: Shape, w: Weights, lines: Lines) -> Any:
    """The mean cross-entropy of each line in nats per letter, (lines,)."""
    read, told = lines.letters[:, :-1], lines.letters[:, 1:]
    x = w["letters"][read] + w["places"][: read.shape[1]]
    layers = {name: w[name] for name in _OF_LAYERS}
    x = jax.lax.scan(partial(transformed, shape.heads), x, layers)[0]
    scores = normalized(x) @ w["letters"].T
    right = jnp.take_along_axis(scores, told[..., None], -1)[..., 0]
    counted = jnp.arange(read.shape[1]) < lines.counts[:, None]
    return jnp.sum((jax.nn.logsumexp(scores, -1) - right) * counted, 1) / lines.counts
