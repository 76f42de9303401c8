"""What `retrograd.data` offers, and what it needs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import retrograd.data


def test_public_names() -> None:
    names = ["Dataset", "Split", "Spool", "load", "minibatch", "one_hot"]
    assert sorted(retrograd.data.__all__) == names


@pytest.mark.parametrize("name", retrograd.data.__all__)
def test_every_public_name_is_documented_with_an_example(name: str) -> None:
    documentation = inspect.getdoc(getattr(retrograd.data, name)) or ""
    assert "Args:" in documentation
    assert ">>>" in documentation


def test_import_leaves_the_network_modules_alone() -> None:
    program = "import sys, retrograd.data; sys.exit('urllib.request' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
