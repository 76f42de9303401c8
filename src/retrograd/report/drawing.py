"""A figure as bytes: PNG and SVG files, and SVG that a page can hold in its text.

The bytes are a function of the figure alone: no date, no random names.
"""

from __future__ import annotations

import io
import re

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from retrograd.report.figures import Picture
from retrograd.report.style import PALETTE, RC

__all__ = ["inline_svg", "png", "svg"]

DOTS_PER_INCH = 150


def png(picture: Picture) -> bytes:
    """The picture as a PNG at 150 dots per inch."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(RC):
        FigureCanvasAgg(picture.figure)
        picture.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def svg(picture: Picture) -> bytes:
    """The picture as an SVG; its internal names are hashed with the picture's name."""
    buffer = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({**RC, "svg.hashsalt": picture.name}):
        FigureCanvasSVG(picture.figure)
        picture.figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


def inline_svg(picture: Picture, drawn: bytes) -> Markup:
    """The picture as an `<svg>` element that follows the page's colours and width.

    Args:
        picture: What is drawn.
        drawn: The same as an SVG file, from `svg`.
    """
    text = drawn.decode()
    text = re.sub(r"\A.*?(?=<svg )", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _with_own_names(text, picture.name)
    text = _with_page_colours(text)
    return Markup(_with_label(text, picture.alt))


def _with_own_names(text: str, name: str) -> str:
    """Names are unique on a page only if every picture has its own."""
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    return text.replace("url(#", f"url(#{name}-")


def _with_page_colours(text: str) -> str:
    for shade in PALETTE:
        text = text.replace(shade.light, f"var(--{shade.name})")
    return text


def _with_label(text: str, alt: str) -> str:
    element = Markup('<svg role="img" aria-label="{}" ').format(alt)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg ", element, 1)
