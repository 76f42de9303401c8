"""The tables of what is differentiable: of today, complete, and true."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.primitive import REGISTRY, Primitive
from retrograd.errors import DifferentiationError
from retrograd.testing import coverage
from retrograd.testing.coverage import BEGIN, END, NAMESPACES, Row, rows
from retrograd.testing.left_out import LEFT_OUT, NOT_COVERED

PAGE = Path(__file__).parents[2] / "docs" / "differentiable.md"
LEFT = [name for names in LEFT_OUT.values() for name in names]


def named(name: str, module: Any = np) -> Any:
    """The function of a dotted name, or None where this NumPy does not have it."""
    for part in name.split("."):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = getattr(module, part, None)
    return module


def listed(page: str) -> dict[str, set[str]]:
    """The names that the page has, by section."""
    sections = re.split(r"^## `?([\w.]+[ \w]*)`?$", page.split(BEGIN)[1], flags=re.MULTILINE)
    return {
        title: {
            name
            for line in text.splitlines()
            for name in re.findall(r"`([\w.]+)`", line.split(" | ")[0] if "|" in line else line)
        }
        for title, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def test_the_page_is_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    made_with = f"Made with NumPy {np.__version__} and SciPy {scipy.__version__}."
    if made_with in page:
        assert page == coverage.renewed(page), (
            "run: python -m retrograd.testing.coverage docs/differentiable.md"
        )


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_page_names_what_there_is_here(namespace: str) -> None:
    """Also under other versions of NumPy and SciPy, which have a few functions more or less."""
    on_page = listed(PAGE.read_text(encoding="utf-8"))[namespace]
    here = {name for row in rows(namespace) for name in row.names}
    module = coverage._module(namespace)
    assert {name for name in on_page if hasattr(module, name)} - here <= set(LEFT)
    assert here <= on_page


def test_every_public_name_of_numpy_is_accounted_for() -> None:
    assert coverage.unaccounted() == [], (
        "give it a rule, or name it in retrograd.testing.left_out with the reason"
    )


def test_a_new_function_of_numpy_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "brand_new", lambda x: x, raising=False)
    monkeypatch.setattr(np.linalg, "newer", np.linalg.LinAlgError("no function"), raising=False)
    assert coverage.unaccounted() == ["brand_new"]


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_out_is_not_differentiable(name: str) -> None:
    function = named(name)
    if callable(function):
        assert function not in REGISTRY


# What is callable here and takes arrays; the rest changes settings, or writes files.
TAKE_ARRAYS = sorted(
    {name for name in LEFT if callable(named(name))}
    - {
        "fft.test", "info", "linalg.test", "memmap", "save", "savetxt", "savez",
        "savez_compressed", "set_printoptions", "setbufsize", "seterr", "seterrcall", "show_config",
        "show_runtime", "test",
    }
)  # fmt: skip


@pytest.mark.parametrize("name", TAKE_ARRAYS)
def test_what_is_left_out_gives_no_wrong_gradient(name: str) -> None:
    """Called with traced floats it raises, or gives a plain value, but never an object array."""
    function = named(name, rnp)

    def call(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = function(x)
            except TypeError as error:
                if isinstance(error, DifferentiationError):
                    raise
                result = function(x, x)
        for leaf in rg.tree.leaves(result):
            assert getattr(getattr(leaf, "dtype", None), "kind", "f") != "O"
        return np.sum(x)

    try:
        gradient = rg.grad(call)(np.array([0.3, 0.7]))
    except AssertionError:
        raise
    except Exception:
        return
    np.testing.assert_array_equal(gradient, [1.0, 1.0])


def test_notes_are_about_functions_of_the_tables() -> None:
    known = {f"{namespace}.{row.names[0]}" for namespace in NAMESPACES for row in rows(namespace)}
    assert set(NOT_COVERED) <= known


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_modes_are_those_of_the_registry(namespace: str) -> None:
    for row in rows(namespace):
        stand_in = REGISTRY.get(named(row.names[0], coverage._module(namespace)))
        differentiable = not isinstance(stand_in, Primitive) or stand_in.differentiable
        has_modes = row.how in ("rule", "composition")
        assert bool(row.reverse) == bool(row.forward) == has_modes
        if stand_in is not None:
            assert differentiable == (row.how != "constant")


def test_rows_say_how() -> None:
    found = {row.names[0]: row for row in rows("numpy")}
    assert found["tanh"] == Row(("tanh",), "rule", "yes", "yes")
    assert found["roots"].reverse == "transposed"
    assert found["average"].how == "composition"
    assert found["zeros"].how == "creates"
    assert found["put"].how == "in place"
    assert found["floor"].how == "constant"
    assert found["ldexp"].not_covered == "derivatives in `x2`"
    special = {row.names[0]: row for row in rows("scipy.special")}
    assert special["jv"].not_covered == "derivatives in `v`"
    assert special["betainc"].not_covered == ""
    assert coverage.families()["norm"][:2] == ["cdf", "entropy"]
