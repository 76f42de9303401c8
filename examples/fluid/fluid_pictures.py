"""The pictures of a controlled fluid: rows of frames, and an animation.

The fluid is calculated on few cells, the smoke is drawn on many: the shift is smooth, so it is
interpolated, and then says for each dot of the picture where in the first picture its smoke was.
The colour of the smoke is the direction and the distance from the middle at step 0, so that it
shows where everything came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from fluid_shapes import Shape, filled, places
from fluid_solver import State, vorticity
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

__all__ = ["animation", "frames", "picture"]

Array = NDArray[np.floating[Any]]

NIGHT = "#0b1020"
PALE = "#e9ecf5"
FAINT = "#8a93a8"
AROUND = ("#ff6b6b", "#ffb347", "#ffe66d", "#7ae582", "#25c5df", "#6f7dff", "#d16bff")
TURNING = LinearSegmentedColormap.from_list(
    "turning", ["#9be8ff", "#2f9fd6", "#15385f", NIGHT, "#5f2a15", "#e2762b", "#ffdf9b"]
)


def picture(state: State, source: Shape, size: int = 256) -> Array:
    """The smoke as red, green and blue, of shape (size, size, 3).

    Args:
        state: the fluid.
        source: where the smoke was at step 0.
        size: dots along each side, a multiple of the fluid's cells.
    """
    height, width = np.mod(places(size) + _enlarged(state["shift"], size), 1.0)
    amount = filled(source(height, width), 0.008)[..., None]
    return amount * _colours(height, width) + (1 - amount) * np.array(to_rgb(NIGHT))


def frames(
    states: Sequence[State], source: Shape, target: Shape, columns: int = 6, size: int = 512
) -> Figure:
    """Smoke above, vorticity below, at steps that lie evenly between the first and the last.

    Args:
        states: the fluid at every step.
        source: where the smoke was at step 0.
        target: the picture that was asked for, drawn as an outline on the first frame.
        columns: how many steps are shown.
        size: dots along each side of a frame, a multiple of the fluid's cells.
    """
    shown = np.linspace(0, len(states) - 1, columns).round().astype(int)
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 11}):
        figure = Figure(figsize=(2.0 * columns, 4.25), facecolor=NIGHT)
        axes = figure.subplots(2, columns)
        figure.subplots_adjust(0.005, 0.01, 0.995, 0.93, wspace=0.03, hspace=0.03)
        strongest = max(np.quantile(np.abs(vorticity(states[t]["velocity"])), 0.995) for t in shown)
        for (above, below), t in zip(axes.T, shown, strict=True):
            _smoke(above, states[t], source, size)
            _turning(below, states[t], float(strongest))
            above.set_title(f"step {t}", color=PALE, fontsize=11)
        _outline(axes[0, 0], target)
    return figure


def animation(
    states: Sequence[State], source: Shape, path: Path, size: int = 256, every: int = 2
) -> None:
    """Write the smoke as an endless GIF that holds at both ends.

    Args:
        states: the fluid at every step.
        source: where the smoke was at step 0.
        path: the file.
        size: dots along each side, a multiple of the fluid's cells.
        every: how many steps from frame to frame.
    """
    shown = [*range(0, len(states) - 1, every), len(states) - 1]
    drawn = [_image(picture(states[t], source, size)) for t in shown]
    palette = _palette([drawn[i] for i in (0, len(drawn) // 2, -1)])
    indexed = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in drawn]
    lasting = [900, *[50] * (len(shown) - 2), 2500]
    indexed[0].save(
        path, save_all=True, append_images=indexed[1:], duration=lasting, loop=0, optimize=True
    )


def _smoke(axes: Axes, state: State, source: Shape, size: int) -> None:
    axes.imshow(picture(state, source, size), interpolation="antialiased", extent=(0, 1, 1, 0))
    axes.set_axis_off()


def _turning(axes: Axes, state: State, strongest: float) -> None:
    turning = vorticity(state["velocity"])
    values: Array = np.asarray(ndimage.zoom(turning, 4, mode="grid-wrap", grid_mode=True))
    # A root, or the last steps would be black: the motion dies down.
    shades = np.sign(values) * np.sqrt(np.abs(values / strongest))
    axes.imshow(shades, cmap=TURNING, vmin=-1, vmax=1, interpolation="bilinear")
    axes.set_axis_off()


def _outline(axes: Axes, target: Shape) -> None:
    height, width = places(256)
    axes.contour(
        width, height, target(height, width), levels=[0.0], colors=PALE, linewidths=0.9,
        linestyles="dotted",
    )  # fmt: skip


def _enlarged(shift: Array, size: int) -> Array:
    """The shift as a part of the box, interpolated to more cells."""
    n = shift.shape[-1]
    enlarge = (1, size / n, size / n)
    return ndimage.zoom(shift, enlarge, mode="grid-wrap", grid_mode=True) / n


def _colours(height: Array, width: Array) -> Array:
    """A colour for each place of step 0: hues around the middle, rings across them."""
    turn = np.arctan2(height - 0.5, width - 0.5) / (2 * np.pi) % 1.0
    distance = np.hypot(height - 0.5, width - 0.5)
    stops = np.array([to_rgb(colour) for colour in (*AROUND, AROUND[0])])
    at = np.linspace(0.0, 1.0, len(stops))
    hue = np.stack([np.interp(turn, at, stops[:, i]) for i in range(3)], axis=-1)
    rings = 0.86 + 0.14 * np.cos(2 * np.pi * 14 * distance)
    return hue * rings[..., None]


def _palette(images: Sequence[Image.Image]) -> Image.Image:
    """Colours for all frames, since those that change with the frame flicker.

    They are chosen by their share of the smoke: by their share of all dots, most would go to the
    night around it.
    """
    dots = np.concatenate([np.reshape(np.asarray(image), (-1, 3)) for image in images])
    smoke = dots[dots.max(axis=1) > 44]
    night = np.full((len(smoke) // 50 + 1, 3), to_rgb(NIGHT)) * 255
    return Image.fromarray(np.concatenate([smoke, night.round().astype(np.uint8)])[None]).quantize()


def _image(colours: Array) -> Image.Image:
    return Image.fromarray((255 * np.clip(colours, 0, 1)).round().astype(np.uint8))
