"""How every figure looks: one palette for light and dark, one set of sizes.

Figures are drawn in the light colours. On the page each of them becomes a CSS variable, so that
the same drawing follows the reader's choice of light or dark.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["FAINT", "GRID", "INK", "PALETTE", "PAPER", "RC", "SERIES", "WIDTH", "Shade"]


class Shade(NamedTuple):
    """A colour: the name of its CSS variable, and how it looks on light and on dark paper."""

    name: str
    light: str
    dark: str


PAPER = Shade("paper", "#ffffff", "#16191d")
INK = Shade("ink", "#1f2328", "#e4e7eb")
FAINT = Shade("faint", "#5b636d", "#a3acb7")
GRID = Shade("grid", "#dfe3e8", "#333a42")

# After Okabe and Ito: told apart with every common kind of colour vision, here darkened for
# white paper and lightened for dark paper to keep their contrast.
SERIES = (
    Shade("series-1", "#0072b2", "#58aee6"),
    Shade("series-2", "#d55e00", "#f28b45"),
    Shade("series-3", "#00916b", "#2fc49b"),
    Shade("series-4", "#b1508d", "#e08fc2"),
    Shade("series-5", "#a67c00", "#e3b93c"),
    Shade("series-6", "#555b66", "#b6bdc8"),
)

PALETTE = (PAPER, INK, FAINT, GRID, *SERIES)

WIDTH = 5.6  # inches: two figures side by side on a desk, one on a telephone

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same picture on every machine
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT.light,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK.light,
    "axes.titlecolor": INK.light,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": PAPER.light,
    "figure.facecolor": PAPER.light,
    "savefig.facecolor": PAPER.light,
    "grid.color": GRID.light,
    "grid.linewidth": 0.7,
    "text.color": INK.light,
    "xtick.color": FAINT.light,
    "ytick.color": FAINT.light,
    "xtick.labelcolor": INK.light,
    "ytick.labelcolor": INK.light,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.4,
    "svg.fonttype": "path",
}
