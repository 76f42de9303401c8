"""Examples as modules, and as the scripts that they are."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def example() -> Callable[[str], ModuleType]:
    """The module of an example, by its path in `examples/` without `.py`."""

    def load(place: str) -> ModuleType:
        name = "example_" + place.replace("/", "_")
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{place}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # a dataclass looks there for its annotations
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load


@pytest.fixture
def run_example(tmp_path: Path) -> Callable[..., str]:
    """Run an example in a process of its own, in a new folder; what it prints."""

    def run(place: str, *options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLES / f"{place}.py", *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"MPLBACKEND": "Agg"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
