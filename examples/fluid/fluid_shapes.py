"""The pictures: where the smoke is at first, and what it shall show at the end.

A shape is a function of height and width, both from 0 to 1 across the box and downwards, that
gives the signed distance to its edge: negative within. No picture is read from a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHAPES", "Shape", "disc_like", "filled", "nabla", "places", "smiley"]

Array = NDArray[np.floating[Any]]
Point = tuple[float, float]
Shape = Callable[[Array, Array], Array]


def nabla(height: Array, width: Array) -> Array:
    """The gradient's sign: three strokes."""
    return _strokes([(0.24, 0.20), (0.24, 0.80), (0.78, 0.50), (0.24, 0.20)], height, width) - 0.055


def smiley(height: Array, width: Array) -> Array:
    """A face with two eyes and a smile."""
    angles = np.pi * np.linspace(0.18, 0.82, 24)
    smile = [(0.5 + 0.2 * np.sin(a), 0.5 + 0.2 * np.cos(a)) for a in angles]
    holes = [
        np.hypot((height - 0.40) / 1.35, width - 0.38) - 0.043,
        np.hypot((height - 0.40) / 1.35, width - 0.62) - 0.043,
        _strokes(smile, height, width) - 0.032,
    ]
    return np.maximum(_disc(0.36, height, width), -np.min(holes, axis=0))


SHAPES: dict[str, Shape] = {"nabla": nabla, "smiley": smiley}


def disc_like(shape: Shape) -> Shape:
    """The disc in the middle that has the area of `shape`, since no fluid is made or lost."""
    radius = float(np.sqrt(np.mean(shape(*places(512)) < 0) / np.pi))
    return lambda height, width: _disc(radius, height, width)


def filled(distance: Array, edge: float) -> Array:
    """How much smoke there is: 1 within, 0 outside, and an edge of that width between."""
    return 0.5 - 0.5 * np.tanh(distance / edge)


def places(n: int) -> Array:
    """Height and width of the middles of n by n cells, of shape (2, n, n)."""
    middles = (np.arange(n) + 0.5) / n
    return np.stack(np.meshgrid(middles, middles, indexing="ij"))


def _disc(radius: float, height: Array, width: Array) -> Array:
    # The small number keeps the root differentiable in the middle.
    return np.sqrt((height - 0.5) ** 2 + (width - 0.5) ** 2 + 1e-12) - radius


def _strokes(points: Sequence[Point], height: Array, width: Array) -> Array:
    """The distance to a line through the points."""
    return np.min([_stroke(a, b, height, width) for a, b in pairwise(points)], axis=0)


def _stroke(start: Point, end: Point, height: Array, width: Array) -> Array:
    (y, x), (down, across) = start, (end[0] - start[0], end[1] - start[1])
    along = ((height - y) * down + (width - x) * across) / (down**2 + across**2)
    along = np.clip(along, 0.0, 1.0)
    return np.hypot(height - y - along * down, width - x - along * across)
