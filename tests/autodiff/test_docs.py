"""The page on differentiation lists exactly the functions that have a rule."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import retrograd.scipy.special as special
from retrograd.autodiff.primitive import REGISTRY, Primitive

PAGE = Path(__file__).parents[2] / "docs" / "autodiff.md"


def section() -> str:
    return PAGE.read_text().split("## What can be differentiated")[1].split("\n## ")[0]


def listed(heading: str) -> set[str]:
    (line,) = re.findall(
        rf"^- \*\*{heading}\*\*[^:]*: (.*?)(?=\n- |\n\n)", section() + "\n\n", re.M | re.S
    )
    return set(re.findall(r"`(\w+)`", line))


def test_differentiable_functions_are_listed() -> None:
    differentiable = {
        f.__name__
        for f, stand_in in REGISTRY.items()
        if hasattr(np, f.__name__)
        and (not isinstance(stand_in, Primitive) or stand_in.differentiable)
    }
    kinds = ("Elementwise", "Reductions", "Products", "Shapes")
    names = [name for kind in kinds for name in listed(kind)]
    assert sorted(names) == sorted(differentiable)
    assert listed("Special") == set(special.__all__)


def test_functions_without_derivative_are_listed() -> None:
    constant = {
        f.__name__
        for f, stand_in in REGISTRY.items()
        if isinstance(stand_in, Primitive) and not stand_in.differentiable
    }
    assert listed("Plain values") == constant
