"""The room's public names, each documented, and what the room may import."""

from __future__ import annotations

import ast
from pathlib import Path

from retrograd import lattice


def test_public_names() -> None:
    assert sorted(lattice.__all__) == [
        "Decays",
        "FixedPoint",
        "Increments",
        "InformationBuffer",
        "Layout",
        "Losses",
        "Workspace",
        "checksum",
        "fingerprint",
        "period",
        "rational",
    ]
    assert all(getattr(lattice, name).__doc__ for name in lattice.__all__)


def test_imports_numpy_and_errors_only() -> None:
    outside = set()
    for path in Path(lattice.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                outside |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith(
                "retrograd.lattice"
            ):
                outside.add(node.module)
    standard = {
        "__future__",
        "bisect",
        "collections.abc",
        "dataclasses",
        "functools",
        "importlib",  # of extras, when they are needed
        "itertools",
        "math",
    }
    assert outside - standard == {"numpy", "numpy.typing", "retrograd.errors", "typing"}
