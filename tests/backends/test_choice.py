"""Which library a call is for."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import retrograd as rg
from retrograd.backends import backend_of, host_array, library_of
from retrograd.errors import ArgumentError

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("trees", "library"),
    [
        ((), "numpy"),
        ((None, 0.1, np.ones(2), {"a": [1, "text"]}), "numpy"),
        ((torch.ones(2), np.ones(2), 0.1), "torch"),
        (({"w": np.ones(2)}, rg.per_step(torch.ones(2))), "torch"),
        ((torch.nn.Parameter(torch.ones(2)),), "torch"),
    ],
)
def test_the_leaves_decide(trees: object, library: str) -> None:
    assert library_of(*trees) == library  # type: ignore[misc]
    assert backend_of(*trees).name == library  # type: ignore[misc]


def test_values_of_the_engine_are_for_numpy() -> None:
    seen = []
    rg.grad(lambda x: seen.append(library_of(x, np.ones(2))) or x * x)(2.0)
    assert seen == ["numpy"]


def test_two_libraries_are_refused() -> None:
    def both(x: object) -> object:
        return library_of(x, torch.ones(2))

    with pytest.raises(ArgumentError, match=r"hold values that retrograd's .* and PyTorch tensors"):
        rg.grad(both)(1.0)


def test_jax_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the name that has no such class yet is being imported, and decides nothing."""
    monkeypatch.setitem(sys.modules, "jax", ModuleType("jax"))
    assert library_of(np.ones(2)) == "numpy"


def test_nothing_is_imported_for_the_choice() -> None:
    code = (
        "import sys, numpy as np, retrograd as rg\n"
        "rg.train(lambda w, h, t: np.sum(w * w), np.ones(2), None, rg.Momentum(0.1), steps=2)\n"
        "print([name for name in ('torch', 'jax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2.0, np.array(2.0)),
        (np.arange(3), np.arange(3)),
        (torch.arange(3.0, requires_grad=True), np.arange(3, dtype=np.float32)),
        (torch.ones(2, 2).to_sparse(), np.ones((2, 2), np.float32)),
        (torch.tensor([1 + 2j]).conj(), np.array([1 - 2j], np.complex64)),
    ],
)
def test_numbers_of_any_library(given: object, expected: np.ndarray) -> None:
    found = host_array(given)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_the_bytes_of_what_numpy_has_no_dtype_for() -> None:
    one, other = (host_array(torch.tensor(x, dtype=torch.bfloat16)) for x in (1.0, 1.0078125))
    assert one.nbytes == 2
    assert not np.array_equal(one, other)
