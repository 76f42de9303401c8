"""The pages for those who come from other libraries: both programs of a page give one gradient."""

from __future__ import annotations

import doctest
import re
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff import tree

PAGES = Path(__file__).parents[2] / "docs" / "coming-from"

# What each page's programs need besides retrograd, and how far rounding may take them apart.
# TorchOpt computes the factors of Adam's bias in float32, and the pages of JAX are in float32.
NEEDED = {
    "higher": (("torch", "higher"), 1e-9),
    "torchopt": (("torch", "torchopt"), 3e-5),
    "optax": (("jax", "optax"), 1e-3),
    "diffrax": (("jax", "diffrax"), 1e-4),
    "autograd": (("autograd",), 1e-9),
}


def blocks(page: str, kind: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(program: str, names: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, such as deprecations
        exec(compile(program, "<page>", "exec"), names)
    return names


def before(page: str) -> dict[str, Any]:
    return run(blocks(page, "python")[0], {})


def after(page: str) -> dict[str, Any]:
    examples = doctest.DocTestParser().get_examples(blocks(page, "{doctest}")[0])
    return run("".join(example.source for example in examples), {})


def need(page: str) -> float:
    libraries, tolerance = NEEDED[page]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in libraries:
            pytest.importorskip(library)
    return tolerance


def check_equal(found: Any, expected: Any, tolerance: float) -> None:
    pairs = zip(tree.leaves(found), tree.leaves(expected), strict=True)
    for ours, theirs in ((np.asarray(a), np.asarray(b)) for a, b in pairs):
        size = np.linalg.norm(theirs)
        assert ours.shape == theirs.shape
        assert size > 0
        assert np.linalg.norm(ours - theirs) < tolerance * size


@pytest.mark.parametrize("page", NEEDED)
def test_both_programs_of_a_page_have_one_gradient(page: str) -> None:
    tolerance = need(page)
    name = "gradient" if page == "diffrax" else "hypergradient"
    check_equal(after(page)[name], before(page)[name], tolerance)


def test_a_solver_of_diffrax_takes_its_adaptive_steps_in_iterate() -> None:
    need("diffrax")
    names = run(blocks("diffrax", "python")[1], before("diffrax") | {"rg": rg})
    jax, diffrax = import_module("jax"), import_module("diffrax")

    def last_angle(params: Any) -> Any:
        solution = diffrax.diffeqsolve(
            names["term"],
            names["solver"],
            t0=0.0,
            t1=4.0,
            dt0=0.01,
            y0=names["y0"],
            args=params,
            stepsize_controller=names["controller"],
        )
        return solution.ys[-1, 0]

    expected = jax.grad(last_angle)(names["params"])
    check_equal(names["adaptive_gradient"], expected, 1e-5)


@pytest.mark.parametrize("page", ["index", *NEEDED])
def test_the_names_of_a_page_exist(page: str) -> None:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"`(?:[^`\n]*[\s(])?(?:rg|retrograd)\.(\w+(?:\.\w+)*)", text))
    assert mentioned or page == "index"
    for name in mentioned - {"torch.compiled", "torch.functional", "torch.parameters_of"}:
        assert resolved(name), name


def resolved(name: str) -> bool:
    """Whether `retrograd.NAME` is a module, or a name in one."""
    found: Any = rg
    for part in name.split("."):
        found = getattr(found, part, None) or import_module(f"{found.__name__}.{part}")
    return found is not None
