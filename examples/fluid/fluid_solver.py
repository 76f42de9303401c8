"""A two-dimensional incompressible fluid on a torus, in plain NumPy.

A state is a dict of two arrays of shape (2, n, n), the vertical component first:

- `velocity`, in cells per step;
- `shift`: how far from each cell, in cells, the fluid lay at step 0 that fills the cell now.

Smoke is not part of the state. What fills a cell now is what was there at step 0, so a picture of
the smoke at any step is the picture at step 0, looked up at `shift`. Fine edges survive that
way, because the shift is smooth where the smoke is not, and any picture can be carried along
afterwards.

One step follows the fluid along its velocity and looks both fields up where it came from (Stam,
"Stable fluids", 1999), then makes the velocity divergence-free again by dropping from each wave
the part that points along the wave.

The program knows nothing of derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["State", "begin", "cells", "divergence", "project", "smooth", "step", "vorticity"]

Array = NDArray[np.floating[Any]]
State = dict[str, Array]


def begin(control: Array, smoothness: float) -> State:
    """The state at step 0.

    Args:
        control: any field of shape (2, n, n). Its smooth, divergence-free part is the velocity.
        smoothness: how strongly short waves are damped, see `smooth`.
    """
    return {"velocity": project(smooth(control, smoothness)), "shift": np.zeros(control.shape)}


def step(state: State, params: None = None, t: int = 0) -> State:
    """The state one step later. There are no parameters, and every step is alike."""
    velocity, shift = state["velocity"], state["shift"]
    both = _advect(np.concatenate([velocity, shift]), velocity)
    return {"velocity": project(both[:2]), "shift": both[2:] - velocity}


def cells(n: int) -> Array:
    """Row and column of each cell, of shape (2, n, n)."""
    return np.stack(np.meshgrid(np.arange(float(n)), np.arange(float(n)), indexing="ij"))


def project(velocity: Array) -> Array:
    """The divergence-free part of a field of shape (2, n, n)."""
    n = velocity.shape[-1]
    waves, spectrum = _sloping_waves(n), np.fft.rfft2(velocity)
    along = np.sum(waves * spectrum, axis=0) / np.maximum(np.sum(waves**2, axis=0), 1.0)
    return np.fft.irfft2(spectrum - waves * along, (n, n))


def smooth(field: Array, smoothness: float) -> Array:
    """The field with short waves damped: to a quarter, where 1 / `smoothness` fit into the box."""
    n = field.shape[-1]
    squares = np.sum(_waves(n) ** 2, axis=0)
    return np.fft.irfft2(np.fft.rfft2(field) / (1.0 + smoothness**2 * squares) ** 2, (n, n))


def divergence(velocity: Array) -> Array:
    """The divergence of a field of shape (2, n, n): what `project` removes."""
    vertical, horizontal = _slopes(velocity)
    return vertical[0] + horizontal[1]


def vorticity(velocity: Array) -> Array:
    """How fast the fluid turns to the left in each cell: the curl of a field (2, n, n)."""
    vertical, horizontal = _slopes(velocity)
    return vertical[1] - horizontal[0]


def _advect(fields: Array, velocity: Array) -> Array:
    """Fields of shape (k, n, n) looked up, between cells linearly, where the fluid came from."""
    n = velocity.shape[-1]
    position = cells(n) - velocity
    corner = np.floor(position)
    (top, left), (down, right) = np.mod(corner.astype(int), n), position - corner
    bottom, beside = np.mod(top + 1, n), np.mod(left + 1, n)
    flat = np.reshape(fields, (len(fields), n * n))
    upper = (1 - right) * flat[:, top * n + left] + right * flat[:, top * n + beside]
    lower = (1 - right) * flat[:, bottom * n + left] + right * flat[:, bottom * n + beside]
    return (1 - down) * upper + down * lower


def _slopes(field: Array) -> tuple[Array, Array]:
    """The derivatives of a field of shape (2, n, n), down and across."""
    n = field.shape[-1]
    waves = 2j * np.pi / n * _sloping_waves(n)[:, None]
    down, across = np.fft.irfft2(waves * np.fft.rfft2(field), (n, n))
    return down, across


def _waves(n: int) -> Array:
    """How often each wave of a real transform fits into the box, down and across."""
    down, across = np.meshgrid(np.fft.fftfreq(n, 1 / n), np.fft.rfftfreq(n, 1 / n), indexing="ij")
    return np.stack([down, across])


def _sloping_waves(n: int) -> Array:
    """The same with 0 for the shortest wave: its slope from cell to cell has no sign."""
    waves = _waves(n)
    return np.where(np.abs(waves) == n / 2, 0.0, waves)
