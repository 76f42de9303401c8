"""The page on differentiation leaves the lists of functions to the generated tables."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_points_to_the_tables() -> None:
    page = (DOCS / "autodiff.md").read_text(encoding="utf-8")
    assert "{doc}`differentiable`" in page


def test_the_tables_are_in_the_contents() -> None:
    contents = (DOCS / "index.md").read_text(encoding="utf-8").splitlines()
    assert {"differentiable", "migration"} <= {line.strip() for line in contents}
