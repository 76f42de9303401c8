"""Sample inputs of every registered function that has a derivative, for checks over all of them.

`samples()` gives calls by function: the function that a user calls, or the engine's own primitive
where there is no such function. One file here for each file of rules.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from retrograd.testing.samples.sample import Sample, Samples

__all__ = ["Sample", "Samples", "samples"]

_NUMPY = (
    "calculus", "convolution", "cumulative", "diagonals", "einsum", "elementwise", "fft",
    "indexing", "joining", "lengths", "linalg", "nans", "padding", "piecewise", "polynomials",
    "products", "reductions", "shapes", "sorting", "statistics",
)  # fmt: skip
_SCIPY: tuple[str, ...] = (
    "scipy_fft", "scipy_integrate", "scipy_linalg", "scipy_ndimage", "scipy_optimize",
    "scipy_signal", "scipy_sparse", "scipy_special", "scipy_stats",
)  # fmt: skip


def samples(package: str = "numpy") -> Samples:
    """Calls of every differentiable function of a package, `"numpy"` or `"scipy"`."""
    found: Samples = {}
    names = _NUMPY if package == "numpy" else _SCIPY if find_spec("scipy") else ()
    for name in names:
        found |= import_module(f"retrograd.testing.samples.{name}").SAMPLES
    return found
